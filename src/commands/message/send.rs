//! `clawvoice message send`: a text, files, or a post of a forum.

use clawvoice_session::ChannelId;
use clawvoice_text::{
    place::{Channel, PlaceKind},
    shell::thread_calls::NewThread,
};
use serde_json::{Value, json};

use super::{
    delivery::{Loaded, Sent, Stopped, deliver, load},
    plan::{Plan, Post, Writing, told},
    refusal::{Act, At, in_words},
    roots::admitted,
    target::{self, Place},
    voice,
};
use crate::{
    cli::message::SendArgs,
    commands::as_bot::AsBot,
    printer::{self, Failure},
};

/// Runs the command.
pub(super) async fn run(args: &SendArgs) -> Result<(), Failure> {
    if args.as_voice {
        return voice::send(args).await;
    }
    if args.path.is_some() {
        return Err(Failure::user("--path is the audio file of a voice message")
            .hint("add --as-voice, or give the file by --media"));
    }
    let text = args.message.as_deref().unwrap_or_default();
    if text.trim().is_empty() && args.media.is_empty() {
        return Err(Failure::user("there is nothing to send")
            .hint("give a text by --message, or a file by --media"));
    }
    let (bot, place) = target::find(&args.bot).await?;
    let files = admitted(&bot.config, &args.media)?;
    let channel = look_at(&bot, place).await?;
    let forum = channel.as_ref().filter(|channel| channel.kind == PlaceKind::Forum);
    if forum.is_some() && args.reply_to.is_some() {
        return Err(Failure::user("a post of a forum replies to nothing")
            .hint("leave --reply-to out, or send into the post: it is a channel of its own"));
    }
    let writing = Writing { text, files: &files, reply_to: args.reply_to, silent: args.silent };
    let now = jiff::Timestamp::now().as_millisecond();
    let plan =
        Plan::of(&writing, &bot.config.discord, forum, now).map_err(|no| Failure::user(&no))?;
    let sending = Sending { args, bot: &bot, place, channel: channel.as_ref() };
    if plan.is_empty() {
        return sending.nothing(plan.is_silent);
    }
    if args.dry_run {
        sending.tell(&plan);
        return Ok(());
    }
    sending.run(&plan).await
}

/// The channel, so that a forum is known as one; `None`: somebody's direct messages.
async fn look_at(bot: &AsBot, place: Place) -> Result<Option<Channel>, Failure> {
    let Place::Channel(channel) = place else { return Ok(None) };
    match bot.rest.channel(channel).await {
        Ok(channel) => Ok(Some(channel)),
        // Who looks is told what it takes to send: that is what is wanted.
        Err(failure) => {
            Err(in_words(bot, At::channel(Act::Send { files: false }, channel), &failure).await)
        }
    }
}

struct Sending<'s> {
    args: &'s SendArgs,
    bot: &'s AsBot,
    place: Place,
    channel: Option<&'s Channel>,
}

