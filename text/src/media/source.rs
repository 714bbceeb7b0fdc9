//! Where files may be fetched from: Discord's own hosts, and the Discord that was configured.

use reqwest::Url;

use super::{Unavailable, address::is_public};

/// Hosts below these are Discord's. Nobody else can have a name there.
const HOSTS: [&str; 2] = [".discordapp.com", ".discordapp.net"];

/// Places that files may be fetched from.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    own: Option<Url>,
}

/// A file that may be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// Where it is.
    pub(crate) url: Url,
    /// Whether it is at the Discord that was configured, which may be on this machine.
    pub(crate) own: bool,
}

impl Sources {
    /// `own`: `http(s)://host[:port]` of a Discord of one's own.
    pub(crate) fn new(own: Option<&str>) -> Self {
        Self { own: own.and_then(|origin| Url::parse(origin).ok()) }
    }

    /// Whether a file that the agent wants to send may be fetched from there: from anywhere in the
    /// public net, by `https`.
    pub(crate) fn check_public(&self, address: &str) -> Result<Source, Unavailable> {
        if let Ok(source) = self.check(address) {
            return Ok(source);
        }
        let url = Url::parse(address).map_err(|_| Unavailable::NotAllowed)?;
        let is_plain = url.username().is_empty() && url.password().is_none();
        let host = url.host_str().unwrap_or_default();
        // A name is looked up by whoever fetches, who goes to public addresses only.
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse();
        let is_reached = !host.is_empty() && literal.map_or(true, is_public);
        let is_usual = url.scheme() == "https" && url.port().is_none();
        match is_plain && is_reached && is_usual {
            true => Ok(Source { url, own: false }),
            false => Err(Unavailable::NotAllowed),
        }
    }

    /// Whether something may be fetched from there.
    pub(crate) fn check(&self, address: &str) -> Result<Source, Unavailable> {
        let url = Url::parse(address).map_err(|_| Unavailable::NotAllowed)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Unavailable::NotAllowed);
        }
        if self.own.as_ref().is_some_and(|own| own.origin() == url.origin()) {
            return Ok(Source { url, own: true });
        }
        let host = url.host_str().unwrap_or_default();
        let known = HOSTS.iter().any(|end| host.len() > end.len() && host.ends_with(end));
        // `port` is none for the scheme's own.
        if url.scheme() == "https" && url.port().is_none() && known {
            return Ok(Source { url, own: false });
        }
        Err(Unavailable::NotAllowed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Scenario 57 of the text scenarios.
    #[test]
    fn only_discords_hosts_are_fetched_from() {
        let sources = Sources::new(None);
        for good in [
            "https://cdn.discordapp.com/attachments/1/2/a.png?ex=1&hm=2",
            "https://MEDIA.discordapp.net/attachments/1/2/a.png",
            "https://cdn.discordapp.com:443/a",
        ] {
            assert!(!sources.check(good).unwrap().own, "{good}");
        }
        for bad in [
            "http://cdn.discordapp.com/a.png",
            "https://cdn.discordapp.com:8443/a.png",
            "https://discordapp.com/a.png",
            "https://.discordapp.com/a.png",
            "https://evildiscordapp.com/a.png",
            "https://cdn.discordapp.com.evil.example/a.png",
            "https://cdn.discordapp.com@evil.example/a.png",
            "https://me@cdn.discordapp.com/a.png",
            "https://evil.example/cdn.discordapp.com",
            "https://evil.example#.discordapp.com",
            "https://evil.example\\.discordapp.com/",
            "http://127.0.0.1/a",
            "http://169.254.169.254/latest/meta-data",
            "https://[::1]/a",
            "https://localhost/a",
            "file:///etc/passwd",
            "data:text/plain,hi",
            "cdn.discordapp.com/a.png",
            "",
        ] {
            assert_eq!(sources.check(bad), Err(Unavailable::NotAllowed), "{bad}");
        }
    }

    #[test]
    fn what_the_agent_sends_comes_from_the_public_net() {
        let sources = Sources::new(Some("http://127.0.0.1:4000"));
        for good in [
            "https://example.com/a.png",
            "https://93.184.215.14/a.png",
            "https://[2606:2800:21f::1]/a.png",
            "https://cdn.discordapp.com/a.png",
            "http://127.0.0.1:4000/a.png",
        ] {
            assert!(sources.check_public(good).is_ok(), "{good}");
        }
        for bad in [
            "http://example.com/a.png",
            "https://example.com:8443/a.png",
            "https://me@example.com/a.png",
            "https://127.0.0.1/a",
            "https://2130706433/a",
            "https://0x7f.1/a",
            "https://169.254.169.254/latest/meta-data",
            "https://10.0.0.1/a",
            "https://[::1]/a",
            "https://[::ffff:127.0.0.1]/a",
            "https://[fd00::1]/a",
            "http://127.0.0.1:4001/a",
            "file:///etc/passwd",
            "",
        ] {
            assert_eq!(sources.check_public(bad), Err(Unavailable::NotAllowed), "{bad}");
        }
    }

    #[test]
    fn a_discord_of_ones_own_is_its_host_and_port() {
        let sources = Sources::new(Some("http://127.0.0.1:4000"));
        assert!(sources.check("http://127.0.0.1:4000/attachments/1/2/a.png").unwrap().own);
        for bad in [
            "http://127.0.0.1:4001/a",
            "https://127.0.0.1:4000/a",
            "http://localhost:4000/a",
            "http://me@127.0.0.1:4000/a",
        ] {
            assert_eq!(sources.check(bad), Err(Unavailable::NotAllowed), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_allowed_is_discords(address in "(https?://)?[a-z.@:/\\\\#?]{0,12}(discordapp\\.(com|net))?[a-z.@:/\\\\#?]{0,12}") {
            if let Ok(source) = Sources::new(None).check(&address) {
                let host = source.url.host_str().unwrap_or_default().to_owned();
                prop_assert!(host.ends_with(".discordapp.com") || host.ends_with(".discordapp.net"));
                prop_assert_eq!(source.url.scheme(), "https");
            }
        }
    }
}
