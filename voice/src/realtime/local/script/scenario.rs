//! Reads scenarios: the steps that happen on one connection.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::Value;

use super::{MAX_WAIT_MS, ScriptError, Step, reply};
use crate::realtime::local::{SAMPLES_PER_MS, fault::Fault};

/// How long an expected event may take.
const EXPECT_MS: u64 = 10_000;

/// Longest huge delta, in characters of base64: twice what a client should take.
const MAX_HUGE_DELTA: usize = 40 * 1024 * 1024;

/// The steps of one connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Where it stands in the script.
    pub place: String,
    /// The connection's number; `None`: every one without a scenario of its own.
    pub connection: Option<u64>,
    /// The steps, in order.
    pub steps: Vec<Action>,
}

/// One step of a scenario.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A client event must come in time.
    Expect(Pattern, Duration),
    /// Sends an event; a text is sent as it stands.
    Send(Value),
    /// Makes a response.
    Respond(Vec<Step>),
    /// Waits.
    Wait(Wait),
    /// Does something wrong.
    Fault(Fault),
    /// Something must be so by now.
    Assert(Assertion),
}

/// Which client events fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    /// Their type.
    pub kind: String,
    /// Values by JSON pointer.
    pub fields: BTreeMap<String, Value>,
}

impl Pattern {
    /// Whether an event fits. `null` fits a missing value, too.
    #[must_use]
    pub fn fits(&self, event: &Value) -> bool {
        event["type"] == self.kind.as_str()
            && self
                .fields
                .iter()
                .all(|(pointer, value)| event.pointer(pointer).unwrap_or(&Value::Null) == value)
    }
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq)]
pub enum Wait {
    /// Time.
    For(Duration),
    /// So many samples of the user's audio since the step began.
    Samples(u64),
    /// A client event, however long it takes.
    Event(Pattern),
    /// No response is in progress.
    Idle,
}

