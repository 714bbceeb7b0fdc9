//! Which tools a place lets its people use.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use clawvoice_config::{AccessGroup, Sender, ToolLists};

use super::people::{People, Who};

/// `tools` and `toolsBySender` of a guild's entry or of a channel's.
#[derive(Clone, Debug, Default)]
pub struct ToolRules {
    /// `toolsBySender`: those by id first, then groups, then names.
    by_sender: Vec<(People, Arc<ToolLists>)>,
    /// `toolsBySender."*"`, else `tools`.
    others: Option<Arc<ToolLists>>,
}

impl ToolRules {
    /// As they are configured.
    #[must_use]
    pub fn new(
        all: Option<&ToolLists>,
        by_sender: &BTreeMap<String, ToolLists>,
        groups: &BTreeMap<String, AccessGroup>,
    ) -> Self {
        let mut keyed: Vec<(Sender, &ToolLists)> =
            by_sender.iter().map(|(key, lists)| (Sender::keyed(key), lists)).collect();
        keyed.sort_by_key(|(sender, _)| rank(sender));
        let others = keyed.iter().find(|(sender, _)| *sender == Sender::Anyone);
        let others = others.map(|(_, lists)| *lists).or(all);
        let others = others.map(|lists| Arc::new(lists.clone()));
        let named = keyed.into_iter().filter(|(sender, _)| *sender != Sender::Anyone);
        let by_sender = named
            .map(|(sender, lists)| (People::new(&[sender], groups), Arc::new(lists.clone())))
            .collect();
        Self { by_sender, others }
    }

    /// The lists for somebody; `None`: nothing is said of them here.
    pub(super) fn of(&self, who: &Who<'_>, match_names: bool) -> Option<&Arc<ToolLists>> {
        let own = self.by_sender.iter().find(|(people, _)| people.lists(who, match_names));
        own.map(|(_, lists)| lists).or(self.others.as_ref())
    }

    /// The lists for whoever has none of their own.
    pub(super) const fn of_others(&self) -> Option<&Arc<ToolLists>> {
        self.others.as_ref()
    }

    /// Those for whom there are lists of their own.
    pub(super) fn people(&self) -> impl Iterator<Item = &People> {
        self.by_sender.iter().map(|(people, _)| people)
    }
}

/// The surer it is whom a key names, the sooner it counts.
const fn rank(sender: &Sender) -> u8 {
    match sender {
        Sender::User(_) | Sender::PluralKit(_) => 0,
        Sender::AccessGroup(_) => 1,
        Sender::Name(_) => 2,
        Sender::Anyone => 3,
    }
}

/// The tools of a group, as OpenClaw's documentation lists them.
const GROUPS: &[(&str, &[&str])] = &[
    ("group:fs", &["read", "write", "edit", "apply_patch"]),
    ("group:memory", &["memory_search", "memory_get"]),
    ("group:runtime", &["exec", "process", "code_execution"]),
    ("group:web", &["web_search", "x_search", "web_fetch"]),
];

/// Whether lists let a tool be used. `deny` goes first.
#[must_use]
pub fn lets_use(lists: &ToolLists, tool: &str) -> bool {
    let on =
        |list: &Option<Vec<String>>| list.iter().flatten().any(|entry| names(entry.trim(), tool));
    !on(&lists.deny) && (lists.allow.is_none() || on(&lists.allow) || on(&lists.also_allow))
}

/// Whether an entry of a list names a tool. Capitals do not count.
fn names(entry: &str, tool: &str) -> bool {
    let entry = entry.to_ascii_lowercase();
    let tool = tool.to_ascii_lowercase();
    match GROUPS.iter().find(|(group, _)| *group == entry) {
        Some((_, tools)) => tools.contains(&tool.as_str()),
        None => matches_pattern(&entry, &tool),
    }
}

