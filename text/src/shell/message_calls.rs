//! Writes, changes, reads and deletes messages.
//!
//! Source: Discord, "Create Message", "Edit Message", "Get Channel Messages", "Uploading Files",
//! "Trigger Typing Indicator".

use bytes::Bytes;
use clawvoice_session::{ChannelId, MessageId};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json, value::RawValue};
use twilight_http::{
    request::{Form, Method, Request, RequestBuilder},
    routing::Route,
};

use super::rest::{DiscordRest, RestFailure, read};
use crate::{message::Message, requests::nonce};

/// Messages that one call lists at most.
const MAX_LISTED: u16 = 100;

/// Longest file name that is sent, in bytes.
const MAX_NAME: usize = 200;

/// A message that is there now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Created {
    /// Its id.
    pub id: MessageId,
    /// The channel or thread it is in.
    #[serde(rename = "channel_id")]
    pub channel: ChannelId,
}

/// A file that goes along with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingFile {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub bytes: Bytes,
    /// What a screen reader says of it.
    pub description: Option<String>,
}

/// Which messages of a channel are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// The newest.
    Newest,
    /// Those right before one.
    Before(MessageId),
    /// Those right after one.
    After(MessageId),
    /// Those around one, itself among them.
    Around(MessageId),
}

impl DiscordRest {
    /// Posts a message. `body` is Discord's JSON; if it has no `nonce`, it is given one, so that it is
    /// posted once however often it is asked for.
    ///
    /// # Errors
    ///
    /// As Discord says; among others 50007: the user takes no direct messages, 50013: a permission
    /// is missing, 40005: the files are too large.
    pub async fn create_message(
        &self,
        channel: ChannelId,
        body: &Value,
    ) -> Result<Created, RestFailure> {
        self.create_message_with(channel, body, &[]).await
    }

    /// Posts a message with files. Their descriptions go into the body's `attachments`.
    ///
    /// # Errors
    ///
    /// As [`Self::create_message`]; and if what is sent is too large for Discord, status 413.
    pub async fn create_message_with(
        &self,
        channel: ChannelId,
        body: &Value,
        files: &[OutgoingFile],
    ) -> Result<Created, RestFailure> {
        let what = "POST /channels/{id}/messages";
        let mut body = body.clone();
        nonce::enforce(&mut body, rand::random());
        let request = Request::builder(&Route::CreateMessage { channel_id: channel.get() });
        let request = with_files(request, "", body, files);
        read(what, &self.rest().built(what, request).await?)
    }

    /// Changes a message of the bot's.
    ///
    /// # Errors
    ///
    /// 10008: it is gone; 50005: it is somebody else's.
    pub async fn edit_message(
        &self,
        channel: ChannelId,
        message: MessageId,
        body: &Value,
    ) -> Result<(), RestFailure> {
        let path = Route::UpdateMessage { channel_id: channel.get(), message_id: message.get() };
        self.rest().send("PATCH /channels/{id}/messages/{id}", &path, Some(body)).await.map(drop)
    }

    /// Deletes a message.
    ///
    /// # Errors
    ///
    /// 10008: it is gone already; 50013: it is somebody else's.
    pub async fn delete_message(
        &self,
        channel: ChannelId,
        message: MessageId,
    ) -> Result<(), RestFailure> {
        let path = Route::DeleteMessage { channel_id: channel.get(), message_id: message.get() };
        self.rest().send("DELETE /channels/{id}/messages/{id}", &path, None).await.map(drop)
    }

    /// A message.
    ///
    /// # Errors
    ///
    /// 10008: there is none.
    pub async fn message(
        &self,
        channel: ChannelId,
        message: MessageId,
    ) -> Result<Message, RestFailure> {
        let what = "GET /channels/{id}/messages/{id}";
        let path = Route::GetMessage { channel_id: channel.get(), message_id: message.get() };
        self.rest().get(what, &path).await
    }

