//! Arguments, and nothing else.

pub(crate) mod config;
pub(crate) mod message;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};
use clawvoice_session::{ChannelId, UserId, spending::UsageBy};

use crate::{commands, printer::Exit};

/// Puts an AI agent into Discord voice channels: hears end-to-end encrypted speech, answers in
/// real time, stops when interrupted.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Connect to Discord and run the agent until Ctrl-C or SIGTERM.
    ///
    /// Exit codes: 0 stopped as asked, 1 something you can fix (the config file), 2 unexpected,
    /// 4 Discord refused the token.
    Gateway(GatewayArgs),
    /// Play the whole story on a simulated Discord: no account, no key, no network.
    Demo(DemoArgs),
    /// Write a commented configuration to begin with.
    ///
    /// Exit codes: 0 written, 1 it is there already, or cannot be written.
    Init(config::InitArgs),
    /// Check, explain and change the configuration.
    ///
    /// Exit codes: 0 done, 1 something you can fix (it says file, line, column and key).
    Config(config::ConfigArgs),
    /// Send, read, change or delete messages as the bot, once.
    #[command(subcommand)]
    Message(message::MessageCommand),
    /// Show what happened in a voice session, from its recording or from a log.
    ///
    /// Reads our recordings (JSON lines), our logs and OpenClaw's. Without a name it lists the
    /// recordings.
    ///
    /// Exit codes: 0 shown, 1 the file cannot be read.
    Timeline(TimelineArgs),
    /// Look at everything that has to be right, and say what to do about the rest.
    ///
    /// Looks at the configuration, this machine, Discord (token, intents, permissions), the model
    /// and the speech provider. Changes nothing without `--fix`.
    ///
    /// Exit codes: 0 all works, 1 something does not, 4 Discord refuses the token.
    Doctor(DoctorArgs),
    /// How Discord sees the bot: status, intents, permissions.
    #[command(subcommand)]
    Channels(ChannelsCommand),
    /// Strangers who wrote in private and wait to be let in.
    #[command(subcommand)]
    Pairing(PairingCommand),
    /// What tokens were spent on, and what they cost.
    ///
    /// Turns of the agent, from the configured prices; what a realtime voice provider costs is not
    /// in it. Days are those of UTC.
    ///
    /// Exit codes: 0 shown, 1 the store cannot be read.
    Usage(UsageArgs),
    /// Delete what is kept of a user: their messages, what they were answered, files, pairing, and
    /// what the log says of them.
    ///
    /// Works beside a running clawvoice. What is said in voice is kept by no recording; their ids in
    /// those stay, and so do the names of conversations.
    ///
    /// Exit codes: 0 deleted, 1 something you can fix.
    Forget(ForgetArgs),
    /// Look for what is wider open than it need be.
    #[command(subcommand)]
    Security(SecurityCommand),
    /// Print the newest lines of the log, and follow it.
    Logs(LogsArgs),
    /// Which ports are used, for firewalls.
    Ports(PortsArgs),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the version, and of what it is made.
    Version {
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
}

/// What `clawvoice pairing` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum PairingCommand {
    /// Who waits, with their codes.
    List(PairingListArgs),
    /// Let somebody in by the code they were told.
    ///
    /// Exit codes: 0 they are let in, 1 the code lets nobody in.
    Approve(ApproveArgs),
}

