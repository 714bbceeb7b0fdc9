//! What a walk over one file needs and gathers: findings, and where every value came from.

use std::{cell::RefCell, collections::BTreeSet, path::Path};

use jsonc_parser::common::Range;

use crate::{
    describe::{Declarations, Kind},
    env::Env,
    error::{ConfigError, Problem, Warning},
    migrate::OldName,
    origin::{Origin, Origins, Source},
    span,
    vault::Vault,
};

/// Whether programs that give out secrets are run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExecRefs {
    /// They are run.
    #[default]
    Run,
    /// They are not; their references are counted as skipped.
    Skip,
}

/// Whether anybody uses what a part of the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Surface {
    /// It is used: a secret that cannot be resolved is an error.
    Active,
    /// It is switched off: a reference to a secret is not resolved, with a warning.
    Off,
    /// It is read only to be checked; whoever uses it reads it again.
    Unread,
}

/// One walk over one file, or over no file at all, to learn which keys there are.
pub(crate) struct Walk<'s> {
    pub(crate) origin: &'s str,
    pub(crate) text: &'s str,
    pub(crate) env: &'s dyn Env,
    /// Relative paths in the file start here: the file's own folder.
    pub(crate) folder: &'s Path,
    pub(crate) vault: Vault,
    describing: bool,
    errors: RefCell<Vec<ConfigError>>,
    warnings: RefCell<Vec<Warning>>,
    origins: RefCell<Origins>,
    numeric_ids: RefCell<BTreeSet<String>>,
    old_names: RefCell<BTreeSet<OldName>>,
    declared: RefCell<Declarations>,
}

/// What a walk over a file found.
pub(crate) struct Findings {
    pub(crate) errors: Vec<ConfigError>,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) origins: Origins,
    /// Ids that are written as numbers.
    pub(crate) numeric_ids: Vec<String>,
    /// Values under old names.
    pub(crate) old_names: Vec<OldName>,
    /// References to secrets that were looked at.
    pub(crate) refs_checked: usize,
    /// References to programs that were not run.
    pub(crate) refs_skipped: usize,
}

impl<'s> Walk<'s> {
    pub(crate) fn new(
        origin: &'s str,
        text: &'s str,
        folder: &'s Path,
        env: &'s dyn Env,
        exec: ExecRefs,
    ) -> Self {
        Self {
            origin,
            text,
            env,
            folder,
            vault: Vault::new(exec),
            describing: false,
            errors: RefCell::default(),
            warnings: RefCell::default(),
            origins: RefCell::new(Origins::of(origin)),
            numeric_ids: RefCell::default(),
            old_names: RefCell::default(),
            declared: RefCell::default(),
        }
    }

    /// A walk over no file, on which every key is asked for and says what it takes.
    pub(crate) fn describing(env: &'s dyn Env) -> Self {
        Self { describing: true, ..Self::new("", "", Path::new(""), env, ExecRefs::Skip) }
    }

    pub(crate) fn is_describing(&self) -> bool {
        self.describing
    }

    pub(crate) fn into_findings(self) -> Findings {
        let (refs_checked, refs_skipped) = self.vault.counts();
        Findings {
            errors: self.errors.into_inner(),
            warnings: self.warnings.into_inner(),
            origins: self.origins.into_inner(),
            numeric_ids: self.numeric_ids.into_inner().into_iter().collect(),
            old_names: self.old_names.into_inner().into_iter().collect(),
            refs_checked,
            refs_skipped,
        }
    }

    pub(crate) fn into_declarations(self) -> Declarations {
        self.declared.into_inner()
    }

    /// A part that several accounts read is complained of once.
    pub(crate) fn fail(&self, range: Range, path: &str, problem: Problem, hint: Option<String>) {
        if self.describing {
            return;
        }
        let error = ConfigError::at(self.origin, self.text, range.start..range.end, problem);
        let error = error.with_path(path).with_hint(hint);
        let mut errors = self.errors.borrow_mut();
        if !errors.contains(&error) {
            errors.push(error);
        }
    }

    pub(crate) fn warn(&self, range: Range, path: &str, message: String) {
        if self.describing {
            return;
        }
        let warning = Warning {
            origin: self.origin.to_owned(),
            at: span::position(self.text, range.start),
            path: path.to_owned(),
            message,
        };
        let mut warnings = self.warnings.borrow_mut();
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    /// `path` takes values of this kind.
    pub(crate) fn declare(&self, path: &str, kind: impl FnOnce() -> Kind) {
        if self.describing {
            self.declared.borrow_mut().kind(path, kind());
        }
    }

    /// `path` stands in the file, or has its value from elsewhere.
    pub(crate) fn note(&self, path: &str, value: serde_json::Value, source: Source) {
        if !self.describing {
            self.origins
                .borrow_mut()
                .note(path, Origin { value, source, fingerprint: None, secret: None });
        }
    }

    /// The id at `path` is written as a number.
    pub(crate) fn note_numeric_id(&self, path: &str) {
        self.numeric_ids.borrow_mut().insert(path.to_owned());
    }

    /// A value stands under an old name.
    pub(crate) fn note_old_name(&self, old: OldName) {
        self.old_names.borrow_mut().insert(old);
    }

    /// The secret at `path` is this one.
    pub(crate) fn note_secret(&self, path: &str, secret: &str) {
        self.origins.borrow_mut().fingerprint(path, secret);
    }

    /// `path` has a default.
    pub(crate) fn declare_default(&self, path: &str, default: serde_json::Value) {
        if self.describing {
            self.declared.borrow_mut().default(path, default);
        }
    }

    /// `path` is an old name of `new`.
    pub(crate) fn declare_legacy(&self, path: &str, new: &str) {
        if self.describing {
            self.declared.borrow_mut().legacy(path, new);
        }
    }
}
