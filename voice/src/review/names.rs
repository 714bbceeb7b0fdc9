//! The names of the timeline's lines.
//!
//! A line begins with its name and the name contains spaces, so only a table tells where it ends.

/// OpenClaw's names and ours. Some begin with another one; [`split`] takes the longest that fits.
///
/// A test beside this table holds it against everything `crate::timeline` writes.
pub(super) const KNOWN: &[&str] = &[
    "agent turn answer",
    "agent turn cancelled",
    "agent turn failed",
    "agent turn produced no speakable payloads",
    "agent turn start",
    "answer interrupted",
    "autoJoin has multiple entries",
    "bot moved to allowed channel",
    "bot moved to non-allowed channel",
    "capture empty",
    "capture finalize",
    "capture overflow",
    "capture ready",
    "capture start",
    "capture too short",
    "DAVE decrypt failures detected",
    "DAVE epoch ready",
    "DAVE group re-initialised",
    "disconnect recovery failed",
    "followed user",
    "following user",
    "join failed before ready",
    "joined",
    "joining",
    "left",
    "opus decoder",
    "participant roster event queued",
    "playback done",
    "playback error",
    "playback start",
    "realtime active-run control handled",
    "realtime assistant transcript",
    "realtime audio playback finishing",
    "realtime audio playback resumed",
    "realtime audio playback started",
    "realtime audio playback stopped",
    "realtime audio playback watchdog fired",
    "realtime barge-in confirmed",
    "realtime barge-in detected",
    "realtime barge-in dismissed",
    "realtime barge-in ignored",
    "realtime barge-in requested",
    "realtime barge-in suspected",
    "realtime barge-in undecided",
    "realtime bridge ready",
    "realtime bridge starting",
    "realtime capture ignored during playback (barge-in disabled)",
    "realtime consult answer",
    "realtime consult failed",
    "realtime consult joined in-flight agent result",
    "realtime consult requested",
    "realtime consult reused recent agent result",
    "realtime consult reused recent",
    "realtime duplicate active-run control speech suppressed",
    "realtime error",
    "realtime exact speech consult bypassed",
    "realtime exact speech dequeued",
    "realtime exact speech queued",
    "realtime forced agent consult answer",
    "realtime forced agent consult failed",
    "realtime forced agent consult preserving active playback",
    "realtime forced agent consult skipped",
    "realtime forced agent consult starting",
    "realtime input audio started",
    "realtime lifecycle",
    "realtime model audio deleted client:conversation.item.delete",
    "realtime model audio truncated client:conversation.item.truncate",
    "realtime model interrupt confirmed server:response.done",
    "realtime model interrupt confirmed",
    "realtime model interrupt ignored client:conversation.item.truncate.skipped",
    "realtime model interrupt raced server:error",
    "realtime model interrupt requested client:response.cancel",
    "realtime speaker not admitted (every provider connection is busy)",
    "realtime speaker not authorized",
    "realtime speaker turn closed",
    "realtime speaker turn opened",
    "realtime trailing silence sent",
    "realtime usage",
    "realtime user transcript",
    "realtime wake-name ack",
    "realtime wake-name follow-up accepted",
    "realtime wake-name follow-up armed",
    "realtime wake-name gate ignored transcript",
    "realtime wake-name gate matched",
    "receive error",
    "receive stream ended",
    "rejoin after decrypt failures failed",
    "repeated decrypt failures; attempting rejoin",
    "reply empty",
    "reply ok",
    "reply too long to read out",
    "SPEAKING event contradicts the keys",
    "stage request to speak failed",
    "stage request to speak sent",
    "stage speaking",
    "timeline begins",
    "transcript from",
    "transcription empty",
    "transcription failed",
    "transcription ok",
    "TTS failed",
    "tts ok",
    "tts skipped",
    "voice connection interrupted",
    "voice connection ready",
    "voice heard again",
    "voice session statistics",
    "voice suppressed",
];

/// Splits a known name off a line's beginning; the longest that fits wins.
pub(super) fn split(text: &str) -> Option<(&'static str, &str)> {
    KNOWN
        .iter()
        .filter_map(|name| Some((*name, text.strip_prefix(name)?)))
        .filter(|(_, rest)| {
            rest.chars().next().is_none_or(|next| !next.is_alphanumeric() && !"-_=".contains(next))
        })
        .max_by_key(|(name, _)| name.len())
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    /// Every name that the writers of the timeline spell out.
    fn written() -> Vec<String> {
        let sources = concat!(
            include_str!("../timeline.rs"),
            include_str!("../timeline/agent.rs"),
            include_str!("../timeline/batch.rs"),
            include_str!("../timeline/floor.rs"),
            include_str!("../timeline/provider.rs"),
        );
        let code: String = sources
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .map(|line| format!("{}\n", line.trim()))
            .collect();
        let call =
            r#"(?:(?:info|warn|verbose)\(\s*at,\s*(?:format!\(\s*)?|Level::\w+,\s*)"([^"{(]+)"#;
        Regex::new(call)
            .unwrap()
            .captures_iter(&code)
            .map(|found| found[1].trim().to_owned())
            .filter(|name| name != "realtime") // "realtime {who} transcript"
            .collect()
    }

    #[test]
    fn every_line_we_write_is_known() {
        let names = written();
        assert!(names.len() > 60, "only {} names were found in the sources", names.len());
        for name in names {
            let whole = KNOWN.iter().any(|known| known.starts_with(name.trim_end_matches(':')));
            assert!(whole, "`{name}` is written but not in the table");
        }
    }

    #[test]
    fn the_longest_name_wins_and_ends_at_a_word() {
        assert_eq!(
            split("realtime consult reused recent agent result call=1"),
            Some(("realtime consult reused recent agent result", " call=1"))
        );
        assert_eq!(split("joined guild=1"), Some(("joined", " guild=1")));
        assert_eq!(split("joinedness"), None);
        assert_eq!(split("left-over"), None);
        assert_eq!(split("receive error: x"), Some(("receive error", ": x")));
    }
}
