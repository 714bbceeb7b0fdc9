//! `clawvoice version`: for reports.

use serde_json::json;

use crate::printer::{self, Failure};

/// Runs the command.
pub(crate) fn run(as_json: bool) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    if as_json {
        let document = json!({
            "version": version, "target": target, "build": build,
            "voiceGateway": 8, "api": 10,
        });
        printer::result(format_args!("{document:#}"));
    } else {
        printer::result(format_args!("clawvoice {version} ({build}, {target})"));
        printer::result("Discord API 10, voice gateway 8, DAVE 1");
    }
    Ok(())
}
