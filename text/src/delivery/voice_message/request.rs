//! What may be sent as a voice message at all.

use std::path::PathBuf;

/// Why a voice message is refused before anything is read or sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Discord takes no text beside a voice message.
    #[error(
        "Voice messages cannot include text content (Discord limitation). Remove the content parameter."
    )]
    Text,
    /// Nothing to send.
    #[error("Voice messages require a media file reference (mediaUrl, path, or filePath).")]
    NoFile,
    /// Only what lies on this machine is sent: a URL would be fetched with this machine's rights.
    #[error("Voice messages require a local file, not a URL. Download it and give its path.")]
    Url,
}

/// The file to be sent, given what was asked for: `media` is the file reference, `content` the
/// text beside it. Text of white space alone counts as none; a voice message needs none.
///
/// # Errors
/// There is text, there is no file, or the file is a URL.
pub fn local_file(media: Option<&str>, content: Option<&str>) -> Result<PathBuf, Refusal> {
    if content.is_some_and(|text| !text.trim().is_empty()) {
        return Err(Refusal::Text);
    }
    let media = media.map(str::trim).filter(|media| !media.is_empty()).ok_or(Refusal::NoFile)?;
    if is_url(media) { Err(Refusal::Url) } else { Ok(PathBuf::from(media)) }
}

/// `scheme://…`, or one of the schemes that need no slashes.
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_scheme = scheme.bytes().next().is_some_and(|first| first.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    is_scheme
        && (rest.starts_with("//")
            || ["data", "blob", "file", "http", "https"]
                .iter()
                .any(|known| scheme.eq_ignore_ascii_case(known)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voice_scenario_50_text_urls_and_nothing_are_refused_in_the_documented_words() {
        let text = "Voice messages cannot include text content (Discord limitation). Remove the \
                    content parameter.";
        let none = "Voice messages require a media file reference (mediaUrl, path, or filePath).";
        let url = "Voice messages require a local file, not a URL. Download it and give its path.";
        let cases = [
            (Some("/a.mp3"), Some("hello"), text),
            (None, Some("hello"), text),
            (None, None, none),
            (Some(" "), Some(""), none),
            (Some("https://example.org/a.mp3"), None, url),
            (Some("HTTP://example.org/a.mp3"), None, url),
            (Some("file:///etc/passwd"), None, url),
            (Some("file:/etc/passwd"), None, url),
            (Some("s3://bucket/a.mp3"), None, url),
            (Some("data:audio/mpeg;base64,AAAA"), None, url),
        ];
        for (media, content, words) in cases {
            let refusal = local_file(media, content).unwrap_err();
            assert_eq!(refusal.to_string(), words, "{media:?} {content:?}");
        }
    }

    #[test]
    fn paths_are_taken_without_text() {
        let paths = ["/a.mp3", "a b.ogg", "C:\\Music\\a.mp3", "./12:30.wav", "x:y.wav"];
        for path in paths {
            assert_eq!(local_file(Some(path), None), Ok(PathBuf::from(path)), "{path}");
            assert_eq!(local_file(Some(path), Some(" \n")), Ok(PathBuf::from(path)), "{path}");
        }
    }
}
