//! Sections of `target/bench/media.json`: a run replaces those it measured and keeps the others.

use std::{io, path::Path};

use anyhow::Context;
use serde::Serialize;
use serde_json::{Map, Value};

const FILE: &str = "target/bench/media.json";

/// Replaces one section of the file; every other section stays.
///
/// # Errors
/// The file cannot be read or written.
pub(crate) fn write(section: &str, value: &impl Serialize) -> anyhow::Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let mut all: Map<String, Value> = match std::fs::read(&file) {
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Map::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    all.insert(section.into(), serde_json::to_value(value)?);
    let text = serde_json::to_vec_pretty(&Value::Object(all))?;
    let folder = file.parent().context("the file is in a folder")?;
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&file, text))
        .with_context(|| format!("cannot write {}", file.display()))
}
