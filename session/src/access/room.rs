//! A place where the agent listens, and to whom.

use std::{collections::HashSet, sync::Arc};

use clawvoice_config::ToolLists;

use super::{
    people::{Member, People, Who},
    tools::ToolRules,
};
use crate::RoleId;

/// Who may talk to the agent in a place where it listens. By default everybody. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Room {
    pub(super) users: Arc<People>,
    pub(super) roles: Arc<HashSet<RoleId>>,
    /// The channel's, then the guild's.
    pub(super) tools: Vec<Arc<ToolRules>>,
    pub(super) match_names: bool,
}

impl Room {
    /// One in which these people may talk, and nobody else.
    #[must_use]
    pub fn of(users: People) -> Self {
        Self { users: Arc::new(users), ..Self::default() }
    }

    /// Whether only some may talk to the agent here.
    #[must_use]
    pub fn is_restricted(&self) -> bool {
        !self.users.is_empty() || !self.roles.is_empty()
    }

    /// Whether some may talk here because of their roles.
    #[must_use]
    pub fn admits_by_role(&self) -> bool {
        !self.roles.is_empty()
    }

    /// `users`.
    #[must_use]
    pub fn users(&self) -> &People {
        &self.users
    }

    /// Whether a member may talk to the agent here: by `users` or by `roles`, the channel's in
    /// place of the guild's; without either, everybody may.
    #[must_use]
    pub fn admits(&self, member: &Member<'_>) -> bool {
        self.lets(&(*member).into())
    }

    /// Whether a member of a PluralKit system may, by that alone.
    #[must_use]
    pub fn lets_plural(&self, plural: &str) -> bool {
        !self.is_restricted() || self.users.lists_plural(plural)
    }

    /// The same of somebody of whom more is known.
    #[must_use]
    pub fn lets(&self, who: &Who<'_>) -> bool {
        !self.is_restricted()
            || self.users.lists(who, self.match_names)
            || who.member.roles.iter().any(|role| self.roles.contains(role))
    }

    /// Which tools may be used for somebody here: by the channel's `toolsBySender`, else its
    /// `tools`, else the guild's, likewise. `None`: nothing is said of it.
    #[must_use]
    pub fn tools(&self, who: &Who<'_>) -> Option<Arc<ToolLists>> {
        self.tools.iter().find_map(|rules| rules.of(who, self.match_names)).cloned()
    }

    /// Which tools may be used here for somebody who may be anybody; `None`: as above.
    #[must_use]
    pub fn tools_of_others(&self) -> Option<Arc<ToolLists>> {
        self.tools.iter().find_map(|rules| rules.of_others()).cloned()
    }

    /// Those for whom there are lists of tools of their own here.
    pub fn tool_people(&self) -> impl Iterator<Item = &People> {
        self.tools.iter().flat_map(|rules| rules.people())
    }
}
