//! The rows: each fault at two strengths, what sets it off, and what is asked of it.

use std::time::Duration;

use localcord::fault::FaultSettings;
use serde_json::{Value, json};

use crate::stage::BOT;

/// Who speaks, who is there, and who comes later.
pub(crate) const ANN: u64 = 1_001;
pub(crate) const BEN: u64 = 1_002;
pub(crate) const CYD: u64 = 1_003;

/// What happens once, while Ann speaks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Trigger {
    /// The faults act by themselves.
    None,
    /// The bot's websocket is closed with this code.
    Close(u16),
    /// A third human joins: a commit.
    Join,
    /// Down to transport encryption, and back up after two seconds.
    DownAndUp,
    /// The guild moves to another voice server.
    Move(Move),
    /// UDP to and from the bot disappears.
    BlackHole(Duration),
}

/// How a move is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Move {
    /// The endpoint is taken away for a while first.
    NullFirst,
    /// Only the new endpoint, while the old server goes on for so long.
    Update { keep_ms: u64 },
    /// The websocket is closed with this code first.
    Close(u16),
    /// The same endpoint with another token.
    SameEndpoint,
}

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target {
    /// Ann is heard to the end.
    Heard,
    /// This share of her frames, percent, is decoded or rebuilt from FEC.
    Share(f64),
    /// No frame is lost.
    Nothing,
    /// Nobody is silent longer than this.
    Silence(Duration),
    /// Heard to the end without leaving the channel.
    InPlace,
}

pub(crate) struct Row {
    pub(crate) fault: &'static str,
    pub(crate) strength: String,
    /// See localcord's `PUT faults`.
    pub(crate) settings: Value,
    pub(crate) trigger: Trigger,
    /// In-band FEC for this expected loss, percent.
    pub(crate) fec: Option<u8>,
    pub(crate) target: Target,
}

impl Row {
    fn new(fault: &'static str, strength: impl Into<String>, settings: Value) -> Self {
        let (trigger, target) = (Trigger::None, Target::Heard);
        Self { fault, strength: strength.into(), settings, trigger, fec: None, target }
    }

    fn on(mut self, trigger: Trigger) -> Self {
        self.trigger = trigger;
        self
    }

    fn must(mut self, target: Target) -> Self {
        self.target = target;
        self
    }

    fn with_fec(mut self, expected_loss: u8) -> Self {
        self.fec = Some(expected_loss);
        self
    }

    /// The settings, checked.
    pub(crate) fn faults(&self) -> anyhow::Result<FaultSettings> {
        let faults: FaultSettings = serde_json::from_value(self.settings.clone())?;
        faults.check().map_err(anyhow::Error::msg)?;
        Ok(faults)
    }
}

/// A network fault on the way from Ann to the bot.
fn udp(mut rule: Value) -> Value {
    rule["from"] = ANN.to_string().into();
    rule["to"] = BOT.to_string().into();
    json!({ "seed": 5, "udp": [rule] })
}

/// Something the server does to Ann's packets.
fn packet(mut rule: Value) -> Value {
    rule["from"] = ANN.to_string().into();
    rule["to"] = BOT.to_string().into();
    json!({ "seed": 5, "packets": [rule] })
}

/// Something that becomes of messages to the bot.
fn message(mut rule: Value) -> Value {
    rule["user"] = BOT.to_string().into();
    json!({ "messages": [rule] })
}

/// All rows.
pub(crate) fn all() -> Vec<Row> {
    let mut rows = network();
    rows.extend(packets());
    rows.extend(closes());
    rows.extend(speaking());
    rows.extend(group());
    rows.extend(moves());
    rows
}

