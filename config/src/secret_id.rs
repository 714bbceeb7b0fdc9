//! What a secret is called where its value must not be.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

/// The first eight hexadecimal digits of the SHA-256 of a secret: the same in every process, and of
/// no use to whoever wants the secret.
///
/// A bot token's is the same with and without `Bot ` in front.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretId(String);

impl SecretId {
    /// Of a secret.
    #[must_use]
    pub fn of(secret: &SecretString) -> Self {
        Self::of_text(secret.expose_secret())
    }

    pub(crate) fn of_text(secret: &str) -> Self {
        let secret = secret.trim();
        let plain = secret.strip_prefix("Bot ").unwrap_or(secret).trim();
        let digest = Sha256::digest(plain.as_bytes());
        Self(digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect())
    }

    /// One that was kept; `None`: it is none.
    #[must_use]
    pub fn kept(text: &str) -> Option<Self> {
        let is_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 8 && text.bytes().all(is_hex)).then(|| Self(text.to_owned()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::SecretId;

    #[test]
    fn a_secret_is_called_by_the_beginning_of_its_digest() {
        // SHA-256 of "abc", FIPS 180-4.
        for same in ["abc", " abc\n", "Bot abc", "Bot  abc "] {
            assert_eq!(SecretId::of_text(same).as_str(), "ba7816bf", "{same:?}");
        }
        assert_ne!(SecretId::of_text("abd").as_str(), "ba7816bf");
        assert_eq!(SecretId::kept("ba7816bf"), Some(SecretId::of_text("abc")));
        for none in ["", "ba7816b", "BA7816BF", "ba7816bf0", "ba7816bg"] {
            assert_eq!(SecretId::kept(none), None, "{none}");
        }
    }
}
