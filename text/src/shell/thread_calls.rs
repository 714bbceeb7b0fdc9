//! Threads and posts: opens, renames and archives them, and knows who is in them.
//!
//! Source: Discord, "Start Thread from Message", "Start Thread without Message", "Start Thread in
//! Forum or Media Channel", "Modify Channel", "Get Thread Member".

use clawvoice_session::{ChannelId, MessageId, UserId};
use serde::Deserialize;
use serde_json::{Value, json};
use twilight_http::{request::Request, routing::Route};

use super::{
    message_calls::{OutgoingFile, with_files},
    rest::{DiscordRest, RestFailure, read},
};

/// JSON error code: the message has a thread already.
const HAS_A_THREAD: u64 = 160_004;

/// JSON error code: the user is not in the thread.
const UNKNOWN_MEMBER: u64 = 10_007;

/// Discord's type of a public thread.
const PUBLIC: u8 = 11;

/// Discord's type of a private thread.
const PRIVATE: u8 = 12;

/// A thread that is to be opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewThread {
    /// Its name, 1 to 100 characters.
    pub name: String,
    /// After so many minutes of silence it is archived: 60, 1440, 4320 or 10080. `None`: the
    /// channel's own default.
    pub auto_archive_minutes: Option<u16>,
}

/// A thread on a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnMessage {
    /// It; it has the message's id.
    pub thread: ChannelId,
    /// Whether it was there already.
    pub existed: bool,
}

/// A post of a forum or media channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Post {
    /// It: a thread.
    pub thread: ChannelId,
    /// Its first message.
    pub message: MessageId,
}

#[derive(Deserialize)]
struct Opened {
    id: ChannelId,
    #[serde(default)]
    message: Option<First>,
}

#[derive(Deserialize)]
struct First {
    id: MessageId,
}

impl NewThread {
    fn body(&self) -> Value {
        let mut body = json!({ "name": self.name });
        if let Some(minutes) = self.auto_archive_minutes {
            body["auto_archive_duration"] = minutes.into();
        }
        body
    }
}

impl DiscordRest {
    /// Opens a thread on a message, or finds the one that is there.
    ///
    /// # Errors
    ///
    /// 50013: the bot may not; 50024: the channel has no threads.
    pub async fn thread_on_message(
        &self,
        channel: ChannelId,
        message: MessageId,
        thread: &NewThread,
    ) -> Result<OnMessage, RestFailure> {
        let what = "POST /channels/{id}/messages/{id}/threads";
        let (channel_id, message_id) = (channel.get(), message.get());
        let path = Route::CreateThreadFromMessage { channel_id, message_id };
        match self.rest().send(what, &path, Some(&thread.body())).await {
            Ok(answer) => {
                let Opened { id, .. } = read(what, &answer)?;
                Ok(OnMessage { thread: id, existed: false })
            }
            Err(failure) if failure.code() == Some(HAS_A_THREAD) => {
                Ok(OnMessage { thread: ChannelId::new(message_id), existed: true })
            }
            Err(failure) => Err(failure),
        }
    }

    /// Opens a thread that begins with no message. It is asked for again only if the request was
    /// certainly not carried out.
    ///
    /// # Errors
    ///
    /// 50013: the bot may not; 50024: the channel has no threads.
    pub async fn open_thread(
        &self,
        channel: ChannelId,
        thread: &NewThread,
        private: bool,
    ) -> Result<ChannelId, RestFailure> {
        let what = "POST /channels/{id}/threads";
        let mut body = thread.body();
        body["type"] = if private { PRIVATE } else { PUBLIC }.into();
        let path = Route::CreateThread { channel_id: channel.get() };
        let answer = self.rest().send(what, &path, Some(&body)).await?;
        read(what, &answer).map(|Opened { id, .. }| id)
    }

    /// Opens a post in a forum or media channel: `message` is the body of its first message. It is
    /// asked for again only if the request was certainly not carried out.
    ///
    /// # Errors
    ///
    /// 40067: the forum demands a tag; 50013: the bot may not.
    pub async fn open_post(
        &self,
        forum: ChannelId,
        post: &NewThread,
        tags: &[u64],
        message: &Value,
        files: &[OutgoingFile],
    ) -> Result<Post, RestFailure> {
        let what = "POST /channels/{id}/threads";
        let mut body = post.body();
        body["message"] = message.clone();
        if !tags.is_empty() {
            body["applied_tags"] = tags.iter().map(u64::to_string).collect();
        }
        let request = Request::builder(&Route::CreateForumThread { channel_id: forum.get() });
        let request = with_files(request, "/message", body, files);
        let opened: Opened = read(what, &self.rest().built(what, request).await?)?;
        // The first message has the thread's id.
        let first = opened.message.map_or(MessageId::new(opened.id.get()), |first| first.id);
        Ok(Post { thread: opened.id, message: first })
    }

    /// Archives a thread, or fetches it from the archive.
    ///
    /// # Errors
    ///
    /// 50013: the bot may not.
    pub async fn archive_thread(
        &self,
        thread: ChannelId,
        archived: bool,
    ) -> Result<(), RestFailure> {
        self.change_channel(thread, &json!({ "archived": archived })).await
    }

    /// Gives a thread or channel another name; Discord takes two in ten minutes.
    ///
    /// # Errors
    ///
    /// 50013: the bot may not.
    pub async fn rename_channel(&self, channel: ChannelId, name: &str) -> Result<(), RestFailure> {
        self.change_channel(channel, &json!({ "name": name })).await
    }

    async fn change_channel(&self, channel: ChannelId, body: &Value) -> Result<(), RestFailure> {
        let path = Route::UpdateChannel { channel_id: channel.get() };
        self.rest().send("PATCH /channels/{id}", &path, Some(body)).await.map(drop)
    }

    /// Whether somebody is in a thread.
    ///
    /// # Errors
    ///
    /// 10003: there is no such thread; 50001: the bot does not see it.
    pub async fn is_in_thread(&self, thread: ChannelId, user: UserId) -> Result<bool, RestFailure> {
        let path = Route::GetThreadMember { channel_id: thread.get(), user_id: user.get() };
        match self.rest().send("GET /channels/{id}/thread-members/{id}", &path, None).await {
            Ok(_) => Ok(true),
            Err(failure) if failure.code() == Some(UNKNOWN_MEMBER) => Ok(false),
            Err(failure) => Err(failure),
        }
    }
}
