//! Programs that give out secrets: no shell, JSON in and out, a time limit.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::{env::Env, vault::owned_by_us};

/// How often a program is asked whether it has ended.
const POLL: Duration = Duration::from_millis(5);

/// `secrets.providers.<name>` with `source: "exec"`.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// Absolute.
    pub(crate) command: PathBuf,
    pub(crate) args: Vec<String>,
    /// The variables it gets of ours, beside none.
    pub(crate) pass_env: Vec<String>,
    /// Folders it must be in; empty: anywhere.
    pub(crate) trusted_dirs: Vec<PathBuf>,
    pub(crate) allow_symlink: bool,
    pub(crate) allow_insecure: bool,
    pub(crate) timeout: Duration,
    pub(crate) max_bytes: u64,
    /// Its answer must be JSON; else a plain text is the secret.
    pub(crate) json_only: bool,
}

impl Program {
    /// Runs the program for one id. What it wrote is never part of the error.
    pub(crate) fn ask(
        &self,
        provider: &str,
        id: &str,
        env: &dyn Env,
    ) -> Result<SecretString, String> {
        self.is_trusted()?;
        let passed = self.pass_env.iter().filter_map(|name| Some((name, env.var(name)?)));
        let mut child = Command::new(&self.command)
            .args(&self.args)
            .env_clear()
            .envs(passed)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("the program does not start: {error}"))?;
        let request = json!({ "protocolVersion": 1, "provider": provider, "ids": [id] });
        let answer = self.converse(&mut child, request.to_string());
        if answer.is_err() {
            // It may have ended by itself meanwhile.
            let _ = child.kill();
            let _ = child.wait();
        }
        self.secret(&answer?, id)
    }

    /// What the program writes until it ends.
    fn converse(&self, child: &mut Child, request: String) -> Result<SecretString, String> {
        let deadline = Instant::now() + self.timeout;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read must not hold us up, and one that does not want to is
            // no failure by itself.
            thread::spawn(move || stdin.write_all(request.as_bytes()));
        }
        let (sender, receiver) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            let limit = self.max_bytes;
            thread::spawn(move || {
                let mut bytes = Vec::new();
                let read = stdout.take(limit + 1).read_to_end(&mut bytes);
                // The asker may have given up.
                let _ = sender.send(read.map(|_| bytes));
            });
        }
        let left = || deadline.saturating_duration_since(Instant::now());
        let late = || format!("the program took longer than {} ms", self.timeout.as_millis());
        let bytes = receiver
            .recv_timeout(left())
            .map_err(|_| late())?
            .map_err(|error| format!("its answer cannot be read: {error}"))?;
        if bytes.len() as u64 > self.max_bytes {
            return Err(format!("its answer is larger than {} bytes", self.max_bytes));
        }
        let status = loop {
            if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
                break status;
            }
            if left().is_zero() {
                return Err(late());
            }
            thread::sleep(POLL.min(left()));
        };
        if !status.success() {
            return Err(format!("the program failed ({status})"));
        }
        let text = String::from_utf8(bytes).map_err(|_| "its answer is not UTF-8".to_owned())?;
        Ok(SecretString::from(text))
    }

    fn secret(&self, answer: &SecretString, id: &str) -> Result<SecretString, String> {
        let text = answer.expose_secret();
        let Ok(answer) = serde_json::from_str::<Value>(text) else {
            let plain = text.trim();
            return match self.json_only || plain.is_empty() {
                true => Err("its answer is not JSON".to_owned()),
                false => Ok(SecretString::from(plain)),
            };
        };
        if let Some(secret) = answer["values"][id].as_str().filter(|secret| !secret.is_empty()) {
            return Ok(SecretString::from(secret));
        }
        let told = &answer["errors"][id];
        let told = told["message"].as_str().or_else(|| told.as_str());
        match told {
            Some(message) => Err(format!("the program says: {}", shortened(message))),
            None => Err("the program's answer does not hold it".to_owned()),
        }
    }

    fn is_trusted(&self) -> Result<(), String> {
        let shown = self.command.display();
        let link = fs::symlink_metadata(&self.command).map_err(|e| format!("{shown}: {e}"))?;
        if link.is_symlink() && !self.allow_symlink {
            return Err(format!("{shown} is a symbolic link; see `allowSymlinkCommand`"));
        }
        let real = fs::canonicalize(&self.command).map_err(|e| format!("{shown}: {e}"))?;
        let is_inside = |folder: &PathBuf| {
            fs::canonicalize(folder).is_ok_and(|folder| real.starts_with(folder))
        };
        if !self.trusted_dirs.is_empty() && !self.trusted_dirs.iter().any(is_inside) {
            return Err(format!("{} is in none of `trustedDirs`", real.display()));
        }
        let facts = fs::metadata(&real).map_err(|e| format!("{shown}: {e}"))?;
        if !facts.is_file() {
            return Err(format!("{shown} is no file"));
        }
        if !self.allow_insecure {
            owned_by_us(&real, &facts)?;
            not_writable_by_others(&real, &facts)?;
        }
        Ok(())
    }
}

/// A message in one line, without what could be taken for a secret in it.
fn shortened(message: &str) -> String {
    let words = message.split_whitespace().map(|word| if word.len() > 40 { "…" } else { word });
    words.collect::<Vec<_>>().join(" ").chars().take(200).collect()
}

#[cfg(unix)]
fn not_writable_by_others(path: &Path, facts: &fs::Metadata) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;
    match facts.mode() & 0o022 {
        0 => Ok(()),
        _ => Err(format!("others may change it; run: chmod go-w {}", path.display())),
    }
}

#[cfg(not(unix))]
fn not_writable_by_others(_: &Path, _: &fs::Metadata) -> Result<(), String> {
    Ok(())
}
