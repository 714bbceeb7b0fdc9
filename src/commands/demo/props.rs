//! What the scene is played with: the fixtures, built into this program, laid out in the folder of
//! the results, so that the demo runs from anywhere.

use std::{fs, io, path::Path};

use serde_json::json;

/// Ada's first question.
pub(super) const ASK: &[u8] = include_bytes!("../../../fixtures/audio/ask.wav");
/// Her second.
pub(super) const SECOND: &[u8] = include_bytes!("../../../fixtures/audio/second.wav");
/// Ben coughs.
pub(super) const COUGH: &[u8] = include_bytes!("../../../fixtures/audio/cough.wav");
/// What Ben interrupts with.
pub(super) const INTERRUPT: &[u8] = include_bytes!("../../../fixtures/audio/interrupt.wav");

/// What is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// A front end that answers by itself is asked, interrupted and talks through new keys.
    Talk,
    /// The agent behind the front end is asked, and cancelled.
    Agent,
}

impl Act {
    const fn config(self) -> &'static str {
        match self {
            Self::Talk => include_str!("../../../fixtures/config/demo.json5"),
            Self::Agent => include_str!("../../../fixtures/config/demo-agent.json5"),
        }
    }
}

/// The values in the configuration that are of this run.
const API_BASE_URL: &str = "\"http://127.0.0.1:8080\"";
const RECORD_DIR: &str = "\"../../target/demo/provider\"";
const STORE: &str = "\"../../target/demo/sessions.sqlite\"";

/// Files of the scene, by their place in it. The paths in them are those of `fixtures/`.
const FILES: [(&str, &[u8]); 8] = [
    ("provider/demo.json5", include_bytes!("../../../fixtures/provider/demo.json5")),
    ("provider/demo-agent.json5", include_bytes!("../../../fixtures/provider/demo-agent.json5")),
    ("audio/ask.wav", ASK),
    ("audio/second.wav", SECOND),
    ("audio/interrupt.wav", INTERRUPT),
    ("audio/answer.wav", include_bytes!("../../../fixtures/audio/answer.wav")),
    ("audio/clothes.wav", include_bytes!("../../../fixtures/audio/clothes.wav")),
    ("audio/listening.wav", include_bytes!("../../../fixtures/audio/listening.wav")),
];

/// Everything the demo writes into its folder, and nothing else: what else is there stays.
const RESULTS: [&str; 11] = [
    "summary.json",
    "timeline.jsonl",
    "journal.jsonl",
    "ada.wav",
    "ben.wav",
    "gateway.log",
    "localcord.log",
    "ca.pem",
    "sessions.sqlite",
    "sessions.sqlite-shm",
    "sessions.sqlite-wal",
];
/// Folders of the results; files of these kinds in them are ours.
const FOLDERS: [&str; 2] = ["provider", "sections"];

/// Makes the folder, takes away the results of the last performance and lays out the scene.
pub(super) fn lay_out(out: &Path) -> io::Result<()> {
    for name in RESULTS {
        remove(&out.join(name))?;
    }
    for folder in FOLDERS {
        let folder = out.join(folder);
        fs::create_dir_all(&folder)?;
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let ours = path.extension().is_some_and(|kind| kind == "wav" || kind == "jsonl");
            if ours {
                remove(&path)?;
            }
        }
    }
    for (name, bytes) in FILES {
        let path = out.join("scene").join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, bytes)?;
    }
    fs::create_dir_all(out.join("scene/config"))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The demo's configuration, for a server at `api_url`. Its place is `scene/config/`.
pub(super) fn config(act: Act, api_url: &str) -> String {
    act.config()
        .replace(API_BASE_URL, &json!(api_url).to_string())
        .replace(RECORD_DIR, "\"../../provider\"")
        .replace(STORE, "\"../../sessions.sqlite\"")
}

#[cfg(test)]
mod tests {
    use clawvoice_config::ProcessEnv;

    use super::*;

    #[test]
    fn the_configuration_is_of_this_run() {
        for act in [Act::Talk, Act::Agent] {
            for value in [API_BASE_URL, RECORD_DIR, STORE] {
                assert_eq!(act.config().matches(value).count(), 1, "{value}");
            }
            let config = config(act, "http://127.0.0.1:1/api/v10");
            assert!(config.contains("apiBaseUrl: \"http://127.0.0.1:1/api/v10\""), "{config}");
            assert!(config.contains("recordDir: \"../../provider\""), "{config}");
        }
    }

    #[test]
    fn the_scene_can_be_played_from_where_it_is_laid_out() {
        let folder = tempfile::tempdir().unwrap();
        lay_out(folder.path()).unwrap();
        for (act, name) in [(Act::Talk, "demo"), (Act::Agent, "demo-agent")] {
            let scripts = folder.path().join("scene/provider");
            let script = fs::read_to_string(scripts.join(name).with_extension("json5")).unwrap();
            let wavs: Vec<_> = script.split('"').filter(|part| part.ends_with(".wav")).collect();
            assert_eq!(wavs.len(), 3);
            for wav in wavs {
                assert!(scripts.join(wav).is_file(), "{wav}");
            }
            let path = folder.path().join("scene/config/demo.json5");
            fs::write(&path, config(act, "http://127.0.0.1:1/api/v10")).unwrap();
            let error = clawvoice_config::load(&path, &ProcessEnv).err();
            let error = error.map(|error| error.to_string());
            // Only the token, which comes from the environment, may be missing.
            let is_token = error.as_ref().is_none_or(|text| text.contains("DISCORD_BOT_TOKEN"));
            assert!(is_token, "{error:?}");
        }
    }

    #[test]
    fn only_results_of_a_demo_are_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path();
        fs::create_dir(out.join("provider")).unwrap();
        for name in ["mine.txt", "provider/mine.txt", "ada.wav", "provider/old.wav"] {
            fs::write(out.join(name), "x").unwrap();
        }
        lay_out(out).unwrap();
        assert!(out.join("mine.txt").exists() && out.join("provider/mine.txt").exists());
        assert!(!out.join("ada.wav").exists() && !out.join("provider/old.wav").exists());
    }
}
