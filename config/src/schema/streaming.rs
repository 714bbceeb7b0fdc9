//! `channels.discord.streaming`: what is seen of an answer before it is ready.

use crate::{
    cursor::{Block, Section, Word as _, join},
    describe::Kind,
    error::Problem,
    field::Field,
    schema::declare::{block, words},
};

words! {
    /// `streaming.mode`.
    StreamingMode {
        /// The answer when it is ready.
        Off = "off",
        /// One message that grows.
        Partial = "partial",
        /// Pieces of it.
        Block = "block",
        /// What is being done, then the answer.
        Progress = "progress",
    }
}

words! {
    /// `streaming.chunkMode`: where long answers are cut.
    ChunkMode {
        /// As late as possible.
        Length = "length",
        /// At blank lines.
        Newline = "newline",
    }
}

words! {
    /// `breakPreference`: where a preview is cut.
    BreakPreference {
        /// At a paragraph.
        Paragraph = "paragraph",
        /// At a line.
        Newline = "newline",
        /// At a sentence.
        Sentence = "sentence",
    }
}

words! {
    /// `commandText`: how commands are shown while they run.
    CommandText {
        /// As they are.
        Raw = "raw",
        /// That one runs.
        Status = "status",
    }
}

block! {
    /// `streaming.preview.chunk`, characters.
    PreviewChunk {
        /// Default 200.
        min_chars: u32 = whole_or("minChars", 1, 100_000, 200),
        /// Default 800; at most `textChunkLimit` is used.
        max_chars: u32 = whole_or("maxChars", 1, 100_000, 800),
        /// Default `paragraph`.
        break_preference: BreakPreference = word_or("breakPreference", BreakPreference::Paragraph),
    }
}

block! {
    /// `streaming.block.coalesce`.
    Coalesce {
        /// Default 1500 characters.
        min_chars: u32 = whole_or("minChars", 1, 100_000, 1_500),
        /// Characters.
        max_chars: Option<u32> = whole("maxChars", 1, 100_000),
        /// Default 1000 ms.
        idle: std::time::Duration = millis_or("idleMs", 0, 600_000, 1_000),
    }
}

/// `streaming.progress.label`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProgressLabel {
    /// `"auto"`, or one of `labels`.
    Auto(Vec<String>),
    /// This text.
    Text(String),
    /// `false`.
    None,
}

/// `channels.discord.streaming`.
#[derive(Clone, Debug, PartialEq)]
pub struct Streaming {
    /// `mode`. Default `progress`.
    pub mode: StreamingMode,
    /// `chunkMode`. Default `length`.
    pub chunk_mode: ChunkMode,
    /// `preview.chunk`.
    pub preview_chunk: PreviewChunk,
    /// `preview.toolProgress`. Default on.
    pub preview_tool_progress: bool,
    /// `preview.commandText`. Default `raw`.
    pub preview_command_text: CommandText,
    /// `progress.label`. Default `auto`.
    pub label: ProgressLabel,
    /// `progress.maxLines`. Default 8.
    pub max_lines: u32,
    /// `progress.maxLineChars`. Default 120.
    pub max_line_chars: u32,
    /// `progress.toolProgress`. Default on.
    pub progress_tools: bool,
    /// `progress.commentary`. Default off.
    pub commentary: bool,
    /// `progress.commandText`. Default `raw`.
    pub progress_command_text: CommandText,
    /// `block.enabled`, else `agents.defaults.blockStreamingDefault`. Default off.
    pub block_enabled: bool,
    /// `block.coalesce`.
    pub coalesce: Coalesce,
}

