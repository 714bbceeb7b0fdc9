//! Which credentials of the configuration are used for what, for whoever is told of their use.

use clawvoice_config::{Config, SecretId};
use clawvoice_session::audit::{Auditor, Credential, Purpose};
use secrecy::SecretString;

/// Declares the credentials of a configuration, as an account has it.
#[derive(Clone, Copy)]
pub(crate) struct Uses<'a> {
    auditor: Option<&'a Auditor>,
    config: &'a Config,
    account: &'a str,
}

impl<'a> Uses<'a> {
    pub(crate) const fn of(auditor: &'a Auditor, config: &'a Config, account: &'a str) -> Self {
        Self { auditor: Some(auditor), config, account }
    }

    /// Nobody is told: a command that asks once and ends.
    pub(crate) const fn untold(config: &'a Config) -> Self {
        Self { auditor: None, config, account: "" }
    }

    /// One that is used for `purpose`; of several places it may stand at, one with `part` in its
    /// path.
    pub(crate) fn declare(
        self,
        part: &str,
        secret: Option<&SecretString>,
        purpose: Purpose,
    ) -> Option<Credential> {
        let (auditor, secret) = (self.auditor?, secret?);
        Some(auditor.declare(&self.path(part, secret), secret, purpose))
    }

    fn path(self, part: &str, secret: &SecretString) -> String {
        let id = SecretId::of(secret);
        let own = format!("channels.discord.accounts.{}.", self.account);
        let rank = |path: &str| match path {
            path if !path.contains(part) => 3,
            path if path.starts_with(&own) => 0,
            path if path.starts_with("channels.discord.accounts.") => 2,
            _ => 1,
        };
        let same = self.config.origins.secrets().filter(|(_, of)| **of == id);
        let found = same.map(|(path, _)| path).min_by_key(|path| rank(path));
        found.unwrap_or(part).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path};

    use clawvoice_session::audit::{Report, auditor};

    use super::*;

    #[test]
    fn a_credential_is_named_by_where_it_stands() {
        let text = "{ channels: { discord: { token: 'Bot a.b.c', accounts: { default: {}, \
                    ops: { token: 'd.e.f' } } } }, models: { providers: { x: { baseUrl: \
                    'http://x/v1', apiKey: '${KEY}' } } }, tools: { media: { audio: { apiKey: \
                    '${KEY}' } } } }";
        let env = BTreeMap::from([("KEY".to_owned(), "sk-1".to_owned())]);
        let config = clawvoice_config::parse(text, Path::new("/etc/c.json5"), &env).unwrap();
        let (auditor, mut reports) = auditor();
        let mut path = |account: &str, part: &str, secret: &str| {
            let secret = secret.to_owned().into();
            let uses = Uses::of(&auditor, &config, account);
            uses.declare(part, Some(&secret), Purpose::Model).unwrap();
            let Ok(Report::Declared { path, .. }) = reports.try_recv() else { panic!("declared") };
            path
        };
        for (account, part, secret, expected) in [
            ("default", "token", "a.b.c", "channels.discord.accounts.default.token"),
            ("ops", "token", "d.e.f", "channels.discord.accounts.ops.token"),
            ("default", "models.providers.", "sk-1", "models.providers.x.apiKey"),
            ("default", "tools.media.audio", "sk-1", "tools.media.audio.apiKey"),
            ("default", "elsewhere", "another", "elsewhere"),
        ] {
            assert_eq!(path(account, part, secret), expected, "{account} {part}");
        }
        let secret = "a.b.c".to_owned().into();
        let untold = Uses::untold(&config).declare("token", Some(&secret), Purpose::Rest);
        assert!(untold.is_none());
    }
}
