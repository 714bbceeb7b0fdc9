//! What is said to Discord, and what it answers.
//!
//! Source: Discord, "Create Message", "Voice Messages". That files can be uploaded before the
//! message is posted is what Discord's own clients do.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use clawvoice_session::ChannelId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::VoiceMessage;

/// The file's name.
const FILE_NAME: &str = "voice-message.ogg";
/// What the file is.
pub(crate) const CONTENT_TYPE: &str = "audio/ogg";
/// Message flag: notifies nobody.
const SUPPRESS_NOTIFICATIONS: u64 = 1 << 12;
/// Message flag: a voice message.
const IS_VOICE_MESSAGE: u64 = 1 << 13;

/// Asks for a place to upload to.
pub(crate) fn slot_request(voice: &VoiceMessage) -> Value {
    json!({ "files": [{ "filename": FILE_NAME, "file_size": voice.ogg.len(), "id": "0" }] })
}

/// The answer to [`slot_request`].
#[derive(Debug, Deserialize)]
pub(crate) struct Slots {
    /// A slot for each file that was asked for.
    pub(crate) attachments: Vec<Slot>,
}

/// Where to upload a file.
#[derive(Debug, Deserialize)]
pub(crate) struct Slot {
    /// Takes the bytes by PUT. Whoever has it may upload: it is not to be logged.
    pub(crate) upload_url: String,
    /// The name by which the message refers to them.
    pub(crate) upload_filename: String,
}

/// The message. `reply_to` names a message of the same channel; one that is gone is no reason to
/// say nothing.
pub(crate) fn message(
    voice: &VoiceMessage,
    uploaded: &str,
    channel: ChannelId,
    silent: bool,
    reply_to: Option<u64>,
) -> Value {
    let silent = if silent { SUPPRESS_NOTIFICATIONS } else { 0 };
    let mut body = json!({
        "flags": IS_VOICE_MESSAGE | silent,
        "attachments": [{
            "id": "0",
            "filename": FILE_NAME,
            "uploaded_filename": uploaded,
            "duration_secs": voice.duration_secs(),
            "waveform": voice.waveform.to_base64(),
        }],
        "nonce": nonce(uploaded),
        "enforce_nonce": true,
    });
    if let Some(message) = reply_to {
        body["message_reference"] = json!({
            "message_id": message.to_string(),
            "channel_id": channel.to_string(),
            "fail_if_not_exists": false,
        });
    }
    body
}

/// The same for the same upload, so that a post that is tried again is not posted twice. At most
/// 25 characters.
fn nonce(uploaded: &str) -> String {
    let mut hasher = DefaultHasher::new();
    uploaded.hash(&mut hasher);
    hasher.finish().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::voice_message::Waveform;

    fn voice() -> VoiceMessage {
        let waveform = Waveform::of(&[i16::MAX; 256]).unwrap();
        VoiceMessage { ogg: vec![0; 1_234], duration_centis: 107, waveform }
    }

    #[test]
    fn a_slot_is_asked_for_and_read() {
        let wanted = json!({
            "files": [{ "filename": "voice-message.ogg", "file_size": 1234, "id": "0" }],
        });
        assert_eq!(slot_request(&voice()), wanted);
        let answer =
            r#"{"attachments":[{"id":0,"upload_url":"https://u","upload_filename":"a/b"}]}"#;
        let slots: Slots = serde_json::from_str(answer).unwrap();
        assert_eq!(slots.attachments[0].upload_filename, "a/b");
    }

    #[test]
    fn a_message_has_no_text_and_both_flags_when_silent() {
        let plain = message(&voice(), "a/b", ChannelId::new(7), false, None);
        assert_eq!(plain["flags"], 8192);
        assert_eq!(plain["attachments"][0]["duration_secs"], 1.07);
        assert_eq!(plain["attachments"][0]["uploaded_filename"], "a/b");
        assert_eq!(plain["attachments"][0]["waveform"].as_str().unwrap().len(), 344);
        assert!(plain.get("content").is_none() && plain.get("message_reference").is_none());
        assert!(plain["nonce"].as_str().unwrap().len() <= 25);

        let silent = message(&voice(), "a/c", ChannelId::new(7), true, Some(9));
        assert_eq!(silent["flags"], 8192 + 4096);
        let reference =
            json!({ "message_id": "9", "channel_id": "7", "fail_if_not_exists": false });
        assert_eq!(silent["message_reference"], reference);
        assert_ne!(silent["nonce"], plain["nonce"]);
    }
}