/// `account` is `channels.discord` or an account; `block_default` is
/// `agents.defaults.blockStreamingDefault`.
pub(crate) fn read(account: &Section<'_, '_>, block_default: bool) -> Streaming {
    let written = account.field("streaming");
    let (bare, section) = match &written {
        Some(field) => match field.if_object() {
            Some(section) => (None, section),
            None => (bare_mode(field, account), account.missing("streaming")),
        },
        None => (None, account.missing("streaming")),
    };
    let preview = section.section("preview");
    let progress = section.section("progress");
    let block = section.section("block");
    let streaming = Streaming {
        mode: mode(account, &section, bare),
        chunk_mode: moved(account, "chunkMode", &section, "chunkMode", |field| {
            field.choice(ChunkMode::WORDS)
        })
        .unwrap_or_else(|| section.word_or_noted("chunkMode", ChunkMode::Length)),
        preview_chunk: moved_block(account, "draftChunk", &preview, "chunk"),
        preview_tool_progress: preview.bool_or("toolProgress", true),
        preview_command_text: preview.word_or("commandText", CommandText::Raw),
        label: label(&progress),
        max_lines: progress.whole_or("maxLines", 1, 100, 8),
        max_line_chars: progress.whole_or("maxLineChars", 1, 2_000, 120),
        progress_tools: progress.bool_or("toolProgress", true),
        commentary: progress.bool_or("commentary", false),
        progress_command_text: progress.word_or("commandText", CommandText::Raw),
        block_enabled: {
            let own = moved(account, "blockStreaming", &block, "enabled", |field| field.bool());
            block.or("enabled", own, block_default)
        },
        coalesce: moved_block(account, "blockStreamingCoalesce", &block, "coalesce"),
    };
    preview.finish();
    progress.finish();
    block.finish();
    section.finish();
    streaming
}

/// `streaming: "partial"`, or `true` and `false`, as it was once written.
fn bare_mode(field: &Field<'_, '_>, account: &Section<'_, '_>) -> Option<StreamingMode> {
    field.declare(|| Kind::Other("an object; formerly a mode, or true or false"));
    let mode = match field.if_bool() {
        Some(on) => Some(if on { StreamingMode::Partial } else { StreamingMode::Off }),
        None if field.if_text().is_none() => return field.wrong_type("an object"),
        None => field.choice(StreamingMode::WORDS),
    };
    if let Some(mode) = mode {
        let path = format!("{}.streaming.mode", account.path());
        field.stands_for(&path, mode.as_str());
        field.warn(format!("an old form of `streaming: {{ mode: {:?} }}`", mode.as_str()));
    }
    mode
}

fn mode(
    account: &Section<'_, '_>,
    section: &Section<'_, '_>,
    bare: Option<StreamingMode>,
) -> StreamingMode {
    let path = join(section.path(), "mode");
    let own = section.word::<StreamingMode>("mode").or(bare);
    let legacy = account
        .legacy("streamMode", &path, own.is_some())
        .and_then(|field| field.choice(StreamingMode::WORDS));
    let mode = own.or(legacy);
    section.or("mode", mode.map(StreamingMode::as_str), StreamingMode::Progress.as_str());
    mode.unwrap_or(StreamingMode::Progress)
}

/// The value of `key`, else of its old name beside `streaming`.
fn moved<T>(
    account: &Section<'_, '_>,
    old: &'static str,
    section: &Section<'_, '_>,
    key: &'static str,
    read: impl Fn(&Field<'_, '_>) -> Option<T>,
) -> Option<T> {
    let own = section.field(key);
    let legacy = account.legacy(old, &join(section.path(), key), section.has(key));
    read(&own.or(legacy)?)
}

fn moved_block<T: Block>(
    account: &Section<'_, '_>,
    old: &'static str,
    section: &Section<'_, '_>,
    key: &'static str,
) -> T {
    let own = section.field(key);
    let legacy = account.legacy(old, &join(section.path(), key), section.has(key));
    match own.or(legacy) {
        Some(field) => T::read(&field.section()),
        None => T::read(&section.missing(key)),
    }
}

fn label(section: &Section<'_, '_>) -> ProgressLabel {
    let labels = section.texts("labels").unwrap_or_default();
    let Some(field) = section.field("label") else {
        section.note_default("label", "auto");
        return ProgressLabel::Auto(labels);
    };
    field.declare(|| Kind::Other("\"auto\", a text, or false"));
    field.declare_default("auto");
    match (field.if_bool(), field.if_text()) {
        (Some(false), _) => ProgressLabel::None,
        (Some(true), _) => {
            field.fail(
                Problem::WrongType { expected: "\"auto\", a text, or false", got: "true" },
                None,
            );
            ProgressLabel::None
        }
        (None, Some("auto")) => ProgressLabel::Auto(labels),
        (None, _) => match field.text() {
            Some(text) => ProgressLabel::Text(text),
            None => ProgressLabel::Auto(labels),
        },
    }
}
