//! Resolves references to secrets, each once: what was found is one snapshot.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret as _, SecretString};

use crate::{env::Env, error::Problem, exec, secret::is_variable_name, walk::ExecRefs};

/// References that one file may hold.
const MOST_REFS: usize = 4_096;

/// Where a secret is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SecretSource {
    Env,
    File,
    Exec,
}

impl SecretSource {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Env => "env",
            Self::File => "file",
            Self::Exec => "exec",
        }
    }

    /// Whether `id` has the form of an id of this source.
    pub(crate) fn takes(self, id: &str) -> bool {
        match self {
            Self::Env => is_variable_name(id),
            Self::File => id == "value" || id.starts_with('/'),
            Self::Exec => is_exec_id(id),
        }
    }

    pub(crate) const fn id_problem(self) -> &'static str {
        match self {
            Self::Env => "not a name of an environment variable",
            Self::File => "neither a JSON pointer nor `value`",
            Self::Exec => "not an id for a program",
        }
    }

    pub(crate) const fn id_hint(self) -> &'static str {
        match self {
            Self::Env => "capital letters, digits and `_`, as in DISCORD_BOT_TOKEN",
            Self::File => "as in \"/discord/token\", or \"value\" for a file that is the secret",
            Self::Exec => {
                "letters, digits and `. _ : / # -`, at most 256, without `.` or `..` between slashes"
            }
        }
    }
}

fn is_exec_id(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._:/#-".contains(&b);
    id.len() <= 256
        && id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.bytes().all(plain)
        && !id.split('/').any(|part| part == "." || part == "..")
}

/// A secret by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reference {
    pub(crate) source: SecretSource,
    pub(crate) provider: String,
    pub(crate) id: String,
}

impl Reference {
    pub(crate) fn variable(name: &str) -> Self {
        Self { source: SecretSource::Env, provider: "default".to_owned(), id: name.to_owned() }
    }
}

/// `secrets.providers.<name>`.
#[derive(Clone, Debug)]
pub(crate) enum Provider {
    Env { allowlist: Option<Vec<String>> },
    File(FileProvider),
    Exec(exec::Program),
}

/// A file with secrets in it.
#[derive(Clone, Debug)]
pub(crate) struct FileProvider {
    pub(crate) path: PathBuf,
    /// The whole file is the secret.
    pub(crate) single: bool,
    pub(crate) max_bytes: u64,
    /// Others may read or own it.
    pub(crate) allow_insecure: bool,
}

/// Why a reference has no value.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) problem: Problem,
    pub(crate) hint: String,
}

type Outcome = Result<SecretString, Refusal>;

/// The providers of a file and what they gave.
pub(crate) struct Vault {
    exec: ExecRefs,
    providers: RefCell<BTreeMap<String, Provider>>,
    known: RefCell<BTreeMap<Reference, Outcome>>,
    skipped: Cell<usize>,
}

impl Vault {
    pub(crate) fn new(exec: ExecRefs) -> Self {
        Self {
            exec,
            providers: RefCell::default(),
            known: RefCell::default(),
            skipped: Cell::new(0),
        }
    }

    pub(crate) fn set_providers(&self, providers: BTreeMap<String, Provider>) {
        *self.providers.borrow_mut() = providers;
    }

    /// References resolved or refused, and those skipped.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.known.borrow().len(), self.skipped.get())
    }

    pub(crate) fn resolve(&self, reference: &Reference, env: &dyn Env) -> Outcome {
        if let Some(known) = self.known.borrow().get(reference) {
            return known.clone();
        }
        if self.known.borrow().len() >= MOST_REFS {
            return Err(self.refuse(reference, "there are more than 4096 references".to_owned()));
        }
        let outcome = self.look_up(reference, env);
        self.known.borrow_mut().insert(reference.clone(), outcome.clone());
        outcome
    }

    fn look_up(&self, reference: &Reference, env: &dyn Env) -> Outcome {
        let providers = self.providers.borrow();
        let provider = providers.get(&reference.provider);
        match (reference.source, provider) {
            (SecretSource::Env, None) if reference.provider == "default" => {
                variable(&reference.id, env)
            }
            (SecretSource::Env, Some(Provider::Env { allowlist })) => {
                let listed = allowlist.as_ref().is_none_or(|list| list.contains(&reference.id));
                if !listed {
                    let why = "the provider's allowlist does not name it".to_owned();
                    return Err(self.refuse(reference, why));
                }
                variable(&reference.id, env)
            }
            (SecretSource::File, Some(Provider::File(file))) => {
                file.read(&reference.id).map_err(|why| self.refuse(reference, why))
            }
            (SecretSource::Exec, Some(Provider::Exec(program))) => {
                if self.exec == ExecRefs::Skip {
                    self.skipped.set(self.skipped.get() + 1);
                    return Ok(SecretString::from("skipped"));
                }
                program
                    .ask(&reference.provider, &reference.id, env)
                    .map_err(|why| self.refuse(reference, why))
            }
            (source, Some(_)) => {
                let why = format!("the provider is not of source {:?}", source.word());
                Err(self.refuse(reference, why))
            }
            (_, None) => Err(self.refuse(reference, "there is no such provider".to_owned())),
        }
    }

    fn refuse(&self, reference: &Reference, why: String) -> Refusal {
        let provider = format!("secrets.providers.{}", reference.provider);
        let hint = match self.providers.borrow().contains_key(&reference.provider) {
            true => format!("see `{provider}`"),
            false => format!("write `{provider}: {{ source: {:?}, … }}`", reference.source.word()),
        };
        Refusal { problem: Problem::Unresolved { provider, id: reference.id.clone(), why }, hint }
    }
}

