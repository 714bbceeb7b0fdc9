//! Secrets: given in the file, or named there and kept elsewhere.

use secrecy::{ExposeSecret as _, SecretString};

use crate::{
    cursor::{Section, join},
    describe::Kind,
    error::Problem,
    field::Field,
    redact::REDACTED,
    vault::{Reference, SecretSource},
    walk::Surface,
};

/// Reads a secret: a plain text, `$NAME` or `${NAME}`, or
/// `{ source: "env" | "file" | "exec", provider?: "default", id: "…" }`.
///
/// A reference that cannot be resolved is an error and never falls through to another source;
/// where nobody uses it, it is not resolved, with a warning. `None` also when an error was noted.
pub(crate) fn secret(field: &Field<'_, '_>) -> Option<SecretString> {
    field.declare(|| Kind::Secret);
    if field.is_described() {
        return None;
    }
    if let Some(section) = field.if_object() {
        field.free_form();
        let reference = reference(&section)?;
        return noted(field, resolve(field, &reference));
    }
    let text = field.typed_text("a string or a secret reference")?;
    let text = text.trim();
    if text.is_empty() {
        field.fail(Problem::Empty, None);
        return None;
    }
    match shorthand(text) {
        Some(name) => noted(field, resolve(field, &Reference::variable(name))),
        None => {
            field.note_shown(REDACTED.into());
            noted(field, Some(SecretString::from(text)))
        }
    }
}

fn noted(field: &Field<'_, '_>, secret: Option<SecretString>) -> Option<SecretString> {
    if let Some(secret) = &secret {
        field.walk().note_secret(field.path(), secret.expose_secret());
    }
    secret
}

/// A secret from the first of some variables that is set, for `key`, which is not written.
pub(crate) fn from_env(
    section: &Section<'_, '_>,
    key: &str,
    variables: &[&str],
) -> Option<SecretString> {
    let set = |name: &&str| Some(((*name).to_owned(), section.env().var(name)?));
    let (name, value) = variables.iter().find_map(set)?;
    section.note_env(key, &name, REDACTED);
    section.walk().note_secret(&join(section.path(), key), &value);
    Some(SecretString::from(value))
}

fn reference(section: &Section<'_, '_>) -> Option<Reference> {
    let source = section.choice(
        "source",
        &[("env", SecretSource::Env), ("file", SecretSource::File), ("exec", SecretSource::Exec)],
    );
    let provider = section.field("provider");
    let id = section.field("id");
    section.finish();
    let Some(source) = source else {
        if !section.has("source") {
            section.fail_missing("source", "use `source: \"env\"`, \"file\" or \"exec\"");
        }
        return None;
    };
    let Some(id) = id else {
        section.fail_missing("id", source.id_hint());
        return None;
    };
    let name = id.text()?;
    if !source.takes(&name) {
        id.refuse(source.id_problem(), source.id_hint());
        return None;
    }
    let provider = match provider {
        Some(provider) => {
            let name = provider.text()?;
            if !is_provider_name(&name) {
                provider.refuse(
                    "not the name of a provider",
                    "small letters, digits, `-` and `_`, at most 64, beginning with a letter",
                );
                return None;
            }
            name
        }
        None => "default".to_owned(),
    };
    Some(Reference { source, provider, id: name })
}

fn resolve(field: &Field<'_, '_>, reference: &Reference) -> Option<SecretString> {
    match field.surface() {
        Surface::Active => {}
        Surface::Unread => return None,
        Surface::Off => {
            field.warn(
                "SECRETS_REF_IGNORED_INACTIVE_SURFACE: this part is switched off, so the \
                 reference is not resolved"
                    .to_owned(),
            );
            return None;
        }
    }
    let walk = field.walk();
    match walk.vault.resolve(reference, walk.env) {
        Ok(secret) => Some(secret),
        Err(refusal) => {
            field.fail(refusal.problem, Some(refusal.hint));
            None
        }
    }
}

/// The variable's name in `$NAME` or `${NAME}`.
pub(crate) fn shorthand(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('$')?;
    let name = match rest.strip_prefix('{') {
        Some(inner) => inner.strip_suffix('}')?,
        None => rest,
    };
    is_variable_name(name).then_some(name)
}

pub(crate) fn is_variable_name(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

pub(crate) fn is_provider_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::{is_provider_name, shorthand};

    #[test]
    fn shorthand_names_a_variable() {
        for (text, name) in [
            ("$TOKEN", Some("TOKEN")),
            ("${MY_TOKEN_2}", Some("MY_TOKEN_2")),
            ("${open", None),
            ("$lower", None),
            ("$", None),
            ("plain", None),
        ] {
            assert_eq!(shorthand(text), name, "{text:?}");
        }
    }

    #[test]
    fn providers_have_small_names() {
        for (name, good) in [("a", true), ("my-vault_2", true), ("A", false), ("2a", false)] {
            assert_eq!(is_provider_name(name), good, "{name}");
        }
        assert!(is_provider_name(&"a".repeat(64)) && !is_provider_name(&"a".repeat(65)));
    }
}
