//! Close codes (Discord, "Voice Close Event Codes").

use std::fmt;

/// Why the server closes a websocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CloseCode(pub(crate) u16);

impl CloseCode {
    /// Never on the wire: the connection is cut (RFC 6455 section 7.4.1).
    pub(crate) const ABNORMAL: Self = Self(1006);
    pub(crate) const UNKNOWN_OPCODE: Self = Self(4001);
    pub(crate) const MALFORMED: Self = Self(4002);
    pub(crate) const NOT_AUTHENTICATED: Self = Self(4003);
    pub(crate) const AUTHENTICATION_FAILED: Self = Self(4004);
    pub(crate) const ALREADY_AUTHENTICATED: Self = Self(4005);
    /// Also the answer to RTP without op 5: Discord documents "closed for a bad SSRC" and no code
    /// for it; this one makes every client join anew, which is what is needed.
    pub(crate) const SESSION_INVALID: Self = Self(4006);
    pub(crate) const SESSION_TIMEOUT: Self = Self(4009);
    pub(crate) const SERVER_NOT_FOUND: Self = Self(4011);
    pub(crate) const UNKNOWN_PROTOCOL: Self = Self(4012);
    pub(crate) const DISCONNECTED: Self = Self(4014);
    pub(crate) const UNKNOWN_MODE: Self = Self(4016);
    pub(crate) const DAVE_REQUIRED: Self = Self(4017);

    /// The text beside the code.
    pub(crate) fn reason(self) -> &'static str {
        match self.0 {
            4001 => "Unknown opcode.",
            4002 => "Failed to decode payload.",
            4003 => "Not authenticated.",
            4004 => "Authentication failed.",
            4005 => "Already authenticated.",
            4006 => "Session is no longer valid.",
            4009 => "Session timeout.",
            4011 => "Server not found.",
            4012 => "Unknown protocol.",
            4014 => "Disconnected.",
            4015 => "Voice server crashed.",
            4016 => "Unknown encryption mode.",
            4017 => "E2EE/DAVE protocol required",
            4021 => "Rate limited.",
            4022 => "Disconnected: call terminated.",
            _ => "",
        }
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.reason())
    }
}