fn variable(name: &str, env: &dyn Env) -> Outcome {
    env.var(name).map(SecretString::from).ok_or_else(|| Refusal {
        problem: Problem::UnsetVariable(name.to_owned()),
        hint: format!("set it before starting: export {name}=…"),
    })
}

impl FileProvider {
    fn read(&self, id: &str) -> Result<SecretString, String> {
        let text = self.text()?;
        if self.single {
            if id != "value" {
                return Err("of a file that is the secret, the id is `value`".to_owned());
            }
            let secret = text.expose_secret().trim_end_matches(['\r', '\n']);
            return not_empty(secret);
        }
        // What serde_json says of bad JSON may quote it.
        let json: serde_json::Value = serde_json::from_str(text.expose_secret())
            .map_err(|error| format!("line {} of the file is not JSON", error.line()))?;
        match json.pointer(id) {
            Some(serde_json::Value::String(secret)) => not_empty(secret),
            Some(_) => Err("what stands there is no text".to_owned()),
            None => Err("nothing stands there".to_owned()),
        }
    }

    fn text(&self) -> Result<SecretString, String> {
        let facts = fs::metadata(&self.path).map_err(|error| error.to_string())?;
        if !facts.is_file() {
            return Err("it is no file".to_owned());
        }
        if !self.allow_insecure {
            private_to_us(&self.path, &facts)?;
        }
        let mut bytes = Vec::new();
        fs::File::open(&self.path)
            .and_then(|file| file.take(self.max_bytes + 1).read_to_end(&mut bytes))
            .map_err(|error| error.to_string())?;
        if bytes.len() as u64 > self.max_bytes {
            return Err(format!("it is larger than {} bytes", self.max_bytes));
        }
        let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())?;
        Ok(SecretString::from(text))
    }
}

fn not_empty(secret: &str) -> Result<SecretString, String> {
    if secret.is_empty() {
        return Err("it is empty".to_owned());
    }
    Ok(SecretString::from(secret))
}

/// Only we, or root, may own the file, and nobody else may read it.
#[cfg(unix)]
fn private_to_us(path: &Path, facts: &fs::Metadata) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;
    owned_by_us(path, facts)?;
    match facts.mode() & 0o077 {
        0 => Ok(()),
        _ => Err(format!("others may read it; run: chmod 600 {}", path.display())),
    }
}

/// Nobody but us and root may own what we trust.
#[cfg(unix)]
pub(crate) fn owned_by_us(path: &Path, facts: &fs::Metadata) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;
    let us = rustix::process::geteuid().as_raw();
    match facts.uid() {
        uid if uid == us || uid == 0 => Ok(()),
        _ => Err(format!("{} belongs to somebody else", path.display())),
    }
}

#[cfg(not(unix))]
fn private_to_us(_: &Path, _: &fs::Metadata) -> Result<(), String> {
    Ok(())
}

#[cfg(not(unix))]
pub(crate) fn owned_by_us(_: &Path, _: &fs::Metadata) -> Result<(), String> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::SecretSource;

    #[test]
    fn ids_have_the_form_of_their_source() {
        for (source, id, good) in [
            (SecretSource::Env, "A_1", true),
            (SecretSource::Env, "a", false),
            (SecretSource::File, "/a/b", true),
            (SecretSource::File, "value", true),
            (SecretSource::File, "a/b", false),
            (SecretSource::Exec, "op://vault/item#field", true),
            (SecretSource::Exec, "a/../b", false),
            (SecretSource::Exec, "a/./b", false),
            (SecretSource::Exec, "-a", false),
            (SecretSource::Exec, "a b", false),
        ] {
            assert_eq!(source.takes(id), good, "{source:?} {id}");
        }
    }
}
