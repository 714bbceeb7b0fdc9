//! `clawvoice message edit|delete|react`: something is done to a message that is there.

use clawvoice_session::{ChannelId, MessageId};
use serde_json::{Value, json};

use super::{
    plan::{edit_body, one_text},
    refusal::{Act, At, in_words},
    target,
};
use crate::{
    cli::message::{BotArgs, DeleteArgs, EditArgs, ReactArgs},
    commands::as_bot::AsBot,
    printer::{self, Failure},
};

/// A message, and the bot that does something to it.
struct Changing<'a> {
    args: &'a BotArgs,
    bot: AsBot,
    channel: ChannelId,
    message: MessageId,
    act: Act,
}

impl<'a> Changing<'a> {
    async fn new(args: &'a BotArgs, message: MessageId, act: Act) -> Result<Self, Failure> {
        let (bot, place) = target::find(args).await?;
        let channel = place.channel(&bot, act).await?;
        Ok(Self { args, bot, channel, message, act })
    }

    /// Says what came of it.
    async fn end(
        &self,
        outcome: Result<(), clawvoice_text::shell::rest::RestFailure>,
        words: &str,
        more: Value,
    ) -> Result<(), Failure> {
        let (channel, message) = (self.channel, self.message);
        if let Err(failure) = outcome {
            return Err(
                in_words(&self.bot, At::message(self.act, channel, message), &failure).await
            );
        }
        if !self.args.json {
            printer::result(format_args!("{words} message {message} in channel {channel}"));
            return Ok(());
        }
        let mut told = json!({
            "ok": true, "account": self.bot.account,
            "result": { "messageId": message, "channelId": channel },
        });
        if let (Some(fields), Value::Object(more)) = (told.as_object_mut(), more) {
            fields.extend(more);
        }
        printer::result(format_args!("{told:#}"));
        Ok(())
    }
}

/// Changes a text.
pub(super) async fn edit(args: &EditArgs) -> Result<(), Failure> {
    let changing = Changing::new(&args.bot, args.message_id, Act::Edit).await?;
    let discord = &changing.bot.config.discord;
    let prepared = one_text(&args.message, discord);
    let text = match &prepared.chunks[..] {
        [text] => text,
        [] => {
            return Err(Failure::user("nothing is left of the text")
                .hint("a message is deleted by `clawvoice message delete`"));
        }
        [_, ..] => {
            return Err(Failure::user("the text is too long for one message")
                .hint("2000 characters are the most; send the rest as a message of its own"));
        }
    };
    let body = edit_body(text, discord);
    let outcome = changing.bot.rest.edit_message(changing.channel, args.message_id, &body).await;
    changing.end(outcome, "changed", Value::Null).await
}

/// Deletes.
pub(super) async fn delete(args: &DeleteArgs) -> Result<(), Failure> {
    let changing = Changing::new(&args.bot, args.message_id, Act::Delete).await?;
    let outcome = changing.bot.rest.delete_message(changing.channel, args.message_id).await;
    changing.end(outcome, "deleted", Value::Null).await
}

/// Reacts, or takes the reaction away.
pub(super) async fn react(args: &ReactArgs) -> Result<(), Failure> {
    let changing = Changing::new(&args.bot, args.message_id, Act::React).await?;
    let (rest, channel, emoji) = (&changing.bot.rest, changing.channel, args.emoji.as_str());
    if args.remove {
        let outcome = rest.unreact(channel, args.message_id, emoji).await;
        let words = format!("took {emoji} away from");
        changing.end(outcome, &words, json!({ "removed": emoji })).await
    } else {
        let outcome = rest.react(channel, args.message_id, emoji).await;
        changing.end(outcome, &format!("added {emoji} to"), json!({ "added": emoji })).await
    }
}