impl Sending<'_> {
    /// Nothing is left of the text: said so if that was meant, else refused.
    fn nothing(&self, is_silent: bool) -> Result<(), Failure> {
        if !is_silent {
            return Err(Failure::user("nothing is left of the text to send")
                .hint("it is only what models think and tools do, which is never sent"));
        }
        if self.args.bot.json {
            let told = json!({ "ok": true, "account": self.bot.account, "result": null });
            printer::result(format_args!("{told:#}"));
        } else {
            printer::result("nothing is sent: the text says so (NO_REPLY)");
        }
        Ok(())
    }

    /// What would be sent.
    fn tell(&self, plan: &Plan) {
        if self.args.bot.json {
            let messages: Vec<Value> = plan
                .messages
                .iter()
                .map(|it| json!({ "body": it.body, "files": told(&it.files) }))
                .collect();
            let post =
                plan.post.as_ref().map(|post| json!({ "name": post.title, "message": post.first }));
            let told = json!({
                "ok": true, "dryRun": true, "account": self.bot.account,
                "to": self.place.to_string(), "post": post, "messages": messages,
            });
            printer::result(format_args!("{told:#}"));
            return;
        }
        let name = self.channel.map(|channel| format!(" (#{})", channel.name)).unwrap_or_default();
        let place = self.place;
        if let Some(post) = &plan.post {
            printer::result(format_args!("a post in {place}{name}: {}", post.title));
            printer::result(indented(&post.first));
        }
        for message in &plan.messages {
            let files: Vec<String> = message
                .files
                .iter()
                .map(|it| format!("{} ({} bytes)", it.name, it.bytes))
                .collect();
            let files = if files.is_empty() {
                String::new()
            } else {
                format!(", with {}", files.join(", "))
            };
            printer::result(format_args!("a message to {place}{name}{files}:"));
            printer::result(indented(&message.body));
        }
        printer::result("nothing was sent (--dry-run)");
    }

    async fn run(&self, plan: &Plan) -> Result<(), Failure> {
        let loaded = load(plan).await?;
        let (channel, sent) = match &plan.post {
            Some(post) => self.open(post).await?,
            None => {
                let act = Act::Send { files: false };
                (self.place.channel(self.bot, act).await?, Sent::default())
            }
        };
        let is_post = plan.post.is_some();
        let total = plan.messages.len() + usize::from(is_post);
        match self.deliver(channel, &loaded, sent).await {
            Ok(sent) => {
                self.done(channel, &sent, is_post);
                Ok(())
            }
            Err(stopped) => Err(self.stopped(channel, total, &stopped).await),
        }
    }

    async fn deliver(
        &self,
        channel: ChannelId,
        messages: &[Loaded<'_>],
        sent: Sent,
    ) -> Result<Sent, Box<Stopped>> {
        deliver(&self.bot.rest, &self.bot.config.discord, channel, messages, sent).await
    }

    async fn open(&self, post: &Post) -> Result<(ChannelId, Sent), Failure> {
        let act = Act::Send { files: false };
        let forum = self.place.channel(self.bot, act).await?;
        let thread = NewThread { name: post.title.clone(), auto_archive_minutes: None };
        match self.bot.rest.open_post(forum, &thread, &[], &post.first, &[]).await {
            Ok(opened) => {
                let messages = vec![opened.message];
                Ok((opened.thread, Sent { messages, without_files: false }))
            }
            Err(failure) => Err(in_words(self.bot, At::channel(act, forum), &failure).await),
        }
    }

    /// What failed, and what is there all the same.
    async fn stopped(&self, channel: ChannelId, total: usize, stopped: &Stopped) -> Failure {
        let act = Act::Send { files: stopped.files };
        let at = match self.place {
            Place::User(_) => At::place(act, self.place),
            Place::Channel(_) => At::channel(act, channel),
        };
        let mut failure = in_words(self.bot, at, &stopped.failure).await;
        if !stopped.sent.messages.is_empty() {
            let (count, list) = (stopped.sent.messages.len(), stopped.sent.list());
            failure.message =
                format!("{}; {count} of {total} messages were sent: {list}", failure.message);
        }
        failure
    }

    fn done(&self, channel: ChannelId, sent: &Sent, is_post: bool) {
        if sent.without_files {
            printer::progress("Discord rejected the file as too large; the text says so");
        }
        if self.args.bot.json {
            let told = json!({
                "ok": true,
                "account": self.bot.account,
                "result": { "messageId": sent.messages.first(), "channelId": channel },
                "messageIds": sent.messages,
                "post": is_post,
                "attachmentsSkipped": sent.without_files,
            });
            printer::result(format_args!("{told:#}"));
            return;
        }
        let (list, place) = (sent.list(), self.place);
        printer::result(match (is_post, sent.messages.len()) {
            (true, _) => format!("opened post {channel} in {place}"),
            (false, 1) => format!("sent message {list} to {place}"),
            (false, count) => format!("sent {count} messages to {place}: {list}"),
        });
    }
}

fn indented(body: &Value) -> String {
    let text = body["content"].as_str().unwrap_or_default();
    let lines: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
    lines.join("\n")
}