    /// Messages of a channel, newest first; 1 to 100. What cannot be read is left out.
    ///
    /// # Errors
    ///
    /// 50001 or 50013: the bot may not read them.
    pub async fn messages(
        &self,
        channel: ChannelId,
        page: Page,
        limit: u16,
    ) -> Result<Vec<Message>, RestFailure> {
        let all: Vec<Box<RawValue>> = self.list(channel, page, limit).await?;
        Ok(all.iter().filter_map(|one| Message::read(one.get()).ok()).collect())
    }

    /// The same as Discord tells them, with everything that is in them.
    ///
    /// # Errors
    ///
    /// As [`Self::messages`].
    pub async fn messages_as_told(
        &self,
        channel: ChannelId,
        page: Page,
        limit: u16,
    ) -> Result<Vec<Value>, RestFailure> {
        self.list(channel, page, limit).await
    }

    async fn list<T: DeserializeOwned>(
        &self,
        channel: ChannelId,
        page: Page,
        limit: u16,
    ) -> Result<Vec<T>, RestFailure> {
        let limit = limit.clamp(1, MAX_LISTED);
        let place = match page {
            Page::Newest => String::new(),
            Page::Before(message) => format!("&before={message}"),
            Page::After(message) => format!("&after={message}"),
            Page::Around(message) => format!("&around={message}"),
        };
        let what = "GET /channels/{id}/messages";
        let path = format!("channels/{channel}/messages?limit={limit}{place}");
        let answer = self.rest().built(what, RequestBuilder::raw(Method::Get, path)).await?;
        read(what, &answer)
    }

    /// Shows for ten seconds, or until a message comes, that the bot is typing.
    ///
    /// # Errors
    ///
    /// 50013: it may not write there.
    pub async fn typing(&self, channel: ChannelId) -> Result<(), RestFailure> {
        let path = Route::CreateTypingTrigger { channel_id: channel.get() };
        self.rest().send("POST /channels/{id}/typing", &path, None).await.map(drop)
    }
}

/// A request with a JSON body, and files beside it if there are any. `at`: the JSON pointer to what
/// the files are attached to.
pub(super) fn with_files(
    request: RequestBuilder,
    at: &str,
    mut body: Value,
    files: &[OutgoingFile],
) -> RequestBuilder {
    if files.is_empty() {
        return request.json(&body);
    }
    if let Some(message) = body.pointer_mut(at).and_then(Value::as_object_mut) {
        message.entry("attachments").or_insert_with(|| attachments(files));
    }
    let form = Form::new().json_part(b"payload_json", body.to_string().as_bytes());
    let form = files.iter().enumerate().fold(form, |form, (n, file)| {
        let name = header_name(&file.name);
        form.file_part(format!("files[{n}]").as_bytes(), name.as_bytes(), &file.bytes)
    });
    request.form(form)
}

fn attachments(files: &[OutgoingFile]) -> Value {
    let described = files.iter().enumerate().map(|(n, file)| {
        let mut attachment = json!({ "id": n, "filename": header_name(&file.name) });
        if let Some(description) = &file.description {
            attachment["description"] = description.as_str().into();
        }
        attachment
    });
    described.collect()
}

/// A file name that can stand in a header: nothing in it ends the name, the line or the folder.
fn header_name(name: &str) -> String {
    let harmless = |c: char| match c {
        '"' | '\\' | '/' => '_',
        c if c.is_control() => '_',
        c => c,
    };
    let mut short = String::new();
    for c in name.trim().chars().map(harmless) {
        if short.len() + c.len_utf8() > MAX_NAME {
            break;
        }
        short.push(c);
    }
    if short.is_empty() { "file".to_owned() } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_within_its_header() {
        let cases = [
            ("a.png", "a.png"),
            ("bericht für ada.txt", "bericht für ada.txt"),
            ("x\"\r\nContent-Type: text/html", "x___Content-Type: text_html"),
            ("../../etc/passwd", ".._.._etc_passwd"),
            ("", "file"),
        ];
        for (name, expected) in cases {
            assert_eq!(header_name(name), expected);
        }
        assert_eq!(header_name(&"ü".repeat(300)).len(), MAX_NAME);
    }
}
