//! Arguments of `clawvoice message`.

use std::path::PathBuf;

use clap::{Args, Subcommand, builder::TypedValueParser as _};
use clawvoice_session::MessageId;

use super::Network;

/// What `clawvoice message` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum MessageCommand {
    /// Send a text, files, or a voice message.
    ///
    /// What is sent to a forum becomes a post. A long text becomes several messages.
    ///
    /// Exit codes: 0 sent, 1 something you can fix (it says what), 4 Discord refused the token.
    Send(SendArgs),
    /// Read messages of a channel, the oldest first.
    Read(ReadArgs),
    /// Change the text of a message of the bot.
    Edit(EditArgs),
    /// Delete a message.
    Delete(DeleteArgs),
    /// React to a message, or take the reaction away.
    React(ReactArgs),
    /// Threads, and posts of forums.
    #[command(subcommand)]
    Thread(ThreadCommand),
}

/// What `clawvoice message thread` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum ThreadCommand {
    /// Open a thread, on a message or without one, or a post in a forum.
    Create(ThreadArgs),
}

/// As which bot, and how it is told.
#[derive(Debug, Args)]
pub(crate) struct BotArgs {
    /// The configuration with the bot's token
    /// [default: ~/.clawvoice/clawvoice.json5, else ~/.openclaw/openclaw.json].
    #[arg(long, value_name = "FILE", env = "CLAWVOICE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The network.
    #[arg(long, value_enum, default_value = "discord")]
    pub(crate) channel: Network,
    /// The account of `channels.discord.accounts` [default: the default one].
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) account: Option<String>,
    /// One JSON document.
    #[arg(long)]
    pub(crate) json: bool,
    /// Where: `channel:<id>`, `user:<id>`, an id alone (a user's if `allowFrom` lists it, else a
    /// channel's), or the name of a channel [default: channels.discord.defaultTo].
    #[arg(long, short, value_name = "TARGET")]
    pub(crate) target: Option<String>,
}

/// Arguments of `clawvoice message send`.
#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    #[command(flatten)]
    pub(crate) bot: BotArgs,
    /// The text. Discord takes none with a voice message.
    #[arg(long, short, value_name = "TEXT")]
    pub(crate) message: Option<String>,
    /// A file to send along, from an agent's workspace or the folder of media; repeat it for more.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["as_voice", "path"])]
    pub(crate) media: Vec<PathBuf>,
    /// The audio file of a voice message: MP3, AAC, FLAC, WAV, or Ogg with Vorbis or Opus.
    #[arg(long, value_name = "FILE")]
    pub(crate) path: Option<String>,
    /// As a voice message, with a play button and a curve.
    #[arg(long)]
    pub(crate) as_voice: bool,
    /// Notify nobody.
    #[arg(long)]
    pub(crate) silent: bool,
    /// Reply to this message of the same channel.
    #[arg(long, value_name = "MESSAGE_ID")]
    pub(crate) reply_to: Option<MessageId>,
    /// Send nothing; print what would be sent.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Arguments of `clawvoice message read`.
#[derive(Debug, Args)]
pub(crate) struct ReadArgs {
    #[command(flatten)]
    pub(crate) bot: BotArgs,
    /// How many, at most.
    #[arg(
        long, short = 'n', value_name = "COUNT", default_value_t = 25,
        value_parser = clap::value_parser!(u16).range(1..=100)
    )]
    pub(crate) limit: u16,
    /// Those right before this message.
    #[arg(long, value_name = "MESSAGE_ID", group = "page")]
    pub(crate) before: Option<MessageId>,
    /// Those right after this message.
    #[arg(long, value_name = "MESSAGE_ID", group = "page")]
    pub(crate) after: Option<MessageId>,
    /// Those around this message.
    #[arg(long, value_name = "MESSAGE_ID", group = "page")]
    pub(crate) around: Option<MessageId>,
}

/// Arguments of `clawvoice message edit`.
#[derive(Debug, Args)]
pub(crate) struct EditArgs {
    #[command(flatten)]
    pub(crate) bot: BotArgs,
    /// The message.
    #[arg(long, value_name = "MESSAGE_ID")]
    pub(crate) message_id: MessageId,
    /// Its new text.
    #[arg(long, short, value_name = "TEXT")]
    pub(crate) message: String,
}

