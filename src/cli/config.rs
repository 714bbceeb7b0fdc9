//! Arguments of `clawvoice config` and `clawvoice init`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clawvoice_config::edit::KeyPath;

/// Which file.
#[derive(Debug, Args)]
pub(crate) struct ConfigFile {
    /// The configuration [default: ~/.clawvoice/clawvoice.json5, else ~/.openclaw/openclaw.json].
    #[arg(long, value_name = "FILE", env = "CLAWVOICE_CONFIG", global = true)]
    pub(crate) config: Option<PathBuf>,
}

/// Arguments of `clawvoice config`.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    /// JSON on stdout, for programs.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) action: ConfigAction,
}

/// What is done with the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigAction {
    /// Say what is wrong with it: file, line, column, key, and what to do.
    Check {
        /// Run the programs that give out secrets, too.
        #[arg(long)]
        allow_exec: bool,
    },
    /// Show what a key is, what it could be, and where its value comes from.
    Explain {
        /// As in channels.discord.voice.connectTimeoutMs; an object shows all of it [default: all].
        #[arg(value_name = "PATH", default_value = "", hide_default_value = true)]
        path: String,
    },
    /// Print a JSON Schema of the keys that are read.
    Schema,
    /// Print what stands in the file; secrets are never printed.
    Get {
        /// As in `channels.discord.guilds["5"].users[0]`.
        path: KeyPath,
    },
    /// Write one value; comments stay.
    Set {
        /// Where.
        path: KeyPath,
        /// A JSON5 value; what is none is a text.
        #[arg(allow_negative_numbers = true)]
        value: String,
    },
    /// Take one value out; comments stay.
    Unset {
        /// Which.
        path: KeyPath,
    },
    /// Merge an object in: lists and plain values replace, null removes; comments stay.
    Patch(PatchArgs),
}

/// Arguments of `clawvoice config patch`.
#[derive(Debug, Args)]
pub(crate) struct PatchArgs {
    /// The file with the object, JSON5.
    #[arg(long, value_name = "FILE", required_unless_present = "stdin", conflicts_with = "stdin")]
    pub(crate) file: Option<PathBuf>,
    /// The object is on stdin.
    #[arg(long)]
    pub(crate) stdin: bool,
    /// Write nothing; say what would be wrong.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Run the programs that give out secrets, too.
    #[arg(long, requires = "dry_run")]
    pub(crate) allow_exec: bool,
    /// This part becomes exactly what is given, instead of being merged. Can be repeated.
    #[arg(long, value_name = "PATH")]
    pub(crate) replace_path: Vec<KeyPath>,
}

/// Arguments of `clawvoice init`.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Where it is written [default: ~/.clawvoice/clawvoice.json5].
    #[arg(long, value_name = "FILE", env = "CLAWVOICE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Write it although there is one; the old one is kept as FILE.bak.
    #[arg(long)]
    pub(crate) force: bool,
    /// The application's id, for the address that invites the bot [default: the one in the token].
    #[arg(long, value_name = "ID")]
    pub(crate) application_id: Option<u64>,
    /// JSON on stdout, for programs.
    #[arg(long)]
    pub(crate) json: bool,
}
