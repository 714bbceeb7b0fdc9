//! Complaints about a configuration file, as data and as text.

use std::{fmt, ops::Range};

use crate::span::{self, Excerpt, Position};

/// What is wrong, in one sentence without place or advice.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// There is no such file.
    #[error("there is no such file")]
    NotFound,
    /// The file is there but the system refused to read it.
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
    /// The file holds bytes that are not text.
    #[error("the file is not UTF-8 text: byte {byte:#04x} at offset {offset}")]
    NotUtf8 {
        /// Offset of the first such byte.
        offset: usize,
        /// That byte.
        byte: u8,
    },
    /// The file holds nothing but white space and comments.
    #[error("the file is empty, expected an object")]
    EmptyFile,
    /// Not JSON5.
    #[error("not valid JSON5: {0}")]
    Syntax(String),
    /// A value of another type.
    #[error("expected {expected}, got {got}")]
    WrongType {
        /// What belongs here, with an article.
        expected: &'static str,
        /// What stands here, with an article.
        got: &'static str,
    },
    /// A number outside its bounds.
    #[error("must be between {min} and {max}, got {got}")]
    OutOfBounds {
        /// The least that is taken.
        min: f64,
        /// The most that is taken.
        max: f64,
        /// What stands here.
        got: String,
    },
    /// A text without a character where one is needed.
    #[error("must not be empty")]
    Empty,
    /// A word that is none of the allowed ones.
    #[error("expected one of {}, got {got:?}", allowed.join(", "))]
    NotOneOf {
        /// The allowed words.
        allowed: Vec<&'static str>,
        /// What stands here.
        got: String,
    },
    /// A key that means nothing here.
    #[error("unknown key")]
    UnknownKey,
    /// The same key twice in one object.
    #[error("this key is given twice")]
    DuplicateKey,
    /// A key that must be there and is not.
    #[error("is required")]
    Missing,
    /// No bot token, neither in the file nor in the environment.
    #[error("is required")]
    NoToken,
    /// A secret whose source has no value.
    #[error("environment variable {0} is not set")]
    UnsetVariable(String),
    /// A secret that a file or a program does not give.
    #[error("the secret {id:?} of {provider} cannot be resolved: {why}")]
    Unresolved {
        /// The provider, as in `secrets.providers.vault`.
        provider: String,
        /// Its id there.
        id: String,
        /// Why not. Never says what was read.
        why: String,
    },
    /// Anything else, in words.
    #[error("{0}")]
    Invalid(String),
}

impl Problem {
    /// Whether the file is right and only a secret is not to be had, here and now.
    #[must_use]
    pub const fn is_resolvability(&self) -> bool {
        matches!(self, Self::NoToken | Self::UnsetVariable(_) | Self::Unresolved { .. })
    }
}

/// One complaint: where, what, and what to do.
///
/// Its [`fmt::Display`] is the message for a person: `file:line:column: path: problem`, the source
/// line with a caret (secrets masked), and after a blank line `hint: …`.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigError {
    /// The file, as it was named.
    pub origin: String,
    /// The place; `None` when there was no text to point into.
    pub at: Option<Position>,
    /// The field, as in `channels.discord.voice.mode`; empty for the file as a whole.
    pub path: String,
    /// What is wrong.
    pub problem: Problem,
    /// What to do about it.
    pub hint: Option<String>,
    excerpt: Option<Excerpt>,
}

impl ConfigError {
    pub(crate) fn of_file(origin: &str, problem: Problem, hint: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            at: None,
            path: String::new(),
            problem,
            hint: Some(hint.to_owned()),
            excerpt: None,
        }
    }

    pub(crate) fn at(origin: &str, text: &str, range: Range<usize>, problem: Problem) -> Self {
        Self {
            origin: origin.to_owned(),
            at: Some(span::position(text, range.start)),
            path: String::new(),
            problem,
            hint: None,
            excerpt: Some(span::excerpt(text, range)),
        }
    }

    pub(crate) fn with_path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    pub(crate) fn with_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)?;
        if let Some(Position { line, column }) = self.at {
            write!(f, ":{line}:{column}")?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.problem)?;
        if let (Some(position), Some(excerpt)) = (self.at, &self.excerpt) {
            let number = position.line.to_string();
            let gutter = " ".repeat(number.len());
            let lead = " ".repeat(excerpt.indent);
            let carets = "^".repeat(excerpt.carets);
            write!(f, "\n{number} | {}\n{gutter} | {lead}{carets}", excerpt.text)?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Everything wrong with a file, in the order of the file. Never empty.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// In the order of the file. `errors` must not be empty.
    pub(crate) fn new(mut errors: Vec<ConfigError>) -> Self {
        debug_assert!(!errors.is_empty(), "a refusal without a reason");
        errors.sort_by_key(|error| error.at);
        Self(errors)
    }

    /// The complaints.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &ConfigError> {
        self.0.iter()
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Something a person should know though the file is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The file, as it was named.
    pub origin: String,
    /// The place.
    pub at: Position,
    /// The field.
    pub path: String,
    /// The sentence.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.at;
        write!(f, "{}:{line}:{column}: {}: {}", self.origin, self.path, self.message)
    }
}
