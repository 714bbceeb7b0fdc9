//! Advice on names and forms: near names, keys that belong elsewhere, addresses.

/// The known name that `key` was probably meant to be.
pub(crate) fn near_name<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    let lower = key.to_ascii_lowercase();
    known
        .iter()
        .map(|name| {
            let distance = strsim::damerau_levenshtein(&lower, &name.to_ascii_lowercase());
            (distance, *name)
        })
        .filter(|(distance, name)| *distance <= (name.chars().count() / 3).clamp(1, 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Advice for a key that is known, but at another place.
pub(crate) fn belongs_elsewhere(section: &str, key: &str) -> Option<String> {
    let target = match (section, key) {
        ("channels.discord", "requireMention") => "channels.discord.guilds.<id>",
        ("channels.discord", "groups") => {
            return Some("Discord servers are configured under `channels.discord.guilds`".into());
        }
        (
            "channels.discord",
            "mode" | "autoJoin" | "allowedChannels" | "followUsers" | "realtime" | "tts",
        ) => "channels.discord.voice",
        (
            "channels.discord" | "channels.discord.voice",
            "provider"
            | "voice"
            | "speakerVoice"
            | "instructions"
            | "toolPolicy"
            | "consultPolicy"
            | "bargeIn"
            | "minBargeInAudioEndMs"
            | "wakeNames"
            | "requireWakeName"
            | "providers"
            | "debounceMs",
        ) => "channels.discord.voice.realtime",
        (
            "channels.discord.voice.realtime",
            "apiKey"
            | "baseUrl"
            | "interruptResponseOnInputAudio"
            | "vadThreshold"
            | "silenceDurationMs"
            | "prefixPaddingMs"
            | "script"
            | "recordDir"
            | "behaviour",
        ) => "channels.discord.voice.realtime.providers.<id>",
        (
            "channels.discord.voice.realtime",
            "captureSilenceGraceMs" | "connectTimeoutMs" | "reconnectGraceMs" | "mode" | "autoJoin",
        ) => "channels.discord.voice",
        _ => return None,
    };
    Some(format!("`{key}` belongs under `{target}`"))
}

/// Splits `http://host:port/…` after one of `schemes`; the authority must not be empty and must
/// hold no user name, the rest no query or fragment.
pub(crate) fn split_url<'t>(
    text: &'t str,
    schemes: &[&str],
) -> Option<(&'t str, &'t str, &'t str)> {
    let (scheme, rest) = text.split_once("://")?;
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let clean = !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\');
    let host_is_there = !authority.is_empty()
        && !authority.starts_with(':')
        && !authority.contains(['@', '?', '#']);
    (schemes.contains(&scheme) && clean && host_is_there && !path.contains(['?', '#']))
        .then_some((scheme, authority, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_near() {
        let known = ["enabled", "mode", "minBargeInAudioEndMs", "realtime"];
        for (key, expected) in [
            ("enabeld", Some("enabled")),
            ("Mode", Some("mode")),
            ("moed", Some("mode")),
            ("minBargeInAudioMs", Some("minBargeInAudioEndMs")),
            ("real_time", Some("realtime")),
            ("xyzzy", None),
            ("", None),
        ] {
            assert_eq!(near_name(key, &known), expected, "{key:?}");
        }
    }

    #[test]
    fn urls_have_a_scheme_and_a_host() {
        let split = |text| split_url(text, &["http", "https"]);
        assert_eq!(split("http://h:1/api"), Some(("http", "h:1", "/api")));
        assert_eq!(split("https://h"), Some(("https", "h", "")));
        for bad in [
            "h:1",
            "ws://h",
            "http://",
            "http:///x",
            "http://:1",
            "http://u@h",
            "http://h/?q",
            "http://h /",
        ] {
            assert_eq!(split(bad), None, "{bad:?} was taken");
        }
    }
}
