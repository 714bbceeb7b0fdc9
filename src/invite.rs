//! The address at which a bot is invited to a server.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

/// View Channels, Send Messages, Send Messages in Threads, Read Message History, Embed Links,
/// Attach Files, Add Reactions, Connect, Speak; never Administrator.
/// Source: Discord, "Permissions", Bitwise Permission Flags.
const PERMISSIONS: u64 =
    1 << 10 | 1 << 11 | 1 << 38 | 1 << 16 | 1 << 14 | 1 << 15 | 1 << 6 | 1 << 20 | 1 << 21;

/// The address, with the scopes `bot` and `applications.commands`.
/// Source: Discord, "OAuth2", Bot Authorization Flow.
pub(crate) fn url(application: u64) -> String {
    format!(
        "https://discord.com/oauth2/authorize?client_id={application}\
         &scope=bot%20applications.commands&permissions={PERMISSIONS}"
    )
}

/// The id of the application that a bot token belongs to: its first part, in base64.
/// Source: Discord, "Authentication".
pub(crate) fn application_of(token: &str) -> Option<u64> {
    let token = token.trim();
    let first = token.strip_prefix("Bot ").unwrap_or(token).split('.').next()?;
    let digits = STANDARD_NO_PAD.decode(first.trim_end_matches('=')).ok()?;
    std::str::from_utf8(&digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_application() {
        // "123456789012345678" in base64.
        assert_eq!(application_of("MTIzNDU2Nzg5MDEyMzQ1Njc4.x.y"), Some(123_456_789_012_345_678));
        assert_eq!(application_of("Bot MTIzNDU2Nzg5MDEyMzQ1Njc4.x"), Some(123_456_789_012_345_678));
        for bad in ["", "a.b.c", "!!!.x", "bG9jYWxjb3Jk.A"] {
            assert_eq!(application_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_invitation_asks_for_what_is_needed_and_never_for_everything() {
        let url = url(5);
        assert!(url.contains("client_id=5&scope=bot%20applications.commands&permissions="));
        assert!(url.ends_with("=274881170496"), "{url}");
        assert_eq!(PERMISSIONS & 8, 0, "Administrator");
    }
}
