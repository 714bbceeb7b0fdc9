//! Commands beside the running agent, on the wire.

mod forget;
mod messages;
mod refusals;
mod send;
mod status;
mod usage;

use std::path::PathBuf;

use localcord::world::{
    Channel, ForumTag, Overwrite, REQUIRE_TAG, Target, bits,
    default::{BOT_USER, GUILD},
    kind,
};
use serde_json::Value;

use super::chat::Chat;
use crate::soon;

const FORUM: u64 = 1_100_000_000_000_000_041;
const STRICT_FORUM: u64 = 1_100_000_000_000_000_042;
const LOCKED: u64 = 1_100_000_000_000_000_043;
const HIDDEN: u64 = 1_100_000_000_000_000_044;
/// A thread of [`LOCKED`].
const THREAD: u64 = 1_100_000_000_000_000_045;
/// The tag of [`STRICT_FORUM`].
const TAG: u64 = 1_100_000_000_000_000_051;

/// How a command ended.
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    #[track_caller]
    fn good(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }

    #[track_caller]
    fn json(self) -> Value {
        let out = self.good();
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }

    /// Something the user can fix; the words, with their hint.
    #[track_caller]
    fn refused(self) -> String {
        assert_eq!(self.code, Some(1), "{}{}", self.out, self.err);
        assert_eq!(self.out, "");
        self.err
    }
}

/// A chat with a forum, one that demands tags, and rooms that are closed to the bot.
struct Desk {
    chat: Chat,
}

impl Desk {
    /// With these keys of `channels.discord`; files are sent from its workspace.
    async fn new(discord: &str) -> Self {
        let chat = Chat::new().await;
        let denied = |deny| Overwrite { target: Target::Role(GUILD), allow: 0, deny };
        let writing = bits::SEND_MESSAGES | bits::SEND_MESSAGES_IN_THREADS;
        let closed = writing | bits::ADD_REACTIONS | bits::CREATE_PUBLIC_THREADS;
        let rooms = [
            (FORUM, kind::FORUM, "help", 0, vec![]),
            (STRICT_FORUM, kind::FORUM, "strict", REQUIRE_TAG, vec![]),
            (LOCKED, kind::TEXT, "locked", 0, vec![denied(closed)]),
            (HIDDEN, kind::TEXT, "hidden", 0, vec![denied(bits::VIEW_CHANNEL)]),
        ];
        chat.scene.server.world().write(|state| {
            for (id, kind, name, flags, overwrites) in rooms {
                let (guild_id, name) = (Some(GUILD), name.to_owned());
                let tags = match flags {
                    0 => Vec::new(),
                    _ => vec![ForumTag { id: TAG, name: "bug".to_owned(), moderated: false }],
                };
                let room = Channel {
                    id,
                    kind,
                    guild_id,
                    name,
                    flags,
                    overwrites,
                    tags,
                    ..Channel::default()
                };
                state.channels.insert(id, room);
            }
        });
        chat.scene.server.world().write(|state| {
            let (guild_id, name) = (Some(GUILD), "inside".to_owned());
            let (id, kind, parent_id) = (THREAD, kind::PUBLIC_THREAD, Some(LOCKED));
            let thread = Channel { id, kind, guild_id, parent_id, name, ..Channel::default() };
            state.channels.insert(THREAD, thread);
        });
        let desk = Self { chat };
        std::fs::create_dir(desk.workspace()).unwrap();
        desk.chat.config(discord, &desk.rest());
        desk
    }

    fn workspace(&self) -> PathBuf {
        self.chat.scene.folder.path().join("workspace")
    }

    /// Keys of the file.
    fn rest(&self) -> String {
        format!("agents: {{ defaults: {{ workspace: '{}' }} }}", self.workspace().display())
    }

    /// A file in the workspace.
    fn file(&self, name: &str, bytes: usize) -> String {
        let path = self.workspace().join(name);
        std::fs::write(&path, vec![b'x'; bytes]).unwrap();
        path.display().to_string()
    }

    async fn runs(&self, args: &[&str]) -> Ended {
        self.runs_as(&self.chat.scene.server.bot_token(), args).await
    }

    async fn runs_as(&self, token: &str, args: &[&str]) -> Ended {
        let folder = self.chat.scene.folder.path();
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_clawvoice"))
            .args(args)
            .env("CLAWVOICE_CONFIG", folder.join("clawvoice.json5"))
            .env("DISCORD_BOT_TOKEN", token)
            .env("HOME", folder)
            .env("NO_COLOR", "1")
            .env_remove("RUST_LOG")
            .kill_on_drop(true)
            .output();
        let output = soon("a command", output).await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let ended = Ended {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        };
        assert!(!ended.out.contains(token) && !ended.err.contains(token), "the token is shown");
        ended
    }

    /// `message send` to a target.
    async fn sends(&self, target: &str, args: &[&str]) -> Ended {
        self.runs(&[&["message", "send", "--target", target], args].concat()).await
    }

    /// What is in a channel: the texts with the number of their files, oldest first.
    fn texts(&self, channel: u64) -> Vec<(String, usize)> {
        self.chat.scene.server.world().read(|state| {
            let all = state.messages.get(&channel).into_iter().flatten();
            all.map(|(_, it)| (it.content.clone(), it.attachments.len())).collect()
        })
    }

    fn newest(&self, channel: u64) -> localcord::world::Message {
        let newest = self.chat.scene.server.world().read(|state| {
            let all = state.messages.get(&channel)?;
            all.last_key_value().map(|(_, message)| message.clone())
        });
        newest.unwrap()
    }

    fn nothing_was_sent(&self) {
        let sent = self.chat.scene.server.world().read(|state| {
            state.messages.values().flatten().filter(|(_, it)| it.author_id == BOT_USER).count()
        });
        assert_eq!(sent, 0);
    }
}

fn channel(id: u64) -> String {
    format!("channel:{id}")
}
