//! Where Discord is: itself, or something that speaks like it.

/// The address of a Discord API, split the way twilight-http wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiBase {
    /// Host, with port and path prefix if there are any; no scheme, no `/api/v10`.
    pub(super) host: String,
    /// Plain HTTP instead of TLS.
    pub(super) plain: bool,
}

/// Reads a base URL: `http://127.0.0.1:4000`, with or without a trailing slash, `/api` or
/// `/api/v10`. `None` if it is none.
pub(super) fn api_base(url: &str) -> Option<ApiBase> {
    let (rest, plain) = match url.trim().split_once("://")? {
        ("http", rest) => (rest, true),
        ("https", rest) => (rest, false),
        _ => return None,
    };
    let rest = rest.trim_end_matches('/');
    let rest = rest.strip_suffix("/v10").unwrap_or(rest);
    let rest = rest.strip_suffix("/api").unwrap_or(rest).trim_end_matches('/');
    is_host_and_path(rest).then(|| ApiBase { host: rest.to_owned(), plain })
}

/// A gateway address as twilight-gateway wants it: `ws://` or `wss://`, no trailing slash, no
/// query. `None` if it is none; twilight itself panics on an address it cannot parse.
pub(super) fn gateway_url(url: &str) -> Option<String> {
    let (scheme, rest) = url.trim().split_once("://")?;
    let rest = rest.split(['?', '#']).next().unwrap_or(rest).trim_end_matches('/');
    (matches!(scheme, "ws" | "wss") && is_host_and_path(rest)).then(|| format!("{scheme}://{rest}"))
}

/// Whether `text` is `host[:port][/path]` of plain characters.
fn is_host_and_path(text: &str) -> bool {
    let authority = text.split('/').next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        // The colons of an IPv6 address stand inside brackets.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let host_is_plain = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        }
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/.-_~%:[]".contains(&b);
    host_is_plain
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
        && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn api_addresses() {
        let cases = [
            ("http://127.0.0.1:4000", Some(("127.0.0.1:4000", true))),
            ("http://127.0.0.1:4000/", Some(("127.0.0.1:4000", true))),
            ("http://127.0.0.1:4000/api/v10", Some(("127.0.0.1:4000", true))),
            ("http://127.0.0.1:4000/api/v10/", Some(("127.0.0.1:4000", true))),
            ("https://discord.com/api", Some(("discord.com", false))),
            ("https://proxy.example/discord/api/v10", Some(("proxy.example/discord", false))),
            ("http://[::1]:4000", Some(("[::1]:4000", true))),
            ("127.0.0.1:4000", None),
            ("ftp://x", None),
            ("http://", None),
            ("http:///api", None),
            ("http://a b", None),
            ("http://host:99999", None),
            ("http://host:", None),
            ("http://[zz]:1", None),
        ];
        for (url, expected) in cases {
            let expected = expected.map(|(host, plain)| ApiBase { host: host.to_owned(), plain });
            assert_eq!(api_base(url), expected, "{url}");
        }
    }

    #[test]
    fn gateway_addresses() {
        let cases = [
            ("wss://gateway.discord.gg", Some("wss://gateway.discord.gg")),
            ("wss://gateway.discord.gg/?v=10&encoding=json", Some("wss://gateway.discord.gg")),
            ("ws://127.0.0.1:4000/gateway/", Some("ws://127.0.0.1:4000/gateway")),
            ("http://127.0.0.1:4000", None),
            ("wss://", None),
            ("wss://a\u{0}b", None),
        ];
        for (url, expected) in cases {
            assert_eq!(gateway_url(url).as_deref(), expected, "{url}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(url in ".{0,80}") {
            let _ = api_base(&url);
            let _ = gateway_url(&format!("wss://{url}"));
        }
    }
}