/// Whether a text fits a pattern in which `*` stands for any run of letters. In time that grows
/// with the product of both, whatever the pattern.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    // Ends of the text's beginnings that fit what was read of the pattern.
    let mut reached = HashSet::from([0]);
    for wanted in pattern.chars() {
        reached = if wanted == '*' {
            let first = reached.iter().min().copied().unwrap_or(text.len() + 1);
            (first..=text.len()).collect()
        } else {
            let fits = reached.into_iter().filter(|end| text.get(*end) == Some(&wanted));
            fits.map(|end| end + 1).collect()
        };
    }
    reached.contains(&text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{UserId, access::Member};

    fn lists(allow: Option<&[&str]>, also_allow: &[&str], deny: &[&str]) -> ToolLists {
        let owned = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        ToolLists {
            allow: allow.map(owned),
            also_allow: Some(owned(also_allow)),
            deny: Some(owned(deny)),
        }
    }

    #[test]
    fn lists_narrow() {
        for (allow, also_allow, deny, tool, lets) in [
            (None, &[][..], &[][..], "exec", true),
            (Some(&["read"][..]), &[], &[], "exec", false),
            (Some(&["read"]), &["exec"], &[], "exec", true),
            (Some(&["Read "]), &[], &[], "read", true),
            (Some(&[]), &[], &[], "read", false),
            (Some(&["*"]), &[], &["exec"], "exec", false),
            // Beside no list of what is allowed, what is allowed too takes nothing away.
            (None, &["read"], &[], "exec", true),
            (None, &["exec"], &["ex*"], "exec", false),
            (Some(&["group:memory"]), &[], &[], "memory_get", true),
            (Some(&["group:memory"]), &[], &[], "current_time", false),
            (Some(&["group:unknown"]), &[], &[], "current_time", false),
            (None, &[], &["Group:Memory"], "memory_search", false),
        ] {
            let lists = lists(allow, also_allow, deny);
            assert_eq!(lets_use(&lists, tool), lets, "{lists:?} {tool}");
        }
    }

    #[test]
    fn patterns() {
        for (pattern, text, fits) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("memory_*", "memory_get", true),
            ("*_get", "memory_get", true),
            ("m*y*t", "memory_get", true),
            ("m*y*x", "memory_get", false),
            ("memory", "memory_get", false),
            ("**", "abc", true),
        ] {
            assert_eq!(matches_pattern(pattern, text), fits, "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn parts_between_stars_are_found_in_order(parts in prop::collection::vec("[ab]{0,3}", 1..5)) {
            let pattern = parts.join("*");
            let text = parts.join("ba");
            prop_assert!(matches_pattern(&pattern, &text));
            let (closed, other) = (format!("{pattern}c"), format!("{text}d"));
            prop_assert!(!matches_pattern(&closed, &other));
        }
    }

    #[test]
    fn whoever_is_named_surely_goes_before_names_and_everybody() {
        let only = |tool: &str| lists(Some(&[tool]), &[], &[]);
        let by_sender = BTreeMap::from([
            ("*".to_owned(), only("any")),
            ("ada".to_owned(), only("named")),
            ("id:7".to_owned(), only("own")),
        ]);
        let rules = ToolRules::new(Some(&only("all")), &by_sender, &BTreeMap::new());
        let of = |user, names: &[&str], match_names| {
            let member = Member { user: UserId::new(user), roles: &[], names };
            let lists = rules.of(&member.into(), match_names).unwrap();
            lists.allow.clone().unwrap().remove(0)
        };
        assert_eq!(of(7, &["ada"], true), "own");
        assert_eq!(of(8, &["Ada"], true), "named");
        assert_eq!(of(8, &["Ada"], false), "any");
        let rules = ToolRules::new(Some(&only("all")), &BTreeMap::new(), &BTreeMap::new());
        let anybody = Member::by_id(UserId::new(8)).into();
        assert_eq!(rules.of(&anybody, false).unwrap().allow, only("all").allow);
        assert!(ToolRules::default().of(&anybody, false).is_none());
    }
}
