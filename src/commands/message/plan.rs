//! What is sent for a text and files: messages, or a post of a forum and what follows in it.

use clawvoice_config::Discord;
use clawvoice_session::MessageId;
use clawvoice_text::{
    delivery::{
        Handles, KnownHandles, ReplyTag,
        body::{Content, NewMessage},
        chunk::{ChunkLimits, chunk},
        failure::without_attachment,
        forum::{self, ForumRefusal},
        outgoing_file::OutgoingFile,
        prepare::{Prepared, TextSettings, prepare},
    },
    envelope::{Marker, strip},
    place::Channel,
};
use serde_json::{Value, json};

/// Files of one message. Source: Discord, "Create Message", `files[n]`.
const MOST_FILES: usize = 10;

/// What is to be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writing<'a> {
    pub(super) text: &'a str,
    pub(super) files: &'a [OutgoingFile],
    pub(super) reply_to: Option<MessageId>,
    pub(super) silent: bool,
}

/// A message of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Planned {
    /// Discord's JSON.
    pub(super) body: Value,
    /// What goes along.
    pub(super) files: Vec<OutgoingFile>,
}

/// The post that it begins with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Post {
    /// Its title.
    pub(super) title: String,
    /// Its first message.
    pub(super) first: Value,
}

/// All of it, in the order in which it is sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plan {
    /// In a forum.
    pub(super) post: Option<Post>,
    /// The messages, of a post those behind its first.
    pub(super) messages: Vec<Planned>,
    /// The text says that there is nothing to say.
    pub(super) is_silent: bool,
}

impl Plan {
    /// Of a writing, sent by these settings. `now_unix_ms` is the title of a post without words.
    pub(super) fn of(
        writing: &Writing<'_>,
        discord: &Discord,
        forum: Option<&Channel>,
        now_unix_ms: i64,
    ) -> Result<Self, ForumRefusal> {
        let limits = ChunkLimits::new(&discord.delivery);
        let prepared = prepared(writing.text, discord, limits);
        let mut plan = Self { is_silent: prepared.is_silent, ..Self::default() };
        let mut chunks = prepared.chunks.iter().map(String::as_str);
        let is_something = !prepared.chunks.is_empty() || !writing.files.is_empty();
        let forum = forum.filter(|_| is_something);
        let reply_to = writing.reply_to.or(match prepared.reply_to {
            Some(ReplyTag::Id(message)) => Some(message),
            Some(ReplyTag::Current) | None => None,
        });
        let suppress_embeds = discord.delivery.suppress_embeds;
        let content = |text| Content { text, suppress_embeds, ..Content::default() };
        let message = |text, reply_to| NewMessage {
            content: content(text),
            silent: writing.silent,
            reply_to,
            nonce: "",
        };
        let mut batches = writing.files.chunks(MOST_FILES);
        if let Some(forum) = forum {
            let first = message(chunks.next().unwrap_or_default(), None);
            plan.post = Some(Post::of(forum::post(forum, &first, now_unix_ms)?));
        } else {
            let (text, files) = (chunks.next(), batches.next());
            if text.is_some() || files.is_some() {
                let body = unmarked(&message(text.unwrap_or_default(), reply_to));
                plan.messages.push(Planned { body, files: files.unwrap_or_default().to_vec() });
            }
        }
        for files in batches {
            let body = unmarked(&message("", None));
            plan.messages.push(Planned { body, files: files.to_vec() });
        }
        for text in chunks {
            let body = unmarked(&message(text, None));
            plan.messages.push(Planned { body, files: Vec::new() });
        }
        Ok(plan)
    }

    /// Whether there is nothing to send.
    pub(super) fn is_empty(&self) -> bool {
        self.post.is_none() && self.messages.is_empty()
    }
}

impl Post {
    fn of(mut body: Value) -> Self {
        let first = body["message"].take();
        let title = body["name"].as_str().unwrap_or_default().to_owned();
        Self { title, first }
    }
}

impl Planned {
    /// What is sent in place of a message whose files Discord did not take: its text, and a word
    /// about them.
    pub(super) fn without_files(&self, discord: &Discord) -> Vec<Value> {
        let text = without_attachment(self.body["content"].as_str().unwrap_or_default());
        let chunks = chunk(&text, &ChunkLimits::new(&discord.delivery));
        let with_text = |(at, text): (usize, String)| {
            let mut body = self.body.clone();
            body["content"] = text.into();
            if let (1.., Some(fields)) = (at, body.as_object_mut()) {
                fields.remove("message_reference");
            }
            body
        };
        chunks.into_iter().enumerate().map(with_text).collect()
    }
}

/// A text that takes the place of a message's: one message, however many lines.
pub(super) fn one_text(text: &str, discord: &Discord) -> Prepared {
    let mode = discord.delivery.streaming.chunk_mode;
    prepared(text, discord, ChunkLimits::of(usize::MAX, usize::MAX, mode))
}

/// The body of a message's new text.
pub(super) fn edit_body(text: &str, discord: &Discord) -> Value {
    let suppress_embeds = discord.delivery.suppress_embeds;
    Content { text, suppress_embeds, ..Content::default() }.edit_body()
}