/// Arguments of `clawvoice message delete`.
#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    pub(crate) bot: BotArgs,
    /// The message.
    #[arg(long, value_name = "MESSAGE_ID")]
    pub(crate) message_id: MessageId,
}

/// Arguments of `clawvoice message react`.
#[derive(Debug, Args)]
pub(crate) struct ReactArgs {
    #[command(flatten)]
    pub(crate) bot: BotArgs,
    /// The message.
    #[arg(long, value_name = "MESSAGE_ID")]
    pub(crate) message_id: MessageId,
    /// The character itself, or `name:id` of an emoji of a server.
    #[arg(long, value_name = "EMOJI", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) emoji: String,
    /// Take the bot's own reaction away.
    #[arg(long)]
    pub(crate) remove: bool,
}

/// Arguments of `clawvoice message thread create`.
#[derive(Debug, Args)]
pub(crate) struct ThreadArgs {
    #[command(flatten)]
    pub(crate) bot: BotArgs,
    /// What it is called, at most 100 characters.
    #[arg(long, alias = "thread-name", value_name = "NAME", value_parser = thread_name)]
    pub(crate) name: String,
    /// The message that it begins with; a post begins with one of its own.
    #[arg(long, value_name = "MESSAGE_ID")]
    pub(crate) message_id: Option<MessageId>,
    /// After so many minutes of silence it is archived [default: the channel's].
    #[arg(
        long, value_name = "MINUTES",
        value_parser = clap::builder::PossibleValuesParser::new(["60", "1440", "4320", "10080"])
            .try_map(|minutes| minutes.parse::<u16>())
    )]
    pub(crate) auto_archive_min: Option<u16>,
    /// The first message in it; of a post without one, its name.
    #[arg(long, short, value_name = "TEXT")]
    pub(crate) message: Option<String>,
    /// The id of a tag of the forum; repeat it for more.
    #[arg(long, value_name = "TAG_ID")]
    pub(crate) applied_tag: Vec<u64>,
}

/// The longest name of a thread, in UTF-16 units. Source: Discord, "Thread Create", `name`.
const MOST_NAME: usize = 100;

fn thread_name(text: &str) -> Result<String, String> {
    let name = text.trim();
    match name.encode_utf16().count() {
        0 => Err("it needs a name".to_owned()),
        units if units > MOST_NAME => {
            Err(format!("{units} characters are too many: a name has at most {MOST_NAME}"))
        }
        _ => Ok(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        _command: MessageCommand,
    }

    #[test]
    fn what_is_taken_and_what_is_not() {
        let parse =
            |line: &str| Line::try_parse_from(["message"].into_iter().chain(line.split(' ')));
        for good in [
            "send -t channel:1 -m hi",
            "send --media a --media b --silent --reply-to 5 --dry-run --json",
            "send --path a --as-voice",
            "read --limit 100 --after 5",
            "edit --message-id 5 --message hi",
            "delete --message-id 5",
            "react --message-id 5 --emoji 👀 --remove",
            "thread create --name x --auto-archive-min 1440 --applied-tag 1 --applied-tag 2",
            "thread create --thread-name x --message-id 5 -m hi",
        ] {
            assert!(parse(good).is_ok(), "{good}: {:?}", parse(good));
        }
        for bad in [
            "send --media a --as-voice",
            "send --reply-to x",
            "read --limit 0",
            "read --limit 101",
            "read --before 5 --after 5",
            "edit --message hi",
            "delete",
            "react --message-id 0 --emoji 👀",
            "react --message-id 5 --emoji ",
            "thread create --name x --auto-archive-min 61",
            "thread create -m hi",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_thread_has_a_name_of_at_most_100_characters() {
        assert_eq!(thread_name(" x "), Ok("x".to_owned()));
        assert!(thread_name(&"🧵".repeat(50)).is_ok());
        assert!(thread_name(&"🧵".repeat(51)).is_err());
        assert!(thread_name("  ").is_err());
    }
}
