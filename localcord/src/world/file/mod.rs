//! A world written down in JSON5.
//!
//! ```json5
//! {
//!   humans: [{ name: "ada" }, { name: "ben" }],
//!   bots: [{ name: "clawvoice", token: "a.b.c" }],
//!   guilds: [{
//!     name: "Office",
//!     owner: "ada",
//!     roles: [{ name: "staff", permissions: ["MOVE_MEMBERS"] }],
//!     channels: [
//!       { name: "general" },
//!       { name: "Lounge", type: "voice", overwrites: [{ role: "@everyone", deny: ["CONNECT"] }] },
//!     ],
//!     members: [{ user: "ben", roles: ["staff"] }, { user: "clawvoice" }],
//!   }],
//! }
//! ```
//!
//! Things are referred to by name. Ids may be given as numbers or strings; those left out are
//! the same in every run. Unknown fields are refused.

mod build;

use jsonc_parser::{
    CollectOptions, ParseOptions,
    ast::{self, ObjectPropName},
    common::Ranged,
    parse_to_ast,
};
use serde::Deserialize;
use serde_json::Value;

use super::{State, World};
use crate::journal::Journal;

/// What is wrong with a world file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {what}")]
pub struct WorldError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, with the path of the field.
    pub what: String,
}

impl World {
    /// The world of a JSON5 file.
    ///
    /// # Errors
    /// With line and column, when the file is not JSON5, has unknown or missing fields, refers
    /// to what is not there, or uses an id or a name twice.
    pub fn from_json5(text: &str, journal: Journal) -> Result<Self, WorldError> {
        Ok(Self::new(State::from_json5(text)?, journal))
    }
}

impl State {
    /// The data of a JSON5 world file; see [`World::from_json5`].
    ///
    /// # Errors
    /// As there.
    pub fn from_json5(text: &str) -> Result<Self, WorldError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let options = ParseOptions { allow_missing_commas: false, ..ParseOptions::default() };
        let tree = parse_to_ast(text, &CollectOptions::default(), &options)
            .map_err(|error| at(text, error.range().start, error.kind().to_string()))?;
        let Some(root) = tree.value else {
            return Err(at(text, 0, "the file is empty".to_owned()));
        };
        let wrong = |path: &[Step], what: String| {
            let shown = shown(path);
            let what = if shown.is_empty() { what } else { format!("{shown}: {what}") };
            at(text, locate(&root, path), what)
        };
        let value: Value = jsonc_parser::parse_to_serde_value(text, &options)
            .map_err(|error| at(text, error.range().start, error.kind().to_string()))?;
        let file: WorldFile = serde_path_to_error::deserialize(value)
            .map_err(|error| wrong(&steps(error.path()), error.inner().to_string()))?;
        build::build(&file).map_err(|mistake| wrong(&mistake.path, mistake.what))
    }
}

/// One step into the file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Entry(usize),
}

