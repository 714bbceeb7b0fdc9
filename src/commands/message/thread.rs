//! `clawvoice message thread create`: a thread on a message or without one, or a post of a forum.

use clawvoice_session::{ChannelId, MessageId};
use clawvoice_text::{
    place::{Channel, PlaceKind},
    shell::{rest::RestFailure, thread_calls::NewThread},
};
use serde_json::json;

use super::{
    delivery::{Sent, deliver, load},
    plan::{Plan, Writing},
    refusal::{Act, At, in_words},
    target::{self, Place},
};
use crate::{
    cli::message::ThreadArgs,
    commands::as_bot::AsBot,
    printer::{self, Failure},
};

/// A thread that is there now.
struct Opened {
    thread: ChannelId,
    /// It was there already.
    existed: bool,
    /// Its first message, of a post.
    sent: Sent,
}

/// Runs the command.
pub(super) async fn create(args: &ThreadArgs) -> Result<(), Failure> {
    let (bot, place) = target::find(&args.bot).await?;
    let parent = parent(&bot, place).await?;
    let is_forum = parent.kind == PlaceKind::Forum;
    check(args, is_forum)?;
    let plan = plan(args, &bot, &parent)?;
    let opened = match open(args, &bot, parent.id, &plan).await {
        Ok(opened) => opened,
        Err(failure) => return Err(at_parent(&bot, args, parent.id, &failure).await),
    };
    let loaded = load(&plan).await?;
    let discord = &bot.config.discord;
    let Opened { thread, existed, sent } = opened;
    let (sent, warning) = match deliver(&bot.rest, discord, thread, &loaded, sent).await {
        Ok(sent) => (sent, None),
        Err(stopped) => {
            let at = At::channel(Act::Send { files: stopped.files }, thread);
            let failure = in_words(&bot, at, &stopped.failure).await;
            (stopped.sent, Some(failure.message))
        }
    };
    // The thread is there: whoever runs the command again would make a second one.
    if let Some(warning) = &warning {
        printer::progress(format_args!("not all of the text was sent into it: {warning}"));
    }
    let (name, parent) = (&args.name, parent.id);
    if args.bot.json {
        let told = json!({
            "ok": true,
            "account": bot.account,
            "thread": { "id": thread, "name": name, "parentId": parent, "existed": existed },
            "messageIds": sent.messages,
            "partial": warning.is_some(),
            "warning": warning,
        });
        printer::result(format_args!("{told:#}"));
    } else {
        printer::result(match (is_forum, existed) {
            (true, _) => format!("opened post {thread} \"{name}\" in channel {parent}"),
            (false, false) => format!("opened thread {thread} \"{name}\" in channel {parent}"),
            (false, true) => format!("the message has a thread already: {thread}"),
        });
    }
    Ok(())
}

/// The channel that it is to be opened in.
async fn parent(bot: &AsBot, place: Place) -> Result<Channel, Failure> {
    let Place::Channel(channel) = place else {
        return Err(Failure::user("there are no threads in direct messages")
            .hint("give a channel of a server: channel:<id>"));
    };
    match bot.rest.channel(channel).await {
        Ok(found) if matches!(found.kind, PlaceKind::Text | PlaceKind::Forum) => Ok(found),
        Ok(found) => {
            let advice = match found.parent {
                Some(parent) => format!("it is a thread itself; its channel is channel:{parent}"),
                None => "threads are opened in text channels, posts in forums".to_owned(),
            };
            Err(Failure::user(format_args!("no thread can be opened in channel {channel}"))
                .hint(advice))
        }
        Err(failure) => Err(in_words(bot, At::channel(Act::OpenThread, channel), &failure).await),
    }
}

fn check(args: &ThreadArgs, is_forum: bool) -> Result<(), Failure> {
    match (is_forum, args.message_id, &args.applied_tag[..]) {
        (true, Some(_), _) => Err(Failure::user("a post begins with a message of its own")
            .hint("leave --message-id out; the text is given by --message")),
        (false, _, [_, ..]) => {
            Err(Failure::user("only posts of a forum have tags").hint("leave --applied-tag out"))
        }
        _ => Ok(()),
    }
}

/// What is written into it: of a post without a text, its name.
fn plan(args: &ThreadArgs, bot: &AsBot, parent: &Channel) -> Result<Plan, Failure> {
    let is_forum = parent.kind == PlaceKind::Forum;
    let given = args.message.as_deref().filter(|text| !text.trim().is_empty());
    let text = given.or(is_forum.then_some(args.name.as_str())).unwrap_or_default();
    let writing = Writing { text, files: &[], reply_to: None, silent: false };
    // Tags that are given are Discord's to judge.
    let has_tags = !args.applied_tag.is_empty();
    let forum = Channel { requires_tag: parent.requires_tag && !has_tags, ..parent.clone() };
    let now = jiff::Timestamp::now().as_millisecond();
    Plan::of(&writing, &bot.config.discord, is_forum.then_some(&forum), now).map_err(|refusal| {
        Failure::user(&refusal).hint("tags are given by --applied-tag, by their ids")
    })
}

async fn open(
    args: &ThreadArgs,
    bot: &AsBot,
    parent: ChannelId,
    plan: &Plan,
) -> Result<Opened, RestFailure> {
    let thread = NewThread { name: args.name.clone(), auto_archive_minutes: args.auto_archive_min };
    let empty = |thread, existed| Opened { thread, existed, sent: Sent::default() };
    if let Some(post) = &plan.post {
        let opened =
            bot.rest.open_post(parent, &thread, &args.applied_tag, &post.first, &[]).await?;
        let sent = Sent { messages: vec![opened.message], without_files: false };
        return Ok(Opened { thread: opened.thread, existed: false, sent });
    }
    match args.message_id {
        Some(message) => {
            let on = bot.rest.thread_on_message(parent, message, &thread).await?;
            Ok(empty(on.thread, on.existed))
        }
        None => Ok(empty(bot.rest.open_thread(parent, &thread, false).await?, false)),
    }
}

async fn at_parent(
    bot: &AsBot,
    args: &ThreadArgs,
    parent: ChannelId,
    failure: &RestFailure,
) -> Failure {
    let at = |message: MessageId| At::message(Act::OpenThread, parent, message);
    let at = args.message_id.map_or_else(|| At::channel(Act::OpenThread, parent), at);
    in_words(bot, at, failure).await
}
