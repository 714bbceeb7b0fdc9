//! Failures that trying again does not cure: keys that are missing, wrong, or not enough.

/// Words of a provider that will say the same the next time.
const FATAL: [&str; 9] = [
    "api key missing",
    "missing api key",
    "incorrect api key",
    "invalid api key",
    "unauthorized",
    "authentication",
    "permission denied",
    "forbidden",
    // What `realtime::failure` makes of 401 and 403.
    "refused our credentials",
];

/// Whether a failure is one of credentials.
pub(super) fn is_fatal(failure: &str) -> bool {
    let failure = failure.to_lowercase();
    FATAL.iter().any(|words| failure.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_credentials_are_told_from_those_that_pass() {
        for fatal in [
            "Failed to start Discord realtime voice: Incorrect API key provided: sk-***",
            "OpenAI API key missing",
            "the provider refused our credentials (HTTP 401 or 403); check the API key",
            "HTTP 401 Unauthorized",
            "Authentication failed",
            "403 Forbidden",
            "Permission denied on resource project",
        ] {
            assert!(is_fatal(fatal), "{fatal}");
        }
        for passing in [
            "Discord did not answer within 30000 ms (the Connect permission is missing, or the channel is full?)",
            "the bot lacks Connect and Speak in <#1>",
            "503 Service Unavailable",
        ] {
            assert!(!is_fatal(passing), "{passing}");
        }
    }
}