fn steps(path: &serde_path_to_error::Path) -> Vec<Step> {
    use serde_path_to_error::Segment;
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(Step::Entry(*index)),
            Segment::Map { key } => Some(Step::Field(key.clone())),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

/// `guilds[0].name`
fn shown(path: &[Step]) -> String {
    let mut shown = String::new();
    for step in path {
        match step {
            Step::Entry(index) => shown.push_str(&format!("[{index}]")),
            Step::Field(name) if shown.is_empty() => shown.push_str(name),
            Step::Field(name) => shown.push_str(&format!(".{name}")),
        }
    }
    shown
}

/// Where the value at a path begins, or the innermost thing around it that is there. A field that
/// is the last step is found by its name.
fn locate(root: &ast::Value<'_>, path: &[Step]) -> usize {
    let mut here = root;
    let mut start = here.range().start;
    for step in path {
        let next = match (here, step) {
            (ast::Value::Object(object), Step::Field(name)) => {
                let found = object.get(name);
                if let Some(property) = found {
                    start = name_start(&property.name);
                }
                found.map(|property| &property.value)
            }
            (ast::Value::Array(array), Step::Entry(index)) => {
                let found = array.elements.get(*index);
                if let Some(element) = found {
                    start = element.range().start;
                }
                found
            }
            _ => None,
        };
        let Some(next) = next else { break };
        here = next;
    }
    start
}

fn name_start(name: &ObjectPropName<'_>) -> usize {
    match name {
        ObjectPropName::String(name) => name.range.start,
        ObjectPropName::Word(name) => name.range.start,
    }
}

fn at(text: &str, offset: usize, what: String) -> WorldError {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    WorldError {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        what,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorldFile {
    #[serde(default)]
    humans: Vec<HumanFile>,
    #[serde(default)]
    bots: Vec<BotFile>,
    guilds: Vec<GuildFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HumanFile {
    name: String,
    id: Option<Id>,
    global_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BotFile {
    name: String,
    /// The user's id.
    id: Option<Id>,
    application_id: Option<Id>,
    /// Random if left out.
    token: Option<String>,
    /// Names of the privileged intents it may use; all if left out.
    privileged_intents: Option<Vec<Privileged>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Privileged {
    GuildMembers,
    GuildPresences,
    MessageContent,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GuildFile {
    name: String,
    id: Option<Id>,
    /// Name of a human or bot.
    owner: String,
    /// What `@everyone` may do; the ordinary permissions if left out.
    everyone: Option<Vec<String>>,
    #[serde(default)]
    roles: Vec<RoleFile>,
    channels: Vec<ChannelFile>,
    /// Everybody if left out; the owner is always one.
    members: Option<Vec<MemberFile>>,
    /// Names of custom emoji.
    #[serde(default)]
    emojis: Vec<ExpressionFile>,
    #[serde(default)]
    stickers: Vec<ExpressionFile>,
    /// Name of the channel where newcomers are announced.
    system_channel: Option<String>,
}

/// An emoji or a sticker.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpressionFile {
    name: String,
    id: Option<Id>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleFile {
    name: String,
    id: Option<Id>,
    #[serde(default)]
    permissions: Vec<String>,
    /// Anyone may mention it.
    #[serde(default)]
    mentionable: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChannelFile {
    name: String,
    id: Option<Id>,
    #[serde(default, rename = "type")]
    kind: ChannelKind,
    topic: Option<String>,
    /// Name of a category that stands before it.
    category: Option<String>,
    /// 0: no limit.
    #[serde(default)]
    user_limit: u16,
    /// Bits per second of a voice or stage channel.
    bitrate: Option<u32>,
    #[serde(default)]
    overwrites: Vec<OverwriteFile>,
    #[serde(default)]
    nsfw: bool,
    /// The tags of a forum.
    #[serde(default)]
    tags: Vec<TagFile>,
    /// Every post of the forum needs a tag.
    #[serde(default)]
    require_tag: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TagFile {
    name: String,
    id: Option<Id>,
    #[serde(default)]
    moderated: bool,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ChannelKind {
    #[default]
    Text,
    Voice,
    Category,
    Stage,
    Forum,
    Media,
    Announcement,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OverwriteFile {
    /// Name of a role; `@everyone` is one.
    role: Option<String>,
    /// Name of a user.
    member: Option<String>,
    #[serde(default)]
    allow: Vec<String>,
    #[serde(default)]
    deny: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberFile {
    /// Name of a human or bot.
    user: String,
    nick: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
}

/// A snowflake, as a number or as digits in quotes.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "Value")]
struct Id(u64);

impl TryFrom<Value> for Id {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let id = match &value {
            Value::Number(number) => number.as_u64(),
            Value::String(digits) => digits.parse().ok(),
            _ => None,
        };
        id.filter(|id| *id != 0).map(Self).ok_or("expected a snowflake id greater than 0")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_found_where_they_stand() {
        let with = |guild: &str| {
            format!(
                "{{ humans: [{{ name: 'ada' }}],\n guilds: [{{ name: 'G', owner: 'ada', {guild} }}] }}"
            )
        };
        let cases = [
            (String::new(), 1, 1, "the file is empty"),
            ("{ guilds: [ ".to_owned(), 1, 11, "Unterminated array"),
            ("{}".to_owned(), 1, 1, "missing field `guilds`"),
            ("{\n  guild: [] }".to_owned(), 2, 3, "guild: unknown field `guild`"),
            (
                with("channels: [{ name: 'x', tpoic: '' }]"),
                2,
                62,
                "guilds[0].channels[0].tpoic: unknown field",
            ),
            (with("channels: [{ name: 'x', type: 'radio' }]"), 2, 62, "unknown variant `radio`"),
            (with("channels: [], id: 'x'"), 2, 52, "guilds[0].id: expected a snowflake id"),
            (with("channels: [], id: 0"), 2, 52, "guilds[0].id: expected a snowflake id"),
            (
                with("channels: [], everyone: ['FLY']"),
                2,
                63,
                "guilds[0].everyone[0]: no permission is named `FLY`",
            ),
            (
                with("channels: [], members: [{ user: 'bob' }]"),
                2,
                64,
                "guilds[0].members[0].user: nobody is named `bob`",
            ),
            (
                with("channels: [{ name: 'x', id: 7 }, { name: 'y', id: 7 }]"),
                2,
                84,
                "guilds[0].channels[1].id: 7 is used twice",
            ),
            (
                with("channels: [{ name: 'x', type: 'voice', bitrate: 7999 }]"),
                2,
                77,
                "guilds[0].channels[0].bitrate: must be between 8000 and 384000",
            ),
            (
                with("channels: [{ name: 'x', bitrate: 64000 }]"),
                2,
                62,
                "guilds[0].channels[0].bitrate: only voice and stage channels have one",
            ),
            (
                with("channels: [{ name: 'x', category: 'C' }]"),
                2,
                62,
                "no category before it is named `C`",
            ),
            (
                with("channels: [{ name: 'x', overwrites: [{}] }]"),
                2,
                75,
                "either `role` or `member`",
            ),
            (
                with("channels: [{ name: 'x', tags: [{ name: 't' }] }]"),
                2,
                62,
                "guilds[0].channels[0].tags: only forums have tags",
            ),
            (
                with("channels: [], system_channel: 'x'"),
                2,
                52,
                "guilds[0].system_channel: no channel is named `x`",
            ),
            (
                with("roles: [{ name: 'a' }, { name: 'a' }], channels: []"),
                2,
                63,
                "guilds[0].roles[1].name: `a` is used twice",
            ),
        ];
        for (text, line, column, what) in cases {
            let error = State::from_json5(&text).unwrap_err();
            assert!(error.what.contains(what), "{text}\n{error}");
            assert_eq!((error.line, error.column), (line, column), "{text}\n{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = State::from_json5(&text);
        }
    }
}
