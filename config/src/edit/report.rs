//! What a change would do, without doing it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{EditError, Edited};
use crate::{Env, Problem, error::ConfigError, load::check, walk::ExecRefs};

/// What kind of mistake it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The change leads nowhere.
    MissingPath,
    /// The result would not be a valid configuration.
    Schema,
    /// A secret cannot be resolved.
    Resolvability,
}

impl ErrorKind {
    /// As it is written in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingPath => "missing-path",
            Self::Schema => "schema",
            Self::Resolvability => "resolvability",
        }
    }
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DryRunError {
    /// Which kind.
    pub kind: ErrorKind,
    /// In words, with its place.
    pub message: String,
    /// The reference that cannot be resolved, as in `env:default:NAME`.
    pub reference: Option<String>,
}

/// What a change would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DryRun {
    /// The file.
    pub path: PathBuf,
    /// Values that would be set or removed.
    pub operations: usize,
    /// Where the change came from: `json` (a patch) or `value`.
    pub input: &'static str,
    /// References to secrets that were looked at.
    pub refs_checked: usize,
    /// Programs that were not run.
    pub refs_skipped: usize,
    /// What is wrong. Empty: nothing.
    pub errors: Vec<DryRunError>,
}

impl DryRun {
    /// Checks a change that was applied to the text of the file at `path`.
    #[must_use]
    pub fn of(
        path: &Path,
        edited: &Result<Edited, EditError>,
        input: &'static str,
        env: &dyn Env,
        exec: ExecRefs,
    ) -> Self {
        let mut report = Self {
            path: path.to_owned(),
            operations: 0,
            input,
            refs_checked: 0,
            refs_skipped: 0,
            errors: Vec::new(),
        };
        match edited {
            Ok(edited) => {
                let checked = check(&edited.text, path, env, exec);
                report.operations = edited.operations;
                report.refs_checked = checked.refs_checked;
                report.refs_skipped = checked.refs_skipped;
                if let Err(errors) = &checked.outcome {
                    report.errors = errors.iter().map(of_config).collect();
                }
            }
            Err(error) => {
                let kind = match error {
                    EditError::MissingPath(_) | EditError::NotInThere { .. } => {
                        ErrorKind::MissingPath
                    }
                    _ => ErrorKind::Schema,
                };
                let message = error.to_string();
                report.errors.push(DryRunError { kind, message, reference: None });
            }
        }
        report
    }

    /// Whether it would be done.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.errors.is_empty()
    }

    /// The report, with the keys that OpenClaw's has.
    #[must_use]
    pub fn json(&self) -> Value {
        let errors = self.errors.iter().map(|error| {
            let mut shown = json!({ "kind": error.kind.as_str(), "message": error.message });
            if let Some(reference) = &error.reference {
                shown["ref"] = reference.as_str().into();
            }
            shown
        });
        json!({
            "ok": self.is_ok(),
            "operations": self.operations,
            "configPath": self.path.display().to_string(),
            "inputModes": [self.input],
            "checks": {
                "schema": true,
                "resolvability": true,
                "resolvabilityComplete": self.refs_skipped == 0,
            },
            "refsChecked": self.refs_checked,
            "skippedExecRefs": self.refs_skipped,
            "errors": errors.collect::<Vec<Value>>(),
        })
    }
}

fn of_config(error: &ConfigError) -> DryRunError {
    let reference = match &error.problem {
        Problem::UnsetVariable(name) => Some(format!("env:default:{name}")),
        Problem::Unresolved { provider, id, .. } => {
            let name = provider.strip_prefix("secrets.providers.").unwrap_or(provider);
            Some(format!("{name}:{id}"))
        }
        _ => None,
    };
    let kind = match error.problem.is_resolvability() {
        true => ErrorKind::Resolvability,
        false => ErrorKind::Schema,
    };
    DryRunError { kind, message: error.to_string(), reference }
}
