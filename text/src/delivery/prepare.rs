//! What the agent says, as the messages that are sent.
//!
//! ```text
//! text → directives → silent → traces → tables → mentions → prefix → chunk
//! ```
//!
//! The order matters: a directive before `NO_REPLY` is no answer either, and a table becomes a
//! fence before it is known what is code. Source: OpenClaw, "Discord", outbound text.

use clawvoice_config::MarkdownTables;

use super::{
    chunk::{ChunkLimits, chunk},
    directives::{self, ReplyTag},
    mentions::{self, Handles},
    prefix, silent, tables, traces,
};

/// How text is sent in a place.
#[derive(Clone, Copy, Debug)]
pub struct TextSettings<'a> {
    /// `textChunkLimit`, `maxLinesPerMessage`, `chunkMode`.
    pub limits: ChunkLimits,
    /// `markdown.tables`.
    pub tables: MarkdownTables,
    /// `mentionAliases` and people that were met.
    pub handles: Handles<'a>,
    /// `responsePrefix`, filled in ([`prefix`](super::prefix::prefix)).
    pub prefix: Option<&'a str>,
}

/// An answer that can be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prepared {
    /// The messages, in order, none of them empty. None at all: nothing is to be sent.
    pub chunks: Vec<String>,
    /// The message that the agent wants to answer.
    pub reply_to: Option<ReplyTag>,
    /// The agent said that it has nothing to say.
    pub is_silent: bool,
    /// Audio goes out as a voice message.
    pub voice: bool,
}

/// Makes messages of what the agent says. The envelope is no longer in it.
#[must_use]
pub fn prepare(text: &str, settings: &TextSettings<'_>) -> Prepared {
    let text = text.replace("\r\n", "\n");
    let (text, directives) = directives::take(&text);
    let prepared =
        Prepared { reply_to: directives.reply_to, voice: directives.voice, ..Prepared::default() };
    let Some(text) = silent::without_token(&text) else {
        return Prepared { is_silent: true, ..prepared };
    };
    let text = traces::without_traces(&text);
    let text = tables::convert(&text, settings.tables);
    let text = mentions::resolve(&text, &settings.handles);
    let text = without_blank_ends(&text);
    if text.is_empty() {
        return prepared;
    }
    let text = match settings.prefix {
        Some(prefix) => prefix::put(prefix, text),
        None => text.to_owned(),
    };
    Prepared { chunks: chunk(&text, &settings.limits), ..prepared }
}

/// Without white space at the end and blank lines at the beginning, whose indentation stays.
fn without_blank_ends(text: &str) -> &str {
    let text = text.trim_end();
    let blank = text.len() - text.trim_start().len();
    let line = text.get(..blank).and_then(|blank| blank.rfind('\n')).map_or(0, |end| end + 1);
    text.get(line..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clawvoice_config::ChunkMode;
    use clawvoice_session::MessageId;

    use super::*;
    use crate::delivery::mentions::KnownHandles;

    fn prepared(text: &str, prefix: Option<&str>) -> Prepared {
        let limits = ChunkLimits::of(2000, 17, ChunkMode::Length);
        let known = KnownHandles::default();
        let handles = Handles { aliases: &BTreeMap::new(), known: &known };
        prepare(text, &TextSettings { limits, tables: MarkdownTables::Code, handles, prefix })
    }

    /// Scenario 47 of the text scenarios, as far as the text goes.
    #[test]
    fn a_reply_tag_is_told_and_removed() {
        let answer = prepared("[[reply_to:1]] Hello", None);
        assert_eq!(answer.chunks, ["Hello"]);
        assert_eq!(answer.reply_to, Some(ReplyTag::Id(MessageId::new(1))));
    }

    /// Scenario 55 of the text scenarios, as far as the text goes: what was only envelope is empty
    /// here, and is not sent.
    #[test]
    fn nothing_is_sent_for_nothing() {
        for text in ["", " \n\n", "[[audio_as_voice]]", "thinking: hm"] {
            let answer = prepared(text, Some("[Claw]"));
            assert_eq!((answer.chunks.len(), answer.is_silent), (0, false), "{text:?}");
        }
    }

    #[test]
    fn silence_comes_after_directives_and_before_the_prefix() {
        let answer = prepared("[[reply_to_current]] NO_REPLY", Some("[Claw]"));
        assert!(answer.is_silent && answer.chunks.is_empty());
        assert_eq!(prepared("Done.\nNO_REPLY", None).chunks, ["Done."]);
    }

    #[test]
    fn everything_in_its_order() {
        let text = "\n  [[audio_as_voice]]\r\n🛠️ Exec: ls\n\n\n\n| a | b |\n|---|---|\n| 1 | 2 |\n";
        let answer = prepared(text, Some("[Claw]"));
        let table = "[Claw]\n```\n| a   | b   |\n| --- | --- |\n| 1   | 2   |\n```";
        assert_eq!(answer.chunks, [table]);
        assert!(answer.voice);
        assert_eq!(prepared("  - indented\n", None).chunks, ["  - indented"]);
    }
}