/// What must be so.
#[derive(Clone, Debug, PartialEq)]
pub enum Assertion {
    /// The last truncate was at this many milliseconds, give or take.
    Truncate {
        /// Expected `audio_end_ms`.
        ms: u64,
        /// Largest difference that is taken.
        within: u64,
    },
    /// So many client events of a type have come on this connection.
    Count {
        /// The type.
        kind: String,
        /// How many.
        times: u64,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScenarioFile {
    connection: Option<u64>,
    steps: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
enum ActionFile {
    Expect(ExpectFile),
    Send(Value),
    #[serde(alias = "audio")]
    Respond(Value),
    Wait(WaitFile),
    Fault(FaultFile),
    Assert(AssertFile),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ExpectFile {
    r#type: String,
    #[serde(default)]
    r#where: BTreeMap<String, Value>,
    within_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum WaitFile {
    Ms(u64),
    AudioMs(u64),
    ClientEvent(String),
    Idle,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
enum FaultFile {
    DropTcp,
    Close(u16),
    Expire,
    Stall(u64),
    UnknownEvent,
    HugeDelta(usize),
    BadBase64,
    OddBytes,
    SplitUtf8,
    Duplicate,
    Reorder(u32, u32),
    LegacyNames(bool),
    #[serde(rename_all = "camelCase")]
    HttpStatus {
        status: u16,
        retry_after: Option<u32>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct AssertFile {
    truncate_ms: Option<u64>,
    within: Option<u64>,
    event: Option<String>,
    times: Option<u64>,
}

pub(super) fn read(
    files: Vec<ScenarioFile>,
    audio: &mut impl FnMut(&str) -> Result<Vec<i16>, String>,
) -> Result<Vec<Arc<Scenario>>, ScriptError> {
    let mut scenarios: Vec<Arc<Scenario>> = Vec::with_capacity(files.len());
    for (index, file) in files.into_iter().enumerate() {
        let place = format!("connections[{index}]");
        if scenarios.iter().any(|other| other.connection == file.connection) {
            let problem = "a second scenario of the same connection".to_owned();
            return Err(ScriptError::At { place, problem });
        }
        let mut steps = Vec::with_capacity(file.steps.len());
        for (step, value) in file.steps.into_iter().enumerate() {
            let place = format!("{place}.steps[{step}]");
            let wrong = |problem| ScriptError::At { place: place.clone(), problem };
            let read = serde_json::from_value(value).map_err(|error| wrong(error.to_string()))?;
            steps.push(match read {
                ActionFile::Respond(reply) => {
                    Action::Respond(reply::read(reply, &format!("{place}.respond"), audio)?)
                }
                other => read_action(other, step == 0).map_err(wrong)?,
            });
        }
        scenarios.push(Arc::new(Scenario { place, connection: file.connection, steps }));
    }
    Ok(scenarios)
}

fn read_action(file: ActionFile, is_first: bool) -> Result<Action, String> {
    Ok(match file {
        ActionFile::Expect(expect) => {
            if let Some(pointer) = expect.r#where.keys().find(|key| !key.starts_with('/')) {
                return Err(format!("where: {pointer:?} is no JSON pointer, like \"/item/type\""));
            }
            let within = time(expect.within_ms.unwrap_or(EXPECT_MS))?;
            Action::Expect(Pattern { kind: expect.r#type, fields: expect.r#where }, within)
        }
        ActionFile::Send(event) => {
            if !event.is_string() && !event["type"].is_string() {
                return Err("send: an event with a type, or a text".to_owned());
            }
            Action::Send(event)
        }
        // Read by the caller, who has the audio.
        ActionFile::Respond(_) => Action::Respond(Vec::new()),
        ActionFile::Wait(wait) => Action::Wait(match wait {
            WaitFile::Ms(ms) => Wait::For(time(ms)?),
            WaitFile::AudioMs(ms) => {
                Wait::Samples(time(ms)?.as_millis() as u64 * SAMPLES_PER_MS as u64)
            }
            WaitFile::ClientEvent(kind) => Wait::Event(Pattern { kind, fields: BTreeMap::new() }),
            WaitFile::Idle => Wait::Idle,
        }),
        ActionFile::Fault(fault) => Action::Fault(read_fault(fault, is_first)?),
        ActionFile::Assert(assert) => Action::Assert(read_assertion(assert)?),
    })
}

fn read_fault(fault: FaultFile, is_first: bool) -> Result<Fault, String> {
    Ok(match fault {
        FaultFile::DropTcp => Fault::DropTcp,
        FaultFile::Close(code) => Fault::Close(reply::close_code(code)?),
        FaultFile::Expire => Fault::Expire,
        FaultFile::Stall(ms) => Fault::Stall(time(ms)?),
        FaultFile::UnknownEvent => Fault::UnknownEvent,
        FaultFile::HugeDelta(length) if length <= MAX_HUGE_DELTA => Fault::HugeDelta(length),
        FaultFile::HugeDelta(_) => return Err(format!("hugeDelta: at most {MAX_HUGE_DELTA}")),
        FaultFile::BadBase64 => Fault::BadBase64,
        FaultFile::OddBytes => Fault::OddBytes,
        FaultFile::SplitUtf8 => Fault::SplitUtf8,
        FaultFile::Duplicate => Fault::Duplicate,
        FaultFile::Reorder(late, after) if 0 < late && late < after => Fault::Reorder(late, after),
        FaultFile::Reorder(..) => {
            return Err("reorder: [the late delta, a later one it is to follow], from 1".to_owned());
        }
        FaultFile::LegacyNames(on) => Fault::LegacyNames(on),
        FaultFile::HttpStatus { status: 300..=599, .. } if !is_first => {
            return Err("httpStatus: only as the first step".to_owned());
        }
        FaultFile::HttpStatus { status: status @ 300..=599, retry_after } => {
            Fault::HttpStatus { status, retry_after }
        }
        FaultFile::HttpStatus { .. } => return Err("httpStatus: 300 to 599".to_owned()),
    })
}

fn read_assertion(file: AssertFile) -> Result<Assertion, String> {
    match (file.truncate_ms, file.within, file.event, file.times) {
        (Some(ms), within, None, None) => {
            Ok(Assertion::Truncate { ms, within: within.unwrap_or(0) })
        }
        (None, None, Some(kind), Some(times)) => Ok(Assertion::Count { kind, times }),
        _ => Err("assert: {truncateMs, within} or {event, times}".to_owned()),
    }
}

fn time(ms: u64) -> Result<Duration, String> {
    if ms > MAX_WAIT_MS {
        return Err(format!("at most {MAX_WAIT_MS} ms"));
    }
    Ok(Duration::from_millis(ms))
}
