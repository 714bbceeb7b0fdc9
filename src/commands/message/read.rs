//! `clawvoice message read`: messages of a channel.

use clawvoice_text::{message::Message, shell::message_calls::Page};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    refusal::{Act, At, in_words},
    target,
};
use crate::{
    cli::message::ReadArgs,
    printer::{self, Failure},
};

/// Runs the command.
pub(super) async fn run(args: &ReadArgs) -> Result<(), Failure> {
    let (bot, place) = target::find(&args.bot).await?;
    let channel = place.channel(&bot, Act::Read).await?;
    let page = match (args.before, args.after, args.around) {
        (Some(message), ..) => Page::Before(message),
        (_, Some(message), _) => Page::After(message),
        (.., Some(message)) => Page::Around(message),
        (None, None, None) => Page::Newest,
    };
    let listed = bot.rest.messages_as_told(channel, page, args.limit).await;
    let messages = match listed {
        Ok(messages) => messages,
        Err(failure) => return Err(in_words(&bot, At::channel(Act::Read, channel), &failure).await),
    };
    if args.bot.json {
        let messages: Vec<Value> = messages.into_iter().map(normalised).collect();
        let told = json!({
            "ok": true, "account": bot.account, "channelId": channel, "messages": messages,
        });
        printer::result(format_args!("{told:#}"));
    } else if messages.is_empty() {
        printer::result("there are no messages");
    } else {
        // Discord tells the newest first; people read the other way.
        let read = messages.iter().rev().filter_map(|one| Message::read(&one.to_string()).ok());
        read.for_each(|message| printer::result(in_lines(&message)));
    }
    Ok(())
}

/// Discord's JSON with the time in two more forms: milliseconds since 1970, and UTC with `Z`.
fn normalised(mut message: Value) -> Value {
    let written = message["timestamp"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
    if let (Some(written), Some(fields)) = (written, message.as_object_mut()) {
        fields.insert("timestampMs".to_owned(), written.as_millisecond().into());
        fields.insert("timestampUtc".to_owned(), written.to_string().into());
    }
    message
}

/// A message for a terminal: who, when, what, and the files with their addresses.
fn in_lines(message: &Message) -> String {
    let ms = i64::try_from(message.id.unix_ms()).unwrap_or(i64::MAX);
    let written = Timestamp::from_millisecond(ms).unwrap_or_default();
    let when = written.strftime("%Y-%m-%d %H:%M:%SZ");
    let who = message.author.shown(message.member.as_ref());
    let bot = if message.author.bot { ", bot" } else { "" };
    let (id, user) = (message.id, message.author.id);
    let head = format!("{when}  {id}  {} ({user}{bot})", plain(who));
    let text = message.content.lines().map(|line| format!("\n  {}", plain(line)));
    let files = message.attachments.iter().map(|file| {
        format!("\n  file: {}, {} bytes, {}", plain(&file.filename), file.size, plain(&file.url))
    });
    std::iter::once(head).chain(text).chain(files).collect()
}

/// Without what a terminal would obey.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_command_the_terminal() {
        // 2026-07-05 18:30:59 UTC.
        let id = (1_783_276_259_000_u64 - 1_420_070_400_000) << 22;
        let json = json!({
            "id": id.to_string(), "channel_id": "5", "type": 0,
            "author": { "id": "7", "username": "ada\u{1b}[31m" },
            "content": "one\u{1b}]0;x\u{7}\n\ttwo",
            "attachments": [
                { "filename": "a.png", "size": 12, "url": "https://cdn.discordapp.com/a.png" },
            ],
        });
        let message = Message::read(&json.to_string()).unwrap();
        let expected = format!(
            "2026-07-05 18:30:59Z  {id}  ada\u{fffd}[31m (7)\n  one\u{fffd}]0;x\u{fffd}\n  \ttwo\n  \
             file: a.png, 12 bytes, https://cdn.discordapp.com/a.png"
        );
        assert_eq!(in_lines(&message), expected);
    }

    #[test]
    fn the_time_is_told_in_two_more_forms() {
        let told = normalised(json!({ "timestamp": "2026-07-05T20:30:59.120000+02:00", "x": 1 }));
        assert_eq!(told["timestampMs"], 1_783_276_259_120_i64);
        assert_eq!(told["timestampUtc"], "2026-07-05T18:30:59.12Z");
        assert_eq!(
            (&told["x"], &told["timestamp"]),
            (&json!(1), &json!("2026-07-05T20:30:59.120000+02:00"))
        );
        assert_eq!(normalised(json!({ "x": 1 })), json!({ "x": 1 }));
    }
}
