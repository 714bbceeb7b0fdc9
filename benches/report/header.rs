//! On what machine, with what, and when the sections were measured.

use std::process::Command;

use serde_json::{Value, json};

/// A header for this run that keeps the dates of the sections it does not measure.
pub(crate) fn renewed(old: Option<Value>, section: &str) -> Value {
    let mut measured = old
        .and_then(|mut old| old.get_mut("measured").map(Value::take))
        .filter(Value::is_object)
        .unwrap_or_else(|| json!({}));
    let now = jiff::Timestamp::now().to_string();
    measured[section] = json!(now);
    json!({
        "machine": {
            "cores": std::thread::available_parallelism().map_or(0, usize::from),
            "cpu": cpu_model(),
        },
        "rustc": rustc(),
        "libopus": audiopus::version(),
        "date": now,
        "measured": measured,
    })
}

/// As the kernel calls the processor; `unknown` where there is no `/proc/cpuinfo`.
fn cpu_model() -> String {
    std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        })
        .unwrap_or_else(|| "unknown".into())
}

/// The compiler that is installed, which is the one that `cargo bench` has just used.
fn rustc() -> String {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    Command::new(compiler)
        .arg("--version")
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(|| "unknown".into(), |text| text.trim().to_owned())
}
