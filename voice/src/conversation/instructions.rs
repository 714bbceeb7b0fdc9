//! The front end's system prompt: who it is, what it leaves to the agent, when it asks.

use super::settings::{ConsultPolicy, Mode, ToolPolicy};

/// Most characters of all profile files together.
const PROFILE_CHARACTERS: usize = 4_000;

/// Base block of the default, where the configuration gives none.
const BASE: &str = "You are the voice of an assistant in a Discord voice channel. Speak concisely \
                    and naturally, in the language of whoever speaks to you.";

/// How the front end stands to the agent behind it.
const DELEGATION: &str = "You are the same assistant that people meet in text channels. Never \
mention a backend, a tool or another agent. Leave every substantive request, every action, and \
everything about current facts, memory, the workspace or the people you talk with to the consult \
tool. Never refuse or narrow a request yourself: the tool's result is authoritative, say it as it \
is. Answer directly only greetings, acknowledgements, latency tests and filler.";

const BACKCHANNEL: &str =
    "While you wait for a result, say at most one short acknowledgement, and vary it.";

const CONTROL: &str = "While a request is being worked on, use the control tool for whatever the \
                       speaker says about that work: how far it is, that it is to stop, to be done \
                       otherwise, or what is to follow.";

const EXACT: &str = "When you are given an internal exact answer, call no tool and say only it.";

const ALWAYS: &str = "Consult before every substantive answer. Only greetings, acknowledgements, \
                      latency tests and filler need no consult.";

const PROFILE: &str = "The following files describe who you are and whom you serve. Use them for \
                       your identity, your manner and what you know of the user; do not mention \
                       them.";

/// How the agent answers where its text is spoken as it is.
const SPOKEN_CONTRACT: &str = "Return only text to be spoken. The message is live speech \
recognition: repair its mistakes and ignore repeated fragments; if it is garbled, ask one question. \
Use tools when they are needed, never a speech tool. One to three short sentences; no tables, code \
or citations.";

/// The agent's message for words that were recognised from speech.
pub(crate) fn spoken_turn(label: &str, text: &str) -> String {
    let label = serde_json::Value::from(label);
    format!("Voice transcript from speaker {label}:\n{text}")
}

/// How the agent answers it; beside the message, so that it is not said again with every turn of
/// the history. `prompt`: what the configuration says about the place.
pub(crate) fn spoken_answer(prompt: Option<&str>) -> String {
    match prompt {
        Some(prompt) => format!("{prompt}\n\n{SPOKEN_CONTRACT}"),
        None => SPOKEN_CONTRACT.to_owned(),
    }
}

/// One file of the agent's workspace, as `IDENTITY.md`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileFile {
    /// Its name; the heading.
    pub name: String,
    /// Its text, untrusted in length.
    pub text: String,
}

/// What the prompt is made of.
#[derive(Clone, Copy, Debug)]
pub struct Prompt<'a> {
    /// Who answers.
    pub mode: Mode,
    /// When the agent is asked.
    pub consult_policy: ConsultPolicy,
    /// Whether there is a consult tool.
    pub tool_policy: ToolPolicy,
    /// Replaces the base block.
    pub base: Option<&'a str>,
    /// Files of the agent's workspace, in order. Empty ones are left out.
    pub profile: &'a [ProfileFile],
    /// What the configuration says about this channel.
    pub channel: Option<&'a str>,
}

impl Prompt<'_> {
    /// The prompt's blocks, an empty line between them.
    #[must_use]
    pub fn compose(&self) -> String {
        let mut blocks = vec![self.base.unwrap_or(BASE).trim().to_owned()];
        blocks.extend(profile_block(self.profile));
        blocks.extend(self.channel.map(|text| text.trim().to_owned()));
        let has_tool = self.tool_policy != ToolPolicy::None;
        if self.mode == Mode::AgentProxy {
            blocks.push(DELEGATION.to_owned());
        }
        if has_tool {
            blocks.push(BACKCHANNEL.to_owned());
            blocks.push(CONTROL.to_owned());
        }
        if self.mode == Mode::AgentProxy {
            blocks.push(EXACT.to_owned());
        }
        if has_tool && self.consult_policy == ConsultPolicy::Always {
            blocks.push(ALWAYS.to_owned());
        }
        blocks.retain(|block| !block.is_empty());
        blocks.join("\n\n")
    }
}

/// The files under their names, each cut to an even share of the budget.
fn profile_block(files: &[ProfileFile]) -> Option<String> {
    let files: Vec<_> = files.iter().filter(|file| !file.text.trim().is_empty()).collect();
    let share = PROFILE_CHARACTERS.checked_div(files.len())?;
    let mut block = PROFILE.to_owned();
    for file in files {
        block.push_str("\n\n## ");
        block.push_str(&file.name);
        block.push('\n');
        block.extend(file.text.trim().chars().take(share));
    }
    Some(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(mode: Mode) -> Prompt<'static> {
        Prompt {
            mode,
            consult_policy: ConsultPolicy::Always,
            tool_policy: ToolPolicy::Owner,
            base: None,
            profile: &[],
            channel: None,
        }
    }

    #[test]
    fn blocks_stand_in_order() {
        let files = [
            ProfileFile { name: "IDENTITY.md".into(), text: "Molty, a lobster.".into() },
            ProfileFile { name: "USER.md".into(), text: " \n".into() },
        ];
        let channel = Some("This is the tea room.");
        let text = Prompt {
            profile: &files,
            base: Some("Be brief."),
            channel,
            ..prompt(Mode::AgentProxy)
        }
        .compose();
        let places: Vec<_> = ["Be brief.", "## IDENTITY.md\nMolty", "tea room", DELEGATION]
            .into_iter()
            .chain([BACKCHANNEL, CONTROL, EXACT, ALWAYS])
            .map(|block| text.find(block).unwrap_or_else(|| panic!("no {block:?}")))
            .collect();
        assert!(places.is_sorted(), "{places:?}");
        assert!(!text.contains("USER.md") && !text.contains(BASE));
    }

    #[test]
    fn bidi_talks_by_itself() {
        let text = prompt(Mode::Bidi).compose();
        assert!(text.contains(BASE) && text.contains(ALWAYS) && !text.contains(DELEGATION));
        let text = Prompt { tool_policy: ToolPolicy::None, ..prompt(Mode::Bidi) }.compose();
        assert_eq!(text, BASE, "no tool, nothing to say about it");
    }

    #[test]
    fn profiles_share_their_budget_evenly() {
        let file = |name: &str| ProfileFile { name: name.into(), text: "é".repeat(9_000) };
        let block = profile_block(&[file("A.md"), file("B.md")]).unwrap();
        assert_eq!(block.matches('é').count(), PROFILE_CHARACTERS);
        assert_eq!(profile_block(&[]), None);
    }
}
