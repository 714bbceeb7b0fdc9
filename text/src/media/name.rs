//! What a fetched file is called on this machine.

/// Longest part of the sender's name that is kept, in bytes.
const MAX_NAME: usize = 80;

/// A name for the `index`th file of a message: what its sender calls it, as far as that is harmless.
pub(crate) fn file_name(index: usize, name: &str) -> String {
    let harmless = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' };
    let name: String = name.chars().map(harmless).collect();
    let name = name.trim_start_matches('.');
    // The end tells what it is, so that it is the beginning that is cut.
    let from = name.len().saturating_sub(MAX_NAME);
    let name = name.get(from..).unwrap_or_default();
    let number = index + 1;
    if name.is_empty() { format!("{number}") } else { format!("{number}-{name}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_stay_in_their_folder() {
        let cases = [
            ("cat.png", "1-cat.png"),
            ("../../etc/passwd", "1-_.._etc_passwd"),
            ("..\\..\\boot.ini", "1-_.._boot.ini"),
            ("...", "1"),
            ("", "1"),
            ("Grüße aus\nBonn.txt", "1-Gr__e_aus_Bonn.txt"),
            (".bashrc", "1-bashrc"),
        ];
        for (name, expected) in cases {
            assert_eq!(file_name(0, name), expected, "{name}");
        }
        assert!(file_name(9, &format!("{}.png", "a".repeat(500))).ends_with(".png"));
    }

    proptest! {
        #[test]
        fn every_name_is_one_plain_part_of_a_path(name in ".{0,200}", index in 0usize..100) {
            let made = file_name(index, &name);
            prop_assert!(made.len() <= MAX_NAME + 4);
            prop_assert!(made.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b)));
            prop_assert!(made.starts_with(char::is_numeric));
        }
    }
}
