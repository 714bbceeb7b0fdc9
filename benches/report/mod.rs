//! What every benchmark ends in: tables for the eye, and one JSON file for everything else.
//!
//! `target/bench/media.json` is an object: a `header` that says where and when, and a section for
//! each thing measured. A run replaces the sections it measured and keeps the others, so that
//! several benchmarks, or one with a few sections asked for, fill one file.
//!
//! ```text
//! record  a figure beside its peers'      table  aligned columns      header  machine and versions
//! ```
#![allow(dead_code, reason = "each benchmark uses its own part")]
#![allow(clippy::print_stdout, reason = "the table is what a benchmark is for")]

mod header;
mod record;
mod table;

use std::{io, path::Path};

use anyhow::Context;
use serde::Serialize;
use serde_json::{Map, Value};

#[allow(unused_imports, reason = "each benchmark uses its own part")]
pub(crate) use self::{
    record::{Record, median, percentile, rounded},
    table::Table,
};

/// Where sections about media are, in the repository.
const MEDIA: &str = "target/bench/media.json";
/// Where sections about conversation are.
pub(crate) const CONVERSATION: &str = "target/bench/conversation.json";
/// Where the section about interruptions is.
pub(crate) const INTERRUPTION: &str = "target/bench/interruption.json";

/// Prints a table.
pub(crate) fn print(table: &Table) {
    println!("{table}");
}

/// Replaces one section of the file about media and dates it; every other section stays.
///
/// # Errors
/// The file cannot be read or written.
pub(crate) fn write(section: &str, value: &impl Serialize) -> anyhow::Result<()> {
    write_to(MEDIA, section, value)
}

/// The same in another file.
///
/// # Errors
/// The file cannot be read or written.
pub(crate) fn write_to(file: &str, section: &str, value: &impl Serialize) -> anyhow::Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let mut all = match std::fs::read(&file) {
        // A file that is no such object is of another time and is begun anew.
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Map::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    let header = header::renewed(all.remove("header"), section);
    all.insert("header".into(), header);
    all.insert(section.into(), serde_json::to_value(value)?);
    let text = serde_json::to_vec_pretty(&Value::Object(all))?;
    let folder = file.parent().context("the file is in a folder")?;
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&file, text))
        .with_context(|| format!("cannot write {}", file.display()))
}