fn prepared(text: &str, discord: &Discord, limits: ChunkLimits) -> Prepared {
    // Nothing of this process is in it; of others it is known by its lines.
    let text = strip(text, &Marker::new([0; 16]));
    let known = KnownHandles::default();
    let handles = Handles { aliases: &discord.access.mention_aliases, known: &known };
    let tables = discord.delivery.tables;
    prepare(&text, &TextSettings { limits, tables, handles, prefix: None })
}

/// The body without a nonce: whoever sends it makes one.
fn unmarked(message: &NewMessage<'_>) -> Value {
    let mut body = message.body();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("nonce");
        fields.remove("enforce_nonce");
    }
    body
}

/// Files as they are told.
pub(super) fn told(files: &[OutgoingFile]) -> Value {
    let one =
        |file: &OutgoingFile| json!({ "name": file.name, "path": file.path, "bytes": file.bytes });
    files.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        path::{Path, PathBuf},
    };

    use super::*;

    fn discord(keys: &str) -> Discord {
        let text = format!("{{ channels: {{ discord: {{ token: 'a.b.c', {keys} }} }} }}");
        let env = BTreeMap::<String, String>::new();
        clawvoice_config::parse(&text, Path::new("x.json5"), &env).unwrap().discord
    }

    fn file(name: &str) -> OutgoingFile {
        OutgoingFile { path: PathBuf::from("/w").join(name), name: name.to_owned(), bytes: 1 }
    }

    fn forum() -> Channel {
        Channel::read(r#"{"id":"5","type":15,"name":"help"}"#, None).unwrap()
    }

    fn plan(keys: &str, writing: Writing<'_>, forum: Option<&Channel>) -> Plan {
        Plan::of(&writing, &discord(keys), forum, 0).unwrap()
    }

    fn writing<'a>(text: &'a str, files: &'a [OutgoingFile]) -> Writing<'a> {
        Writing { text, files, reply_to: None, silent: false }
    }

    fn contents(plan: &Plan) -> Vec<(&str, usize)> {
        let texts = plan.messages.iter().filter_map(|it| it.body["content"].as_str());
        texts.zip(plan.messages.iter().map(|it| it.files.len())).collect()
    }

    #[test]
    fn the_first_message_carries_the_files_and_the_reply() {
        let files = [file("a.png"), file("b.png")];
        let asked = Writing {
            reply_to: Some(MessageId::new(9)),
            silent: true,
            ..writing("one\ntwo", &files)
        };
        let plan = plan("maxLinesPerMessage: 1", asked, None);
        assert_eq!(contents(&plan), [("one", 2), ("two", 0)]);
        let first = &plan.messages[0].body;
        assert_eq!(first["message_reference"]["message_id"], "9");
        assert_eq!((&first["flags"], first.get("nonce")), (&json!(4 + 4096), None));
        assert_eq!(plan.messages[1].body.get("message_reference"), None);
        assert_eq!(plan.messages[1].body["flags"], 4 + 4096);
    }

    #[test]
    fn a_tag_makes_a_reply_and_more_than_ten_files_more_messages() {
        let files: Vec<OutgoingFile> = (0..11).map(|n| file(&n.to_string())).collect();
        let plan = plan("", writing("[[reply_to:7]]\nhi", &files), None);
        assert_eq!(contents(&plan), [("hi", 10), ("", 1)]);
        assert_eq!(plan.messages[0].body["message_reference"]["message_id"], "7");
    }

    /// Scenario 50 of the text scenarios, as far as it is planned.
    #[test]
    fn a_post_begins_with_the_first_piece_then_come_the_files_then_the_rest() {
        let files = [file("a.png")];
        let plan = plan("maxLinesPerMessage: 1", writing("How to?\nso", &files), Some(&forum()));
        let post = plan.post.as_ref().unwrap();
        assert_eq!((post.title.as_str(), &post.first["content"]), ("How to?", &json!("How to?")));
        assert_eq!(contents(&plan), [("", 1), ("so", 0)]);
    }

    #[test]
    fn nothing_makes_nothing_also_in_a_forum() {
        for (text, is_silent) in [("NO_REPLY", true), (" \n", false), ("thinking: hm", false)] {
            let plan = plan("", writing(text, &[]), Some(&forum()));
            assert!(plan.is_empty(), "{plan:?}");
            assert_eq!(plan.is_silent, is_silent, "{text}");
        }
    }

    #[test]
    fn a_text_without_its_files_says_so_in_as_many_messages_as_it_takes() {
        let asked = Writing { reply_to: Some(MessageId::new(9)), ..writing("", &[]) };
        let long = "x".repeat(1_990);
        let files = [file("a.png")];
        let plan = plan("", Writing { text: &long, files: &files, ..asked }, None);
        let bodies = plan.messages[0].without_files(&discord(""));
        let texts: Vec<&str> = bodies.iter().map(|it| it["content"].as_str().unwrap()).collect();
        let notice = "[Attachment skipped: Discord rejected the file as too large.]";
        assert_eq!(texts, [long.as_str(), notice]);
        assert_eq!(bodies[0]["message_reference"]["message_id"], "9");
        assert_eq!(bodies[1].get("message_reference"), None);
    }

    #[test]
    fn an_edit_is_one_text_of_any_number_of_lines() {
        let lines = "x\n".repeat(100);
        assert_eq!(one_text(&lines, &discord("maxLinesPerMessage: 1")).chunks.len(), 1);
        assert_eq!(one_text(&"x".repeat(2_001), &discord("")).chunks.len(), 2);
    }
}
