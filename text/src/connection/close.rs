//! What a close code of the main gateway means.
//!
//! Source: Discord, "Gateway Close Event Codes".

/// What is left to do after a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterClose {
    /// Nothing: connecting again gives the same answer.
    Fatal,
    /// The session is over: identify on a new connection.
    Identify,
    /// The session may go on: resume on a new connection.
    Resume,
}

/// What follows a close; `None`: the connection broke without one.
pub(crate) fn after_close(code: Option<u16>) -> AfterClose {
    match code {
        Some(4004 | 4010..=4014) => AfterClose::Fatal,
        Some(4003 | 4005 | 4007 | 4009) => AfterClose::Identify,
        _ => AfterClose::Resume,
    }
}

/// A close code in words.
pub(crate) fn close_in_words(code: Option<u16>) -> String {
    let words = match code {
        None | Some(1006) => return "the connection broke".to_owned(),
        Some(1000) => "normal closure",
        Some(1001) => "going away",
        Some(4000) => "unknown error",
        Some(4001) => "unknown opcode",
        Some(4002) => "a message could not be decoded",
        Some(4003) => "not authenticated",
        Some(4004) => "authentication failed",
        Some(4005) => "already authenticated",
        Some(4007) => "invalid sequence",
        Some(4008) => "rate limited",
        Some(4009) => "session timed out",
        Some(4010) => "invalid shard",
        Some(4011) => "sharding required",
        Some(4012) => "invalid API version",
        Some(4013) => "invalid intents",
        Some(4014) => "disallowed intents",
        Some(_) => "a code unknown to us",
    };
    format!("{words} ({})", code.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_six_codes_are_final_and_four_end_the_session() {
        let codes = || (0..=u16::MAX).map(Some).chain([None]);
        let of = |wanted: AfterClose| -> Vec<Option<u16>> {
            codes().filter(|code| after_close(*code) == wanted).collect()
        };
        assert_eq!(of(AfterClose::Fatal), [4004, 4010, 4011, 4012, 4013, 4014].map(Some));
        assert_eq!(of(AfterClose::Identify), [4003, 4005, 4007, 4009].map(Some));
        assert_eq!(after_close(None), AfterClose::Resume);
        assert_eq!(after_close(Some(1000)), AfterClose::Resume);
    }

    #[test]
    fn closes_are_told_in_words() {
        assert_eq!(close_in_words(None), "the connection broke");
        assert_eq!(close_in_words(Some(1006)), "the connection broke");
        assert_eq!(close_in_words(Some(4009)), "session timed out (4009)");
        assert_eq!(close_in_words(Some(4999)), "a code unknown to us (4999)");
    }
}
