//! Pictures of a turn: how many, and how large, the model is shown.

use clawvoice_session::brain::Image;

use super::{SavedFile, sniff::MediaKind};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::history::{MOST_IMAGE_BYTES, MOST_IMAGES};

/// What is left of the room for pictures. The message's own come first, then those of what was
/// said before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImageRoom {
    count: usize,
    bytes: u64,
}

impl Default for ImageRoom {
    fn default() -> Self {
        Self { count: MOST_IMAGES, bytes: MOST_IMAGE_BYTES }
    }
}

impl ImageRoom {
    /// Those of the files that are pictures and fit, in their order. One that is too large costs
    /// itself alone.
    pub(crate) fn choose<'f>(
        &mut self,
        files: impl IntoIterator<Item = &'f SavedFile>,
    ) -> Vec<&'f SavedFile> {
        let pictures = files.into_iter().filter(|file| file.kind.is_image());
        let fitting = pictures.filter(|file| {
            let left = self.bytes.checked_sub(file.bytes).filter(|_| self.count > 0);
            if let Some(left) = left {
                (self.count, self.bytes) = (self.count - 1, left);
            }
            left.is_some()
        });
        fitting.collect()
    }
}

/// A picture as models are shown it; `None`: it is none.
pub(crate) fn shown(kind: MediaKind, bytes: &[u8]) -> Option<Image> {
    let media_type = kind.media_type().filter(|_| kind.is_image())?;
    let url = format!("data:{media_type};base64,{}", STANDARD.encode(bytes));
    Some(Image { url: url.into() })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn file(name: &str, kind: MediaKind, bytes: u64) -> SavedFile {
        SavedFile { path: PathBuf::from(name), kind, bytes, text: None }
    }

    #[test]
    fn four_pictures_and_ten_mebibytes_at_most() {
        let mega = 1 << 20;
        let files = [
            file("a", MediaKind::Png, 9 * mega),
            file("large", MediaKind::Jpeg, 2 * mega),
            file("text", MediaKind::Text, 1),
            file("b", MediaKind::Gif, mega),
        ];
        let mut room = ImageRoom::default();
        let names = |chosen: Vec<&SavedFile>| -> Vec<String> {
            chosen.iter().map(|file| file.path.display().to_string()).collect()
        };
        assert_eq!(names(room.choose(&files)), ["a", "b"]);
        let empty: Vec<SavedFile> =
            ["c", "d", "e"].iter().map(|name| file(name, MediaKind::WebP, 0)).collect();
        assert_eq!(names(room.choose(&empty)), ["c", "d"]);
        assert!(room.choose(&empty).is_empty());
    }

    #[test]
    fn a_picture_is_told_with_its_kind_and_nothing_else_is() {
        let image = shown(MediaKind::Png, b"\x00\x01").unwrap();
        assert_eq!(&*image.url, "data:image/png;base64,AAE=");
        assert!(shown(MediaKind::Text, b"hi").is_none() && shown(MediaKind::Other, b"").is_none());
    }
}
