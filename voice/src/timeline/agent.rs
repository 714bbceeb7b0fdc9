//! Lines about the agent: consults, exact speech, wake names, run control.

use clawvoice_session::{
    SessionTime,
    timeline::{Level, Record},
};

use super::{OutputState, Parts as _, Place, Route, Speaker, info, preview, warn};

/// An answer waits to be spoken word for word.
#[must_use]
pub fn exact_speech_queued(
    at: SessionTime,
    place: Place,
    queued: usize,
    output: OutputState,
) -> Record {
    info(at, "realtime exact speech queued")
        .place(place)
        .with("queued", queued)
        .with("outputAudioMs", output.audio_ms)
        .with("outputActive", output.active)
}

/// The next waiting answer is spoken.
#[must_use]
pub fn exact_speech_dequeued(at: SessionTime, place: Place, queued: usize) -> Record {
    info(at, "realtime exact speech dequeued")
        .with("reason", "player-idle")
        .place(place)
        .with("queued", queued)
}

/// The front end asked about its own words; it gets them back.
#[must_use]
pub fn exact_speech_consult_bypassed(at: SessionTime, call: &str, answer_chars: usize) -> Record {
    info(at, "realtime exact speech consult bypassed")
        .with("call", preview(call))
        .with("answerChars", answer_chars)
}

/// The front end asks the agent.
#[must_use]
pub fn consult_requested(
    at: SessionTime,
    call: &str,
    route: Route<'_>,
    speaker: Speaker<'_>,
    owner: bool,
    question: &str,
) -> Record {
    info(at, "realtime consult requested")
        .with("call", preview(call))
        .route(route)
        .speaker(speaker)
        .with("owner", owner)
        .quoting("question", preview(question))
}

/// The front end has its answer.
#[must_use]
pub fn consult_answer(
    at: SessionTime,
    route: Route<'_>,
    speaker: Speaker<'_>,
    owner: bool,
    text: &str,
) -> Record {
    info(at, format!("realtime consult answer ({} chars)", text.chars().count()))
        .route(route)
        .speaker(speaker)
        .with("owner", owner)
        .quoting("preview", preview(text))
}

/// The front end gets no answer.
#[must_use]
pub fn consult_failed(at: SessionTime, call: &str, message: &str) -> Record {
    warn(at, "realtime consult failed")
        .with("call", preview(call))
        .with("message", preview(message))
}

/// The same was answered just before.
#[must_use]
pub fn consult_reused(at: SessionTime, call: &str, speaker: Speaker<'_>, owner: bool) -> Record {
    info(at, "realtime consult reused recent agent result")
        .with("call", preview(call))
        .speaker(speaker)
        .with("owner", owner)
}

/// The same is being asked already.
#[must_use]
pub fn consult_joined(at: SessionTime, call: &str, speaker: Speaker<'_>, owner: bool) -> Record {
    info(at, "realtime consult joined in-flight agent result")
        .with("call", preview(call))
        .speaker(speaker)
        .with("owner", owner)
}

/// A transcript goes to the agent without the front end having asked.
#[must_use]
pub fn forced_consult_starting(
    at: SessionTime,
    route: Route<'_>,
    speaker: Speaker<'_>,
    owner: bool,
    question: &str,
) -> Record {
    info(at, "realtime forced agent consult starting")
        .with("chars", question.chars().count())
        .route(route)
        .speaker(speaker)
        .with("owner", owner)
}

/// A transcript does not go to the agent.
#[must_use]
pub fn forced_consult_skipped(
    at: SessionTime,
    reason: &'static str,
    detail: Option<&'static str>,
    speaker: Speaker<'_>,
    transcript: &str,
) -> Record {
    let record = info(at, "realtime forced agent consult skipped").with("reason", reason);
    let record = match detail {
        Some(detail) => record.with("detail", detail),
        None => record,
    };
    record
        .with("chars", transcript.chars().count())
        .speaker(speaker)
        .quoting("transcript", preview(transcript))
}

/// An answer has come while another one plays; that one plays on.
#[must_use]
pub fn forced_consult_preserving(at: SessionTime, place: Place, output: OutputState) -> Record {
    info(at, "realtime forced agent consult preserving active playback")
        .place(place)
        .with("outputAudioMs", output.audio_ms)
        .with("outputActive", output.active)
        .with("playbackChunks", output.chunks)
}

/// The agent has answered a transcript.
#[must_use]
pub fn forced_consult_answer(
    at: SessionTime,
    elapsed_ms: u64,
    route: Route<'_>,
    text: &str,
) -> Record {
    info(at, format!("realtime forced agent consult answer ({} chars)", text.chars().count()))
        .with("elapsedMs", elapsed_ms)
        .route(route)
        .quoting("preview", preview(text))
}

/// The agent has not answered a transcript.
#[must_use]
pub fn forced_consult_failed(
    at: SessionTime,
    elapsed_ms: u64,
    route: Route<'_>,
    message: &str,
) -> Record {
    warn(at, "realtime forced agent consult failed")
        .with("elapsedMs", elapsed_ms)
        .route(route)
        .with("message", preview(message))
}

/// A turn is handed to the agent.
#[must_use]
pub fn agent_turn_start(
    at: SessionTime,
    place: Place,
    route: Route<'_>,
    speaker: Speaker<'_>,
    owner: bool,
    model: Option<&str>,
    message: &str,
) -> Record {
    info(at, "agent turn start")
        .place(place)
        .route(route)
        .speaker(speaker)
        .with("owner", owner)
        .with("model", model.unwrap_or("default"))
        .quoting("preview", preview(message))
}