fn network() -> Vec<Row> {
    let mut rows: Vec<Row> = [(5, 99.0), (10, 98.0), (20, 94.0)]
        .into_iter()
        .map(|(percent, share)| {
            Row::new(
                "independent loss, FEC",
                format!("{percent} %"),
                udp(json!({ "dropPercent": percent })),
            )
            .with_fec(percent)
            .must(Target::Share(share))
        })
        .collect();
    for percent in [5, 20] {
        let settings = udp(json!({ "dropPercent": percent }));
        rows.push(Row::new("independent loss, no FEC", format!("{percent} %"), settings));
    }
    for (p, r) in [(2, 40), (5, 25)] {
        let settings = udp(json!({ "gilbertElliott": { "p": p, "r": r } }));
        rows.push(Row::new("Gilbert-Elliott loss", format!("p {p} r {r} %"), settings));
    }
    for (ms, target) in [(30, Target::Nothing), (100, Target::Heard)] {
        let settings = udp(json!({ "jitterMs": ms, "jitterReorders": true }));
        rows.push(Row::new("jitter", format!("0-{ms} ms"), settings).must(target));
    }
    // Her first packet may be overtaken, and nothing tells that there was one.
    for (percent, ms) in [(5, 30), (20, 50)] {
        let settings = udp(json!({ "reorderPercent": percent, "reorderMs": ms }));
        let row = Row::new("reorder", format!("{percent} % by {ms} ms"), settings);
        rows.push(row.must(Target::Share(99.8)));
    }
    for percent in [5, 50] {
        let settings = udp(json!({ "duplicatePercent": percent, "duplicateMs": 15 }));
        rows.push(Row::new("duplication", format!("{percent} %"), settings).must(Target::Nothing));
    }
    for percent in [1, 10] {
        let settings = udp(json!({ "corruptPercent": percent, "corruptBits": 3 }));
        rows.push(Row::new("corruption", format!("{percent} %"), settings));
    }
    for kbps in [80, 50] {
        let settings = udp(json!({ "bandwidthKbps": kbps }));
        rows.push(Row::new("bandwidth cap", format!("{kbps} kbit/s"), settings));
    }
    for s in [1, 3] {
        rows.push(
            Row::new("UDP black hole", format!("{s} s"), json!({}))
                .on(Trigger::BlackHole(Duration::from_secs(s))),
        );
    }
    rows
}

fn packets() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut both = |fault, rules: [(&str, Value); 2], target| {
        for (strength, rule) in rules {
            rows.push(Row::new(fault, strength, packet(rule)).must(target));
        }
    };
    let change = |change: Value| json!({ "change": change });
    both(
        "RTP padding",
        [
            ("8 bytes", change(json!({ "padding": { "bytes": 8 } }))),
            ("255 bytes", change(json!({ "padding": { "bytes": 255 } }))),
        ],
        Target::Nothing,
    );
    both(
        "padding-only packets",
        [
            (
                "every 10th",
                json!({ "insert": true, "every": 10, "change": { "paddingOnly": { "bytes": 20 } } }),
            ),
            (
                "every 2nd",
                json!({ "insert": true, "every": 2, "change": { "paddingOnly": { "bytes": 255 } } }),
            ),
        ],
        Target::Nothing,
    );
    both(
        "CSRCs",
        [
            ("1", change(json!({ "csrcs": { "count": 1 } }))),
            ("15", change(json!({ "csrcs": { "count": 15 } }))),
        ],
        Target::Nothing,
    );
    both(
        "header extension",
        [
            ("none", change(json!("noExtension"))),
            ("40 words", change(json!({ "extension": { "words": 40 } }))),
        ],
        Target::Nothing,
    );
    for forgery in ["unauthentic", "rangesOverlap", "nonceUnending", "markerOnly"] {
        let rule = |every| {
            json!({ "insert": true, "every": every,
                "change": { "daveTrailer": { "forgery": forgery } } })
        };
        both(
            "DAVE trailer forged",
            [("every 10th", rule(10)), ("every 2nd", rule(2))],
            Target::Nothing,
        );
    }
    both(
        "plaintext frames",
        [
            ("every 10th", json!({ "insert": true, "every": 10, "change": "plaintext" })),
            ("every 2nd", json!({ "insert": true, "every": 2, "change": "plaintext" })),
        ],
        Target::Nothing,
    );
    both(
        "clock skew",
        [
            ("+200 ppm", change(json!({ "clockSkew": { "ppm": 200 } }))),
            ("-2000 ppm", change(json!({ "clockSkew": { "ppm": -2_000 } }))),
        ],
        Target::Nothing,
    );
    rows
}

fn closes() -> Vec<Row> {
    let mut rows = Vec::new();
    for code in [1_001, 1_006, 4_015] {
        // 1006 is no code a server can send; the socket is closed with the next one.
        let code = if code == 1_006 { 1_011 } else { code };
        rows.push(
            Row::new("websocket closed", code.to_string(), json!({}))
                .on(Trigger::Close(code))
                .must(Target::Nothing),
        );
    }
    for code in [4_006, 4_009] {
        rows.push(
            Row::new("websocket closed", code.to_string(), json!({})).on(Trigger::Close(code)),
        );
    }
    // The session that follows the lost one is closed in its handshake, once and thrice.
    for at in ["hello", "ready", "description", "keyPackage", "welcome"] {
        for times in [1, 3] {
            let mut close = json!({ "at": at, "code": 4_006, "times": times });
            if at != "hello" {
                close["user"] = BOT.to_string().into();
            }
            rows.push(
                Row::new(
                    "closed in handshake",
                    format!("at {at}, {times}x"),
                    json!({ "voiceClose": close }),
                )
                .on(Trigger::Close(4_006)),
            );
        }
    }
    rows
}

