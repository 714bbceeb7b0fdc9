//! What a file is. Its sender's word counts for nothing, its first bytes do.

/// The longest text that is read, in bytes.
pub(crate) const MAX_TEXT: usize = 64 * 1024;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// A PNG image.
    Png,
    /// A JPEG image.
    Jpeg,
    /// A GIF image.
    Gif,
    /// A WebP image.
    WebP,
    /// A sound in one of the usual forms.
    Audio,
    /// Words: readable, short, and sent as such.
    Text,
    /// Anything else.
    Other,
}

impl MediaKind {
    /// Whether models may be shown it.
    #[must_use]
    pub const fn is_image(self) -> bool {
        self.media_type().is_some() && !matches!(self, Self::Text)
    }

    /// In a word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Png | Self::Jpeg | Self::Gif | Self::WebP => "image",
            Self::Audio => "audio",
            Self::Text => "text",
            Self::Other => "file",
        }
    }

    /// The media type of images and text.
    #[must_use]
    pub const fn media_type(self) -> Option<&'static str> {
        match self {
            Self::Png => Some("image/png"),
            Self::Jpeg => Some("image/jpeg"),
            Self::Gif => Some("image/gif"),
            Self::WebP => Some("image/webp"),
            Self::Text => Some("text/plain"),
            Self::Audio | Self::Other => None,
        }
    }
}

/// What a file is and, of a text, what it says. `head`: its beginning, of a short file all of it.
/// `claimed`: its media type as its sender claims.
pub(crate) fn sniff(head: &[u8], bytes: u64, claimed: Option<&str>) -> (MediaKind, Option<String>) {
    if let Some(kind) = by_magic(head) {
        return (kind, None);
    }
    let whole = u64::try_from(head.len()) == Ok(bytes) && head.len() <= MAX_TEXT;
    let is_claimed = claimed.is_some_and(|claimed| {
        claimed.trim_start().get(..5).is_some_and(|start| start.eq_ignore_ascii_case("text/"))
    });
    match std::str::from_utf8(head) {
        Ok(text) if whole && is_claimed && !text.contains('\0') => {
            let text = text.strip_prefix('\u{feff}').unwrap_or(text);
            (MediaKind::Text, Some(text.to_owned()))
        }
        _ => (MediaKind::Other, None),
    }
}

fn by_magic(head: &[u8]) -> Option<MediaKind> {
    let riff = |form: &[u8]| head.starts_with(b"RIFF") && head.get(8..12) == Some(form);
    let mp4_audio = || head.get(4..8) == Some(b"ftyp") && head.get(8..11) == Some(b"M4A");
    // MPEG audio: eleven set bits, and layer II or III, or ADTS. A text in UTF-16 may begin with
    // what would be layer I.
    let mpeg = || match head {
        [0xff, second, ..] => {
            (second & 0xe0 == 0xe0 && matches!(second & 0x06, 0x02 | 0x04)) || second & 0xf6 == 0xf0
        }
        _ => false,
    };
    if head.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some(MediaKind::Png)
    } else if head.starts_with(b"\xff\xd8\xff") {
        Some(MediaKind::Jpeg)
    } else if head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a") {
        Some(MediaKind::Gif)
    } else if riff(b"WEBP") {
        Some(MediaKind::WebP)
    } else if head.starts_with(b"OggS")
        || head.starts_with(b"fLaC")
        || head.starts_with(b"ID3")
        || riff(b"WAVE")
        || mp4_audio()
        || mpeg()
    {
        Some(MediaKind::Audio)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(head: &[u8], claimed: &str) -> MediaKind {
        sniff(head, head.len() as u64, Some(claimed)).0
    }

    #[test]
    fn the_first_bytes_tell() {
        let cases: [(&[u8], MediaKind); 12] = [
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", MediaKind::Png),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", MediaKind::Jpeg),
            (b"GIF89a\x01\0", MediaKind::Gif),
            (b"RIFF\x10\0\0\0WEBPVP8 ", MediaKind::WebP),
            (b"RIFF\x10\0\0\0WAVEfmt ", MediaKind::Audio),
            (b"OggS\0\x02", MediaKind::Audio),
            (b"ID3\x04", MediaKind::Audio),
            (b"\xff\xfb\x90\x64", MediaKind::Audio),
            (b"\0\0\0\x20ftypM4A ", MediaKind::Audio),
            (b"PK\x03\x04", MediaKind::Other),
            (b"\xff\xfeh\0i\0", MediaKind::Other),
            (b"<svg xmlns=\"http://www.w3.org/2000/svg\">", MediaKind::Other),
        ];
        for (head, expected) in cases {
            assert_eq!(kind(head, "image/png"), expected, "{head:?}");
        }
    }

    #[test]
    fn a_text_is_one_if_it_is_short_readable_and_sent_as_one() {
        assert_eq!(sniff(b"", 0, Some("text/plain")), (MediaKind::Text, Some(String::new())));
        let text = |head: &[u8], claimed| sniff(head, head.len() as u64, claimed).1;
        let read = Some("grüß dich".to_owned());
        assert_eq!(text("grüß dich".as_bytes(), Some("text/plain; charset=utf-8")), read);
        assert_eq!(text("\u{feff}grüß dich".as_bytes(), Some("Text/Markdown")), read);
        assert_eq!(text(b"hello", Some("application/octet-stream")), None);
        assert_eq!(text(b"hello", None), None);
        assert_eq!(text(b"\xe4\xf6", Some("text/plain")), None);
        assert_eq!(text(b"a\0b", Some("text/plain")), None);
        assert_eq!(sniff(b"hel", 5, Some("text/plain")), (MediaKind::Other, None));
        assert!(text(&vec![b'a'; MAX_TEXT], Some("text/plain")).is_some());
        assert!(text(&vec![b'a'; MAX_TEXT + 1], Some("text/plain")).is_none());
    }

    #[test]
    fn images_are_what_models_are_shown() {
        assert!(MediaKind::WebP.is_image() && MediaKind::Gif.is_image());
        assert!(!MediaKind::Text.is_image() && !MediaKind::Audio.is_image());
        assert!(!MediaKind::Other.is_image());
    }
}
