//! Who may have which tool called.

use crate::agent::{AskedBy, ToolScope};

/// The tools of [`ToolScope::SafeReadOnly`], as OpenClaw's voice documentation lists them.
const SAFE_READ_ONLY: &[&str] =
    &["read", "web_search", "web_fetch", "x_search", "memory_search", "memory_get"];

/// What a tool needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Only for owners of the agent.
    pub owner_only: bool,
    /// It changes nothing anywhere.
    pub read_only: bool,
}

/// A tool that a turn may not use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The turn's scope does not hold it.
    #[error("the turn's tools do not include it")]
    OutOfScope,
    /// The speaker is no owner.
    #[error("only an owner may use it")]
    NotOwner,
}

/// Whether a turn of `by` within `scope` may use the tool.
///
/// # Errors
///
/// Why not. The scope goes first; within it the speaker's own rights hold, so that no scope gives
/// a stranger an owner's tool.
pub fn check(name: &str, access: Access, scope: ToolScope, by: &AskedBy) -> Result<(), Denied> {
    match scope {
        ToolScope::None => return Err(Denied::OutOfScope),
        ToolScope::SafeReadOnly if !SAFE_READ_ONLY.contains(&name) || !access.read_only => {
            return Err(Denied::OutOfScope);
        }
        ToolScope::SafeReadOnly | ToolScope::OfSpeaker => {}
    }
    if access.owner_only && !by.owner { Err(Denied::NotOwner) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UserId;

    #[test]
    fn scope_and_owner_decide() {
        use ToolScope::{None, OfSpeaker, SafeReadOnly};
        let outcome = |name, owner_only, read_only, scope, owner| {
            let by = AskedBy { user: UserId::new(1), label: "owner".into(), owner };
            check(name, Access { owner_only, read_only }, scope, &by)
        };
        for (name, owner_only, read_only, scope, owner, expected) in [
            ("exec", true, false, OfSpeaker, true, Ok(())),
            ("exec", true, false, OfSpeaker, false, Err(Denied::NotOwner)),
            ("exec", true, false, SafeReadOnly, true, Err(Denied::OutOfScope)),
            ("clock", false, true, OfSpeaker, false, Ok(())),
            ("clock", false, true, SafeReadOnly, true, Err(Denied::OutOfScope)),
            ("read", true, true, SafeReadOnly, true, Ok(())),
            ("read", true, true, SafeReadOnly, false, Err(Denied::NotOwner)),
            ("memory_search", false, true, SafeReadOnly, false, Ok(())),
            // A name from the list does not make a tool harmless.
            ("web_fetch", false, false, SafeReadOnly, true, Err(Denied::OutOfScope)),
            ("memory_search", false, true, None, true, Err(Denied::OutOfScope)),
        ] {
            let got = outcome(name, owner_only, read_only, scope, owner);
            assert_eq!(got, expected, "{name} {scope:?} owner: {owner}");
        }
    }
}