/// Arguments of `clawvoice pairing list`.
#[derive(Debug, clap::Args)]
pub(crate) struct PairingListArgs {
    /// The network they wrote on.
    #[arg(value_enum, default_value = "discord")]
    pub(crate) channel: Network,
    /// The configuration.
    #[arg(long, value_name = "FILE", env = "CLAWVOICE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// One JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `clawvoice pairing approve`.
#[derive(Debug, clap::Args)]
pub(crate) struct ApproveArgs {
    /// The network they wrote on.
    #[arg(value_enum)]
    pub(crate) channel: Network,
    /// The code.
    #[arg(value_name = "CODE")]
    pub(crate) code: String,
    /// The account they wrote to.
    #[arg(long, value_name = "ACCOUNT", default_value = "default")]
    pub(crate) account: String,
    /// Tell them, in private.
    #[arg(long)]
    pub(crate) notify: bool,
    /// The configuration.
    #[arg(long, value_name = "FILE", env = "CLAWVOICE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

/// Arguments of `clawvoice usage`.
#[derive(Debug, clap::Args)]
pub(crate) struct UsageArgs {
    /// What the sums are of.
    #[arg(long, value_enum, default_value = "day")]
    pub(crate) by: By,
    /// So many days, today among them.
    #[arg(long, value_name = "DAYS", default_value_t = 30,
          value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub(crate) since: u32,
    /// The configuration.
    #[arg(long, value_name = "FILE", env = "CLAWVOICE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// One JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What sums are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    Agent,
    User,
    Channel,
    Model,
    Session,
    Day,
}

impl From<By> for UsageBy {
    fn from(by: By) -> Self {
        match by {
            By::Agent => Self::Agent,
            By::User => Self::User,
            By::Channel => Self::Channel,
            By::Model => Self::Model,
            By::Session => Self::Session,
            By::Day => Self::Day,
        }
    }
}

/// Arguments of `clawvoice forget`.
#[derive(Debug, clap::Args)]
pub(crate) struct ForgetArgs {
    /// The user's id.
    #[arg(value_name = "USER")]
    pub(crate) user: UserId,
    /// It is meant: nothing brings it back.
    #[arg(long)]
    pub(crate) yes: bool,
    /// One JSON document.
    #[arg(long)]
    pub(crate) json: bool,
    /// The configuration.
    #[arg(long, value_name = "FILE", env = "CLAWVOICE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

/// What `clawvoice security` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum SecurityCommand {
    /// Who may do what, and what should be narrower.
    ///
    /// Exit codes: 0 nothing is critical, 1 something is.
    Audit(AuditArgs),
    /// Which tokens and keys there are, what each was used for, and how it was taken.
    ///
    /// Shows no value: each goes by its path and by the beginning of its SHA-256.
    ///
    /// Exit codes: 0 shown, 1 something you can fix.
    Secrets(AuditArgs),
}

/// Arguments of `clawvoice security audit`.
#[derive(Debug, clap::Args)]
pub(crate) struct AuditArgs {
    /// The configuration.
    #[arg(long, value_name = "FILE", env = "CLAWVOICE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// One JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `clawvoice channels` can tell.
#[derive(Debug, Subcommand)]
pub(crate) enum ChannelsCommand {
    /// Whether a clawvoice runs here and how it is.
    Status(StatusArgs),
    /// What the bot may do, and what of it is missing in a channel.
    Capabilities(CapabilitiesArgs),
}

/// Arguments of `clawvoice channels status`.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// The configuration.
    #[arg(long, value_name = "FILE", env = "CLAWVOICE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Ask Discord, too: who the bot is, and which intents it has.
    #[arg(long)]
    pub(crate) probe: bool,
    /// Exit with 1 unless it runs and is well: for supervisors.
    #[arg(long)]
    pub(crate) check: bool,
    /// Where the running clawvoice serves its health.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) health: Option<SocketAddr>,
    /// One JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `clawvoice channels capabilities`.
#[derive(Debug, clap::Args)]
pub(crate) struct CapabilitiesArgs {
    /// The configuration.
    #[arg(long, value_name = "FILE", env = "CLAWVOICE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The network to ask.
    #[arg(long, value_enum, default_value = "discord")]
    pub(crate) channel: Network,
    /// What the bot may do in this channel: `channel:<id>`.
    #[arg(long, value_name = "TARGET", value_parser = target)]
    pub(crate) target: Option<ChannelId>,
    /// One JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `clawvoice doctor`.
#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArgs {
    /// The configuration.
    #[arg(long, value_name = "FILE", env = "CLAWVOICE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Ask neither Discord nor a provider.
    #[arg(long)]
    pub(crate) offline: bool,
    /// Rewrite old names and numeric ids in the configuration; the old text is kept as `.bak`, and
    /// who has access stays the same.
    #[arg(long)]
    pub(crate) fix: bool,
    /// Where a running clawvoice serves its health.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) health: Option<SocketAddr>,
    /// One JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `clawvoice logs`.
#[derive(Debug, clap::Args)]
pub(crate) struct LogsArgs {
    /// Print what is added, until Ctrl-C.
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// How many of the newest lines.
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 100)]
    pub(crate) lines: usize,
}

/// Arguments of `clawvoice ports`.
#[derive(Debug, clap::Args)]
pub(crate) struct PortsArgs {
    /// One JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `clawvoice gateway`.
#[derive(Debug, clap::Args)]
pub(crate) struct GatewayArgs {
    /// The configuration, JSON5, keys as in OpenClaw's `channels.discord.*`
    /// [default: ~/.clawvoice/clawvoice.json5, else ~/.openclaw/openclaw.json].
    #[arg(long, value_name = "FILE", env = "CLAWVOICE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Also write every timeline record as a JSON line to this file, with what people say.
    #[arg(long, value_name = "FILE")]
    pub(crate) timeline: Option<PathBuf>,
    /// Print log lines as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Serve health, metrics and the dashboard here, whatever the configuration says; port 0 takes
    /// any that is free.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) health: Option<SocketAddr>,
}

/// Arguments of `clawvoice demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// The `localcord` program [default: the one beside this program].
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) localcord: Option<PathBuf>,
    /// Where the recordings, the timeline and the summary go.
    #[arg(long, value_name = "FOLDER", default_value = "target/demo")]
    pub(crate) out: PathBuf,
    /// Print only the summary, as JSON, on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What else is done with a recording.
#[derive(Debug, Subcommand)]
pub(crate) enum TimelineAction {
    /// Take every decision of a recording again, by the same rules, and compare.
    Replay {
        /// A file, or the name of a recording.
        #[arg(value_name = "FILE|SESSION")]
        recording: PathBuf,
        /// One JSON document.
        #[arg(long)]
        json: bool,
        /// Where recordings are looked up by name [default: ~/.clawvoice/state/timeline].
        #[arg(long, value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
}

/// Arguments of `clawvoice timeline`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct TimelineArgs {
    #[command(subcommand)]
    pub(crate) action: Option<TimelineAction>,
    /// A file, or the name of a recording.
    #[arg(value_name = "FILE|SESSION", group = "shown")]
    pub(crate) recording: Option<PathBuf>,
    /// One JSON document: lanes, turns with their latency budgets, findings.
    #[arg(long, group = "form", requires = "shown")]
    pub(crate) json: bool,
    /// Only what went wrong, why, and what to change.
    #[arg(long, group = "form", requires = "shown")]
    pub(crate) diagnose: bool,
    /// Write a page for a browser: lanes, decisions with their thresholds, sound.
    #[arg(long, value_name = "OUT", group = "form", requires = "shown")]
    pub(crate) html: Option<PathBuf>,
    /// Write a trace for ui.perfetto.dev.
    #[arg(long, value_name = "OUT", group = "form", requires = "shown")]
    pub(crate) perfetto: Option<PathBuf>,
    /// Where recordings are looked up by name [default: ~/.clawvoice/state/timeline].
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
}

/// Where messages can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Network {
    Discord,
}

fn target(text: &str) -> Result<ChannelId, String> {
    let id = text.strip_prefix("channel:").ok_or("a target looks like `channel:<id>`")?;
    id.parse().map_err(|error: clawvoice_session::IdError| error.to_string())
}

/// Parses the arguments and runs the command they name.
pub(crate) fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(help_or_mistake) => {
            // Nobody is left to tell if the terminal is gone.
            let _ = help_or_mistake.print();
            let mistake = help_or_mistake.use_stderr();
            return if mistake {
                ExitCode::from(Exit::UserFixable as u8)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let outcome = match cli.command {
        Command::Gateway(args) => commands::gateway::run(&args),
        Command::Demo(args) => commands::demo::run(&args),
        Command::Init(args) => commands::init::run(&args),
        Command::Config(args) => commands::config::run(&args),
        Command::Message(command) => commands::message::run(&command),
        Command::Timeline(args) => commands::timeline::run(&args),
        Command::Doctor(args) => commands::doctor::run(&args),
        Command::Channels(command) => commands::channels::run(&command),
        Command::Pairing(command) => commands::pairing::run(&command),
        Command::Usage(args) => commands::usage::run(&args),
        Command::Forget(args) => commands::forget::run(&args),
        Command::Security(SecurityCommand::Audit(args)) => commands::security::run(&args),
        Command::Security(SecurityCommand::Secrets(args)) => commands::secrets::run(&args),
        Command::Logs(args) => commands::logs::run(&args),
        Command::Ports(args) => commands::ports::run(&args),
        Command::Completions { shell } => commands::completions::run(shell, Cli::command()),
        Command::Version { json } => commands::version::run(json),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            ExitCode::from(failure.exit as u8)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_recording_is_shown_in_one_form() {
        let parse =
            |args: &[&str]| Cli::try_parse_from(["clawvoice", "timeline"].iter().chain(args));
        for good in [&[][..], &["x"], &["x", "--json"], &["x", "--html", "y"], &["--folder", "z"]] {
            assert!(parse(good).is_ok(), "{good:?}");
        }
        for bad in [&["--json"][..], &["x", "--json", "--diagnose"], &["x", "--html"]] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_target_is_a_channel_by_its_id() {
        assert_eq!(target("channel:7"), Ok(ChannelId::new(7)));
        for bad in ["7", "user:7", "channel:", "channel:x", "channel:0"] {
            assert!(target(bad).is_err(), "{bad}");
        }
    }
}
