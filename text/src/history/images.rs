//! Images in the window that the agent is shown.

use std::time::Duration;

use super::Entry;
use crate::message::Attachment;

/// The most images of a turn.
pub const MOST_IMAGES: usize = 4;
/// The most bytes of all of them together.
pub const MOST_IMAGE_BYTES: u64 = 10 << 20;
/// An image that sends nothing for so long is given up.
pub const IMAGE_IDLE: Duration = Duration::from_secs(1);
/// After so long, the turn goes on with what there is.
pub const IMAGES_TOTAL: Duration = Duration::from_secs(3);

/// The newest images that fit, oldest first. One that is too large costs itself alone.
#[must_use]
pub fn images(entries: &[Entry]) -> Vec<&Attachment> {
    let mut room = MOST_IMAGE_BYTES;
    let newest = entries.iter().rev().flat_map(|entry| entry.attachments.iter().rev());
    let fitting = newest.filter(|file| is_image(file)).filter(|file| {
        let left = room.checked_sub(file.size);
        room = left.unwrap_or(room);
        left.is_some()
    });
    let mut chosen: Vec<_> = fitting.take(MOST_IMAGES).collect();
    chosen.reverse();
    chosen
}

fn is_image(file: &Attachment) -> bool {
    file.content_type.as_deref().is_some_and(|kind| kind.starts_with("image/"))
}

#[cfg(test)]
mod tests {
    use clawvoice_session::{MessageId, UserId};

    use super::*;

    fn file(name: &str, kind: &str, size: u64) -> Attachment {
        Attachment {
            filename: name.to_owned(),
            content_type: Some(kind.to_owned()),
            size,
            url: String::new(),
            duration_secs: None,
        }
    }

    fn entry(attachments: Vec<Attachment>) -> Entry {
        Entry {
            message: MessageId::new(1),
            sender: UserId::new(7),
            plural: None,
            label: String::new(),
            body: String::new(),
            attachments,
        }
    }

    #[test]
    fn the_newest_that_fit() {
        let mega = 1 << 20;
        let entries = [
            entry(vec![file("a", "image/png", 1)]),
            entry(vec![file("b", "image/png", mega), file("huge", "image/png", 11 * mega)]),
            entry(vec![file("c", "image/gif", mega), file("text", "text/plain", 1)]),
            entry(vec![file("d", "image/png", mega), file("e", "image/webp", 6 * mega)]),
        ];
        let names =
            |entries| images(entries).iter().map(|file| &*file.filename).collect::<Vec<_>>();
        assert_eq!(names(&entries), ["b", "c", "d", "e"]);
        assert_eq!(names(&entries[..2]), ["a", "b"]);
        let full = [entry(vec![file("a", "image/png", 1), file("b", "image/png", 10 * mega)])];
        assert_eq!(names(&full), ["b"]);
    }
}
