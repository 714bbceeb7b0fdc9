//! Where the configuration is, if nobody says.

use std::path::{Path, PathBuf};

use crate::env::Env;

/// The environment variable that names the file.
const CONFIG_VARIABLE: &str = "CLAWVOICE_CONFIG";

/// There is no configuration in any of the usual places.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no configuration: neither {} nor {} exists", .tried[0].display(), .tried[1].display())]
pub struct NotLocated {
    tried: [PathBuf; 2],
}

impl NotLocated {
    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        "run `clawvoice init` to write one, or name yours with --config"
    }
}

/// The configuration file: the one that is given, else the one in `CLAWVOICE_CONFIG`, else
/// `~/.clawvoice/clawvoice.json5`, else `~/.openclaw/openclaw.json`.
///
/// # Errors
///
/// If none is named and none exists. One that is named need not exist.
pub fn locate(given: Option<&Path>, env: &dyn Env) -> Result<PathBuf, NotLocated> {
    if let Some(path) = given {
        return Ok(path.to_owned());
    }
    if let Some(named) = env.var(CONFIG_VARIABLE) {
        return Ok(PathBuf::from(named));
    }
    let tried = [new_file(env), home(env).join(".openclaw/openclaw.json")];
    match tried.iter().find(|path| path.is_file()) {
        Some(path) => Ok(path.clone()),
        None => Err(NotLocated { tried }),
    }
}

/// Where a new configuration is written: `~/.clawvoice/clawvoice.json5`.
#[must_use]
pub fn new_file(env: &dyn Env) -> PathBuf {
    home(env).join(".clawvoice/clawvoice.json5")
}

fn home(env: &dyn Env) -> PathBuf {
    PathBuf::from(env.var("HOME").unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use super::*;

    #[test]
    fn ours_goes_before_openclaws_and_a_name_before_both() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let home = BTreeMap::from([("HOME".to_owned(), folder.path().display().to_string())]);
        let none = locate(None, &home).unwrap_err();
        assert!(none.to_string().contains(".clawvoice/clawvoice.json5"), "{none}");
        assert!(none.hint().contains("clawvoice init"));
        for (folder, file) in [(".openclaw", "openclaw.json"), (".clawvoice", "clawvoice.json5")] {
            fs::create_dir(at(folder)).unwrap();
            fs::write(at(folder).join(file), "{}").unwrap();
            assert_eq!(locate(None, &home), Ok(at(folder).join(file)));
        }
        let mut named = home.clone();
        named.insert(CONFIG_VARIABLE.to_owned(), "/etc/c.json5".to_owned());
        assert_eq!(locate(None, &named), Ok("/etc/c.json5".into()));
        assert_eq!(locate(Some(Path::new("x")), &named), Ok("x".into()));
    }
}
