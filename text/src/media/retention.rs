//! Which of the fetched files are deleted.

use std::time::Duration;

use clawvoice_session::UserId;

/// The files of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Their folder's name.
    pub(crate) name: String,
    /// How long ago they came.
    pub(crate) age: Duration,
    /// What they take.
    pub(crate) bytes: u64,
}

/// Whether a folder's name is one that was given here: 32 hexadecimal digits, and who wrote the
/// message, as in `0f…-42`. Others are left alone.
pub(crate) fn is_ours(name: &str) -> bool {
    let (number, author) = name.split_once('-').map_or((name, None), |(n, a)| (n, Some(a)));
    number.len() == 32
        && number.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        && author.is_none_or(|author| author.parse::<UserId>().is_ok())
}

/// Whether it holds the files of that user's message.
pub(crate) fn is_of(name: &str, user: UserId) -> bool {
    is_ours(name) && name.split_once('-').is_some_and(|(_, it)| it.parse() == Ok(user))
}

/// What has been there too long, and the oldest of what is too much.
pub(crate) fn outdated(mut all: Vec<Kept>, keep: Duration, most: u64) -> Vec<String> {
    all.sort_by_key(|kept| kept.age);
    let mut room = most;
    let mut full = false;
    let mut gone = Vec::new();
    for kept in all {
        full |= kept.bytes > room;
        if full || kept.age >= keep {
            gone.push(kept.name);
        } else {
            room -= kept.bytes;
        }
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(name: &str, secs: u64, bytes: u64) -> Kept {
        Kept { name: name.to_owned(), age: Duration::from_secs(secs), bytes }
    }

    #[test]
    fn the_old_go_and_of_too_much_the_oldest() {
        let keep = Duration::from_secs(100);
        let all =
            || vec![kept("a", 99, 40), kept("b", 1, 40), kept("c", 100, 1), kept("d", 50, 30)];
        assert_eq!(outdated(all(), keep, 1000), ["c"]);
        assert_eq!(outdated(all(), keep, 110), ["c"]);
        assert_eq!(outdated(all(), keep, 109), ["a", "c"]);
        assert_eq!(outdated(all(), keep, 69), ["d", "a", "c"]);
        assert_eq!(outdated(all(), keep, 0).len(), 4);
    }

    #[test]
    fn foreign_folders_are_left_alone() {
        assert!(is_ours("0123456789abcdef0123456789abcdef"));
        assert!(is_ours("0123456789abcdef0123456789abcdef-42"));
        for foreign in [
            "",
            "photos",
            "0123456789ABCDEF0123456789ABCDEF",
            "..",
            "0123",
            "0123456789abcdef0123456789abcdef-",
            "0123456789abcdef0123456789abcdef-ada",
            "0123456789abcdef0123456789abcdef-4-2",
        ] {
            assert!(!is_ours(foreign), "{foreign}");
        }
        let is_of = |name, user| is_of(name, UserId::new(user));
        assert!(is_of("0123456789abcdef0123456789abcdef-42", 42));
        assert!(!is_of("0123456789abcdef0123456789abcdef-42", 2));
        assert!(!is_of("0123456789abcdef0123456789abcdef", 42));
    }
}
