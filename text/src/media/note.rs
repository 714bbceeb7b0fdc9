//! What is told of attachments in words, and which are sounds.

use super::Fetched;
use crate::message::Attachment;

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
    fn a_sound_is_what_its_sender_says_it_is() {
        let is_audio = |json: &str| is_audio(&serde_json::from_str(json).unwrap());
        assert!(is_audio(r#"{"filename":"voice-message.ogg","duration_secs":2.5}"#));
        assert!(is_audio(r#"{"filename":"a.mp3","content_type":"audio/mpeg"}"#));
        assert!(!is_audio(r#"{"filename":"b.png","content_type":"image/png"}"#));
    }
}