fn speaking() -> Vec<Row> {
    let about =
        |action: Value| message(json!({ "op": 5, "about": ANN.to_string(), "action": action }));
    let wrong = |times: Value| {
        let fields = json!({ "user_id": BEN.to_string() });
        json!({ "messages": [{ "user": BOT.to_string(), "op": 5, "about": ANN.to_string(),
            "times": times, "action": { "merge": { "fields": fields } } }] })
    };
    [
        ("SPEAKING late", "300 ms", about(json!({ "delay": { "ms": 300 } }))),
        ("SPEAKING late", "1900 ms", about(json!({ "delay": { "ms": 1_900 } }))),
        (
            "SPEAKING repeated",
            "once",
            about(json!({ "duplicate": { "copies": 1, "afterMs": 200 } })),
        ),
        (
            "SPEAKING repeated",
            "20x",
            about(json!({ "duplicate": { "copies": 20, "afterMs": 500 } })),
        ),
        (
            "SPEAKING withheld",
            "first",
            message(json!({ "op": 5, "about": ANN.to_string(), "times": 1, "action": "drop" })),
        ),
        ("SPEAKING withheld", "all", about(json!("drop"))),
        ("SPEAKING wrong user", "first", wrong(json!(1))),
        ("SPEAKING wrong user", "all", wrong(Value::Null)),
    ]
    .into_iter()
    .map(|(fault, strength, settings)| Row::new(fault, strength, settings).must(Target::Nothing))
    .collect()
}

fn group() -> Vec<Row> {
    let once = |op: u8, action: Value| message(json!({ "op": op, "times": 1, "action": action }));
    let corrupt = || json!({ "corrupt": { "bits": 8 } });
    let mut rows = vec![
        Row::new("commit corrupted", "1", once(29, corrupt()))
            .on(Trigger::Join)
            .must(Target::InPlace),
        Row::new("commit withheld", "1", once(29, json!("drop")))
            .on(Trigger::Join)
            .must(Target::InPlace),
        Row::new("welcome corrupted", "1", once(30, corrupt())).on(Trigger::Close(4_006)),
        Row::new(
            "welcome corrupted",
            "3",
            message(json!({ "op": 30, "times": 3, "action": corrupt() })),
        )
        .on(Trigger::Close(4_006)),
        Row::new("welcome withheld", "1", once(30, json!("drop"))).on(Trigger::Close(4_006)),
        Row::new("commit late", "500 ms", once(29, json!({ "delay": { "ms": 500 } })))
            .on(Trigger::Join)
            .must(Target::Nothing),
        Row::new("commit late", "1500 ms", once(29, json!({ "delay": { "ms": 1_500 } })))
            .on(Trigger::Join)
            .must(Target::Nothing),
        Row::new("commit repeated", "1", once(29, json!({ "duplicate": { "copies": 1 } })))
            .on(Trigger::Join)
            .must(Target::Nothing),
        Row::new(
            "commit repeated",
            "5",
            once(29, json!({ "duplicate": { "copies": 5, "afterMs": 300 } })),
        )
        .on(Trigger::Join)
        .must(Target::Nothing),
        Row::new("execute withheld", "1", once(22, json!("drop")))
            .on(Trigger::Join)
            .must(Target::Nothing),
        Row::new("execute repeated", "5", once(22, json!({ "duplicate": { "copies": 5 } })))
            .on(Trigger::Join)
            .must(Target::Nothing),
        Row::new("execute before commit", "1", once(29, json!({ "after": { "op": 22 } })))
            .on(Trigger::Join)
            .must(Target::Nothing),
    ];
    for (strength, settings) in
        [("once", json!({})), ("op 21 late", once(21, json!({ "delay": { "ms": 500 } })))]
    {
        rows.push(
            Row::new("to version 0 and back", strength, settings)
                .on(Trigger::DownAndUp)
                .must(Target::Nothing),
        );
    }
    rows
}

fn moves() -> Vec<Row> {
    let limit = Target::Silence(Duration::from_millis(500));
    [
        ("endpoint null first", Move::NullFirst, Target::Heard),
        ("new endpoint, old at once gone", Move::Update { keep_ms: 0 }, limit),
        ("new endpoint, old for 1 s", Move::Update { keep_ms: 1_000 }, limit),
        ("after close 4014", Move::Close(4_014), Target::Heard),
        ("after close 4015", Move::Close(4_015), Target::Heard),
        ("after close 4022", Move::Close(4_022), Target::Heard),
        ("same endpoint", Move::SameEndpoint, limit),
    ]
    .into_iter()
    .map(|(strength, variant, target)| {
        Row::new("server move", strength, json!({})).on(Trigger::Move(variant)).must(target)
    })
    .collect()
}