/// The agent has answered a turn.
#[must_use]
pub fn agent_turn_answer(at: SessionTime, place: Place, route: Route<'_>, text: &str) -> Record {
    info(at, format!("agent turn answer ({} chars)", text.chars().count()))
        .place(place)
        .route(route)
        .quoting("preview", preview(text))
}

/// The agent chose to say nothing.
#[must_use]
pub fn agent_turn_silent(
    at: SessionTime,
    place: Place,
    route: Route<'_>,
    speaker: Speaker<'_>,
) -> Record {
    info(at, "agent turn produced no speakable payloads").place(place).route(route).speaker(speaker)
}

/// Words were taken for a control of the active run.
#[must_use]
pub fn run_control_handled(
    at: SessionTime,
    mode: &'static str,
    ok: bool,
    active: bool,
    reason: &'static str,
    route: Route<'_>,
) -> Record {
    info(at, "realtime active-run control handled")
        .with("mode", mode)
        .with("ok", ok)
        .with("active", active)
        .with("reason", reason)
        .route(route)
}

/// A front end said an outcome that was told a moment ago; it was stopped.
#[must_use]
pub fn duplicate_outcome_suppressed(at: SessionTime, place: Place) -> Record {
    info(at, "realtime duplicate active-run control speech suppressed").place(place)
}

/// The agent is told who is in the channel; nobody is answered.
#[must_use]
pub fn roster_told(at: SessionTime, place: Place, participants: usize, session: &str) -> Record {
    Record::new(at, Level::Verbose, "participant roster event queued")
        .place(place)
        .with("participants", participants)
        .with("supervisorSession", session)
}

/// The agent was called by name.
#[must_use]
pub fn wake_matched(at: SessionTime, canonical: &str, heard: &str, kind: &'static str) -> Record {
    info(at, "realtime wake-name gate matched")
        .with("canonical", preview(canonical))
        .quoting("heard", preview(heard))
        .with("match", kind)
}

/// Words without the agent's name.
#[must_use]
pub fn wake_ignored(at: SessionTime, chars: usize, names: usize) -> Record {
    info(at, "realtime wake-name gate ignored transcript")
        .with("chars", chars)
        .with("wakeNames", names)
}

/// A name alone: the speaker's next words are for the agent.
#[must_use]
pub fn wake_armed(at: SessionTime, speaker: Speaker<'_>) -> Record {
    info(at, "realtime wake-name follow-up armed").speaker(speaker)
}

/// Words that follow a name.
#[must_use]
pub fn wake_follow_up(at: SessionTime, speaker: Speaker<'_>) -> Record {
    info(at, "realtime wake-name follow-up accepted").speaker(speaker)
}

/// A name was heard at the beginning of words that go on.
#[must_use]
pub fn wake_acknowledged(at: SessionTime, speaker: Speaker<'_>, words: &'static str) -> Record {
    info(at, "realtime wake-name ack").speaker(speaker).with("words", words)
}

/// Ours: somebody who may not talk to the agent spoke.
#[must_use]
pub fn speaker_unauthorized(at: SessionTime, place: Place, speaker: Speaker<'_>) -> Record {
    Record::new(at, Level::Verbose, "realtime speaker not authorized").place(place).speaker(speaker)
}

#[cfg(test)]
mod tests {
    use clawvoice_session::{ChannelId, GuildId, SessionKey, UserId};

    use super::*;

    #[test]
    fn fields_stand_in_the_documented_order() {
        let key = SessionKey::channel("main", ChannelId::new(2));
        let route = Route { voice_session: &key, supervisor_session: &key, agent: "main" };
        let place = Place { guild: GuildId::new(1), channel: ChannelId::new(2) };
        let speaker = Speaker { user: UserId::new(7), label: "Ada" };
        let at = SessionTime::ZERO;
        let routed = "voiceSession=agent:main:discord:channel:2 \
                      supervisorSession=agent:main:discord:channel:2 agent=main";
        for (record, line) in [
            (
                forced_consult_starting(at, route, speaker, true, "why?"),
                format!(
                    "realtime forced agent consult starting chars=4 {routed} user=7 speaker=Ada \
                     owner=true"
                ),
            ),
            (
                forced_consult_skipped(
                    at,
                    "incomplete-transcript",
                    Some("trailing-connector"),
                    speaker,
                    "and",
                ),
                "realtime forced agent consult skipped reason=incomplete-transcript \
                 detail=trailing-connector chars=3 user=7 speaker=Ada transcript=and"
                    .to_owned(),
            ),
            (
                run_control_handled(at, "cancel", true, true, "cancelled", route),
                format!(
                    "realtime active-run control handled mode=cancel ok=true active=true \
                     reason=cancelled {routed}"
                ),
            ),
            (
                exact_speech_dequeued(at, place, 2),
                "realtime exact speech dequeued reason=player-idle guild=1 channel=2 queued=2"
                    .to_owned(),
            ),
            (
                wake_ignored(at, 12, 2),
                "realtime wake-name gate ignored transcript chars=12 wakeNames=2".to_owned(),
            ),
        ] {
            assert_eq!(record.to_line(), format!("discord voice: {line}"));
        }
    }
}
