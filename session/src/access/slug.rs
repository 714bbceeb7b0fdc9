//! Names as keys.

/// A name as a configuration key: lower case, no leading `#`, every run outside `[a-z0-9]` one
/// dash, no dash at the ends. A name without Latin letters or digits has no slug (`""`) and can
/// only be meant by its id.
#[must_use]
pub fn slug(name: &str) -> String {
    let name = name.trim().trim_start_matches('#').to_lowercase();
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_become_keys() {
        for (name, key) in [
            ("General", "general"),
            ("#dev  chat!", "dev-chat"),
            ("--a__b--", "a-b"),
            ("Größe 2", "gr-e-2"),
            ("日本", ""),
            ("", ""),
        ] {
            assert_eq!(slug(name), key, "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn a_slug_is_its_own_slug(name in ".{0,40}") {
            let once = slug(&name);
            prop_assert_eq!(slug(&once), once);
        }
    }
}
