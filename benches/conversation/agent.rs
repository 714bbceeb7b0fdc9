//! The release binary, at home in the Lounge of a localcord.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, ensure};
use localcord::{
    server::Server,
    world::default::{GUILD, LOUNGE},
};
use serde_json::json;
use tokio::process::{Child, Command};

/// Starts it, in `bidi`, with the provider at `base_url`. Its files are in `folder`; it ends with
/// the value that is given.
pub(crate) fn start(folder: &Path, server: &Server, base_url: &str) -> anyhow::Result<Child> {
    let config = folder.join("clawvoice.json5");
    let text = json!({
        "session": { "store": folder.join("sessions.sqlite") },
        "gateway": { "clawvoice": { "health": { "enabled": false } } },
        "channels": { "discord": {
            "apiBaseUrl": server.api_base_url(),
            "groupPolicy": "open",
            "voice": {
                "mode": "bidi",
                "autoJoin": [{ "guildId": GUILD.to_string(), "channelId": LOUNGE.to_string() }],
                "captureSilenceGraceMs": 300,
                "realtime": { "provider": "openai", "toolPolicy": "none", "providers": { "openai": {
                    "baseUrl": base_url, "apiKey": "none", "silenceDurationMs": 700,
                } } },
            },
        } },
    });
    std::fs::write(&config, text.to_string())?;
    Command::new(binary()?)
        .args(["gateway", "--timeline"])
        .arg(folder.join("timeline.jsonl"))
        .arg("--config")
        .arg(config)
        .env("DISCORD_BOT_TOKEN", server.bot_token())
        .env("RUST_LOG", "warn")
        .env("HOME", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("the program does not start")
}

fn binary() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("CLAWVOICE") {
        return Ok(path.into());
    }
    let own = std::env::current_exe()?;
    let release = own.parent().and_then(Path::parent).context("this program is in a folder")?;
    let path = release.join("clawvoice");
    ensure!(path.exists(), "{} is missing; cargo build --release", path.display());
    Ok(path)
}
