//! What is told of attachments in words, and which messages are spoken.

use super::Fetched;
use crate::message::{Attachment, Message};

/// Message flag `IS_VOICE_MESSAGE`. Source: Discord, "Message Flags".
const VOICE_MESSAGE: u64 = 1 << 13;

/// Whether somebody spoke it instead of writing.
#[must_use]
pub fn is_voice_note(message: &Message) -> bool {
    message.flags & VOICE_MESSAGE != 0 && !message.attachments.is_empty()
}

/// Whether an attachment is a sound, as its sender says.
#[must_use]
pub fn is_audio(attachment: &Attachment) -> bool {
    attachment.duration_secs.is_some()
        || attachment.content_type.as_deref().is_some_and(|kind| kind.starts_with("audio/"))
}

/// What stands in the prompt for attachments that are not there; `None`: all are.
#[must_use]
pub fn unavailable_line(fetched: &[Fetched]) -> Option<String> {
    match fetched.iter().filter(|one| matches!(one, Fetched::Unavailable(_))).count() {
        0 => None,
        1 => Some("[discord attachment unavailable]".to_owned()),
        count => Some(format!("[{count} discord attachments unavailable]")),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Unavailable, *};

    #[test]
    fn missing_attachments_are_counted() {
        let missing = || Fetched::Unavailable(Unavailable::TooMany);
        assert_eq!(unavailable_line(&[]), None);
        assert_eq!(unavailable_line(&[missing()]).unwrap(), "[discord attachment unavailable]");
        let two = unavailable_line(&[missing(), missing()]).unwrap();
        assert_eq!(two, "[2 discord attachments unavailable]");
    }

    #[test]
    fn a_voice_note_bears_the_flag_and_a_sound() {
        let read = |flags: u64, attachments: &str| {
            let json = format!(
                r#"{{"id":"5","channel_id":"6","author":{{"id":"7"}},"flags":{flags},
                "attachments":{attachments}}}"#
            );
            Message::read(&json).unwrap()
        };
        let note = r#"[{"filename":"voice-message.ogg","duration_secs":2.5}]"#;
        assert!(is_voice_note(&read(1 << 13, note)));
        assert!(!is_voice_note(&read(1 << 12, note)));
        assert!(!is_voice_note(&read(1 << 13, "[]")));
        let song = r#"[{"filename":"a.mp3","content_type":"audio/mpeg"},{"filename":"b.png"}]"#;
        let song = read(0, song);
        assert!(is_audio(&song.attachments[0]) && !is_audio(&song.attachments[1]));
    }
}
