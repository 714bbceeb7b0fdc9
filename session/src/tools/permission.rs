//! Who may have which tool called.

use crate::{
    access::lets_use,
    agent::{AskedBy, ToolGrant, ToolScope},
};

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
    /// The place does not let the speaker use it.
    #[error("it may not be used here")]
    NotHere,
    /// The speaker is no owner.
    #[error("only an owner may use it")]
    NotOwner,
}

/// Whether a turn of `by` that was granted these tools may use this one.
///
/// # Errors
///
/// Why not. The scope goes first; within it the speaker's own rights hold, so that no scope gives
/// a stranger an owner's tool. The lists of the place bind owners, too.
pub fn check(name: &str, access: Access, grant: &ToolGrant, by: &AskedBy) -> Result<(), Denied> {
    match grant.scope {
        ToolScope::None => return Err(Denied::OutOfScope),
        ToolScope::SafeReadOnly if !SAFE_READ_ONLY.contains(&name) || !access.read_only => {
            return Err(Denied::OutOfScope);
        }
        ToolScope::SafeReadOnly | ToolScope::OfSpeaker => {}
    }
    if !grant.lists.iter().all(|lists| lets_use(lists, name)) {
        return Err(Denied::NotHere);
    }
    if access.owner_only && !by.owner { Err(Denied::NotOwner) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use clawvoice_config::ToolLists;

    use super::*;
    use crate::UserId;

    #[test]
    fn scope_and_owner_decide() {
        use ToolScope::{None, OfSpeaker, SafeReadOnly};
        let outcome = |name, owner_only, read_only, scope, owner| {
            let by = AskedBy { user: UserId::new(1), label: "owner".into(), owner };
            check(name, Access { owner_only, read_only }, &ToolGrant::from(scope), &by)
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

    #[test]
    fn a_place_binds_owners_too_and_makes_nobody_one() {
        let outcome = |name, deny: &[&str], scope, owner| {
            let deny = Some(deny.iter().map(|it| (*it).to_owned()).collect());
            let lists = ToolLists { allow: None, also_allow: None, deny };
            let grant = ToolGrant { scope, lists: vec![Arc::new(lists)] };
            let by = AskedBy { user: UserId::new(1), label: "owner".into(), owner };
            check(name, Access { owner_only: true, read_only: true }, &grant, &by)
        };
        assert_eq!(outcome("read", &["read"], ToolScope::OfSpeaker, true), Err(Denied::NotHere));
        assert_eq!(outcome("read", &["exec"], ToolScope::OfSpeaker, true), Ok(()));
        assert_eq!(outcome("read", &[], ToolScope::OfSpeaker, false), Err(Denied::NotOwner));
        assert_eq!(outcome("read", &[], ToolScope::None, true), Err(Denied::OutOfScope));
    }
}
