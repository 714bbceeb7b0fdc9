//! Paths as people write them: `channels.discord.guilds["5"].users[0]`.

use std::{fmt, str::FromStr};

use crate::cursor::join;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into an object.
    Key(String),
    /// Into a list, from 0.
    Index(usize),
}

/// The way to a value: names with dots between them, `["…"]` around those that are no plain words,
/// `[0]` for elements of lists. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPath(Vec<Step>);

/// A text is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no path; as in channels.discord.guilds[\"5\"].users[0]")]
pub struct BadPath(String);

impl KeyPath {
    /// The steps.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    pub(crate) fn of(steps: &[Step]) -> Self {
        Self(steps.to_vec())
    }

    pub(crate) fn then(&self, key: &str) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Key(key.to_owned()));
        Self(steps)
    }

    /// Where every path begins: the whole file.
    #[must_use]
    pub const fn root() -> Self {
        Self(Vec::new())
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0.iter().fold(String::new(), |path, step| match step {
            Step::Key(key) => join(&path, key),
            Step::Index(index) => format!("{path}[{index}]"),
        });
        f.write_str(if whole.is_empty() { "the file" } else { &whole })
    }
}

impl FromStr for KeyPath {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<Self, BadPath> {
        let bad = || BadPath(text.to_owned());
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('[') {
                let (step, after) = bracket(inner).ok_or_else(bad)?;
                steps.push(step);
                rest = after;
            } else {
                let word = match rest.strip_prefix('.') {
                    Some(word) if !steps.is_empty() => word,
                    Some(_) => return Err(bad()),
                    None if steps.is_empty() => rest,
                    None => return Err(bad()),
                };
                let end = word.find(['.', '[']).unwrap_or(word.len());
                if end == 0
                    || word[..end].contains(|c: char| c.is_whitespace() || "]\"'".contains(c))
                {
                    return Err(bad());
                }
                steps.push(Step::Key(word[..end].to_owned()));
                rest = &word[end..];
            }
        }
        if steps.is_empty() { Err(bad()) } else { Ok(Self(steps)) }
    }
}

/// `"key"]…`, `'key']…` or `0]…`, after the bracket that opens it.
fn bracket(inner: &str) -> Option<(Step, &str)> {
    let quote = inner.chars().next()?;
    if quote != '"' && quote != '\'' {
        let (index, rest) = inner.split_once(']')?;
        return Some((Step::Index(index.parse().ok()?), rest));
    }
    let mut key = String::new();
    let mut chars = inner.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => key.push(chars.next()?.1),
            c if c == quote => {
                let rest = inner[at + 1..].strip_prefix(']')?;
                return Some((Step::Key(key), rest));
            }
            c => key.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_and_written() {
        for (text, shown) in [
            ("a", "a"),
            ("a.b-c.d", "a.b-c.d"),
            ("a[\"x.y\"].b", "a[\"x.y\"].b"),
            ("a['*'][10]", "a[\"*\"][10]"),
            ("[\"q\\\"q\"]", "[\"q\\\"q\"]"),
            ("guilds.5.users[0]", "guilds.5.users[0]"),
        ] {
            let path: KeyPath = text.parse().unwrap();
            assert_eq!(path.to_string(), shown);
            assert_eq!(path.to_string().parse(), Ok(path));
        }
        for bad in
            ["", ".", "a.", ".a", "a..b", "a[", "a[]", "a[x]", "a[\"x\"", "a b", "a]", "a[0]b"]
        {
            assert!(bad.parse::<KeyPath>().is_err(), "{bad:?}");
        }
    }
}
