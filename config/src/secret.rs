//! Secrets: given in the file, or named there and kept in the environment.

use secrecy::SecretString;

use crate::{
    cursor::{Field, Section},
    error::Problem,
};

/// Reads a secret: a plain text, `$NAME` or `${NAME}`, or
/// `{ source: "env", provider?: "default", id: "NAME" }`.
///
/// A reference that cannot be resolved is an error and never falls through to another source.
/// `None` also when an error was noted.
pub(crate) fn secret(field: &Field<'_, '_>) -> Option<SecretString> {
    if let Some(section) = field.if_object() {
        return reference(&section);
    }
    let text = field.typed_text("a string or a secret reference")?;
    let text = text.trim();
    if text.is_empty() {
        field.fail(Problem::Empty, None);
        return None;
    }
    match shorthand(text) {
        Some(name) => resolve(field, name),
        None => Some(SecretString::from(text)),
    }
}

fn reference(section: &Section<'_, '_>) -> Option<SecretString> {
    let source = section.choice("source", &[("env", true), ("file", false), ("exec", false)]);
    section.text("provider");
    let id = section.field("id");
    section.finish();
    match source {
        None if section.has("source") => return None,
        None => {
            section.fail_missing("source", "use `source: \"env\"`");
            return None;
        }
        Some(false) => {
            let hint = "keep the secret in an environment variable and use `source: \"env\"`";
            if let Some(source) = section.field("source") {
                let problem = "secrets from files and programs are not supported".to_owned();
                source.fail(Problem::Invalid(problem), Some(hint.to_owned()));
            }
            return None;
        }
        Some(true) => {}
    }
    let Some(id) = id else {
        section.fail_missing("id", "name the environment variable");
        return None;
    };
    let name = id.text()?;
    if !is_variable_name(&name) {
        let hint = "capital letters, digits and `_`, as in DISCORD_BOT_TOKEN".to_owned();
        id.fail(Problem::Invalid("not a name of an environment variable".to_owned()), Some(hint));
        return None;
    }
    resolve(&id, &name)
}

fn resolve(field: &Field<'_, '_>, name: &str) -> Option<SecretString> {
    let value = field.env().var(name);
    if value.is_none() {
        let hint = format!("set it before starting: export {name}=…");
        field.fail(Problem::UnsetVariable(name.to_owned()), Some(hint));
    }
    value.map(SecretString::from)
}

/// The variable's name in `$NAME` or `${NAME}`.
fn shorthand(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('$')?;
    let name = match rest.strip_prefix('{') {
        Some(inner) => inner.strip_suffix('}')?,
        None => rest,
    };
    is_variable_name(name).then_some(name)
}

fn is_variable_name(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::shorthand;

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
}
