//! Values in query strings.

use serde::{Deserialize, Deserializer, de::Error};

/// A flag as Discord takes it: `true`, `True` and `1`, or `false`, `False` and `0`. Client
/// libraries differ in which of them they send.
///
/// # Errors
/// Anything else.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "true" | "True" | "1" => Ok(true),
        "false" | "False" | "0" => Ok(false),
        other => Err(D::Error::custom(format!("`{other}` is not true or false"))),
    }
}

#[cfg(test)]
mod tests {
    use axum::{extract::Query, http::Uri};

    use super::*;

    #[derive(Deserialize)]
    struct Asked {
        #[serde(default, deserialize_with = "flag")]
        with_response: bool,
    }

    #[test]
    fn flags_are_read_in_every_spelling_of_a_client() {
        let cases = [
            ("", Some(false)),
            ("with_response=true", Some(true)),
            ("with_response=True", Some(true)),
            ("with_response=1", Some(true)),
            ("with_response=false", Some(false)),
            ("with_response=False", Some(false)),
            ("with_response=0", Some(false)),
            ("with_response=yes", None),
        ];
        for (query, expected) in cases {
            let uri: Uri = format!("http://localhost/?{query}").parse().unwrap();
            let read = Query::<Asked>::try_from_uri(&uri);
            assert_eq!(read.ok().map(|read| read.with_response), expected, "{query}");
        }
    }
}
