//! Step 25, first half: which of several bots of ours answers.
//!
//! Source: OpenClaw, "Discord", agent router with the strategy `channel_assignment`.

use std::collections::{HashMap, HashSet, VecDeque};

use clawvoice_config::{AgentRole, AgentRouting};
use clawvoice_session::{MessageId, SessionTime, UserId, access::Place};

/// Messages that are remembered; then the oldest go.
const MOST: usize = 5_000;

/// One of our bots, and the agent that answers through it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The bot's own user.
    pub own: UserId,
    /// The agent.
    pub agent: &'a str,
}

/// A message, as far as it matters who answers it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The message.
    pub message: MessageId,
    /// Where it is.
    pub place: &'a Place<'a>,
    /// Who wrote it.
    pub author: UserId,
    /// What it says.
    pub text: &'a str,
    /// Whether it is to the candidate: by mention, by name, or as an answer to it.
    pub addressed: bool,
    /// The users that it mentions, and whom it answers.
    pub mentioned: &'a [UserId],
}

/// What a bot does about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// It answers.
    Answer,
    /// It remembers it (`router-other-agent`).
    Observe,
    /// Nothing (`router-other-agent`).
    Leave,
}

/// Lets one of several bots answer.
#[derive(Clone, Debug, Default)]
pub struct AgentRouter {
    /// The users that our bots are.
    bots: HashSet<UserId>,
    taken: HashMap<MessageId, UserId>,
    order: VecDeque<(SessionTime, MessageId)>,
}

impl AgentRouter {
    /// A bot of ours is connected.
    pub fn handle_bot(&mut self, own: UserId) {
        self.bots.insert(own);
    }

    /// What a bot does about a message. To be asked once for each bot that gets it; the first that
    /// answers has it.
    pub fn handle_message(
        &mut self,
        now: SessionTime,
        rules: &AgentRouting,
        who: Candidate<'_>,
        asked: &Asked<'_>,
    ) -> Task {
        if !rules.enabled {
            return Task::Answer;
        }
        if rules.no_self_talk && self.bots.contains(&asked.author) {
            return Task::Leave;
        }
        let named = asked.mentioned.iter().filter(|user| self.bots.contains(user));
        let named: HashSet<UserId> = named.copied().collect();
        if !named.is_empty() && !named.contains(&who.own) {
            return Task::Leave;
        }
        if !asked.addressed
            && let Some(task) = by_post(rules, who.agent, asked)
        {
            return task;
        }
        if named.len() > 1 || self.take(now, rules, who.own, asked.message) {
            return Task::Answer;
        }
        Task::Leave
    }

    fn take(
        &mut self,
        now: SessionTime,
        rules: &AgentRouting,
        own: UserId,
        message: MessageId,
    ) -> bool {
        while let Some((at, oldest)) = self.order.front().copied() {
            if now.since(at) < rules.dedup_window && self.order.len() < MOST {
                break;
            }
            self.order.pop_front();
            self.taken.remove(&oldest);
        }
        if let Some(taken_by) = self.taken.get(&message) {
            return *taken_by == own;
        }
        self.taken.insert(message, own);
        self.order.push_back((now, message));
        true
    }
}

/// What the agent's post says against answering.
fn by_post(rules: &AgentRouting, agent: &str, asked: &Asked<'_>) -> Option<Task> {
    let Some(post) = rules.agents.get(agent) else {
        return (!rules.agents.is_empty()).then_some(Task::Leave);
    };
    if asked.place.channel_entry(&post.channels).is_none() {
        return Some(Task::Leave);
    }
    let text = asked.text.to_lowercase();
    let is_triggered = || post.triggers.iter().any(|word| text.contains(&word.to_lowercase()));
    (post.role == AgentRole::Passive && !is_triggered()).then_some(Task::Observe)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clawvoice_config::{AgentPost, RouterStrategy};
    use clawvoice_session::{ChannelId, GuildId};

    use super::*;

    const HELP: Candidate<'static> = Candidate { own: UserId::new(50), agent: "help" };
    const WATCH: Candidate<'static> = Candidate { own: UserId::new(51), agent: "watch" };
    const ADA: UserId = UserId::new(7);

    fn place(channel: u64, name: &'static str) -> Place<'static> {
        Place {
            guild: GuildId::new(1),
            guild_name: "",
            channel: ChannelId::new(channel),
            channel_name: name,
            parent: None,
        }
    }

    fn post(channels: &[&str], role: AgentRole) -> AgentPost {
        let channels = channels.iter().map(|key| (*key, ())).collect();
        AgentPost { channels, role, triggers: vec!["Deploy".to_owned()] }
    }

    fn rules(posts: &[(&str, AgentPost)]) -> AgentRouting {
        let posts = posts.iter().map(|(agent, post)| ((*agent).to_owned(), post.clone()));
        AgentRouting {
            enabled: true,
            strategy: RouterStrategy::ChannelAssignment,
            agents: posts.collect(),
            dedup_window: Duration::from_secs(5),
            no_self_talk: true,
        }
    }

    fn router() -> AgentRouter {
        let mut router = AgentRouter::default();
        router.handle_bot(HELP.own);
        router.handle_bot(WATCH.own);
        router
    }

    fn asked<'a>(message: u64, place: &'a Place<'a>, text: &'a str) -> Asked<'a> {
        let message = MessageId::new(message);
        Asked { message, place, author: ADA, text, addressed: false, mentioned: &[] }
    }

    fn at(second: u64) -> SessionTime {
        SessionTime::from_millis(second * 1_000)
    }

    #[test]
    fn an_agent_answers_where_it_is_posted() {
        let rules = rules(&[
            ("help", post(&["5", "help-desk"], AgentRole::Active)),
            ("watch", post(&["*"], AgentRole::Passive)),
        ]);
        let mut router = router();
        let (five, desk, other) = (place(5, ""), place(6, "Help Desk"), place(7, "random"));
        for (message, place, text, of_help, of_watch) in [
            (1, &five, "hi", Task::Answer, Task::Observe),
            (2, &desk, "hi", Task::Answer, Task::Observe),
            (3, &other, "hi", Task::Leave, Task::Observe),
            (4, &other, "now DEPLOY it", Task::Leave, Task::Answer),
            (5, &five, "deploy", Task::Answer, Task::Leave),
        ] {
            let asked = asked(message, place, text);
            let unknown = Candidate { own: UserId::new(52), agent: "unknown" };
            let mut task = |who, second| router.handle_message(at(second), &rules, who, &asked);
            assert_eq!(task(HELP, 0), of_help, "{message}");
            assert_eq!(task(WATCH, 1), of_watch, "{message}");
            assert_eq!(task(unknown, 1), Task::Leave);
        }
    }

    #[test]
    fn one_takes_a_message_unless_several_are_mentioned() {
        let (mut router, rules, here) = (router(), rules(&[]), place(5, ""));
        let mut task =
            |second, who, asked: &Asked<'_>| router.handle_message(at(second), &rules, who, asked);
        let ambient = asked(1, &here, "hi");
        assert_eq!(task(0, HELP, &ambient), Task::Answer);
        assert_eq!(task(4, WATCH, &ambient), Task::Leave);
        assert_eq!(task(4, HELP, &ambient), Task::Answer);
        assert_eq!(task(5, WATCH, &ambient), Task::Answer, "the window is over");
        let all = Asked { addressed: true, ..asked(4, &here, "@everyone hi") };
        assert_eq!([task(6, HELP, &all), task(6, WATCH, &all)], [Task::Answer, Task::Leave]);
        let to_watch = Asked { mentioned: &[ADA, WATCH.own], ..asked(2, &here, "hi") };
        assert_eq!(task(6, HELP, &to_watch), Task::Leave);
        assert_eq!(task(6, WATCH, &to_watch), Task::Answer);
        let both = [HELP.own, WATCH.own];
        let to_both = Asked { addressed: true, mentioned: &both, ..asked(3, &here, "hi") };
        assert_eq!([task(6, HELP, &to_both), task(6, WATCH, &to_both)], [Task::Answer; 2]);
    }

    #[test]
    fn bots_of_ours_do_not_hear_one_another_unless_they_may() {
        let here = place(5, "");
        let of_bot = Asked { author: WATCH.own, addressed: true, ..asked(1, &here, "hi") };
        let task = |rules: &AgentRouting| router().handle_message(at(0), rules, HELP, &of_bot);
        assert_eq!(task(&rules(&[])), Task::Leave);
        assert_eq!(task(&AgentRouting { no_self_talk: false, ..rules(&[]) }), Task::Answer);
    }

    #[test]
    fn switched_off_it_says_nothing() {
        let mut router = router();
        let off =
            AgentRouting { enabled: false, ..rules(&[("help", post(&[], AgentRole::Active))]) };
        let here = place(5, "");
        for author in [ADA, WATCH.own] {
            let asked = Asked { author, ..asked(1, &here, "hi") };
            for who in [HELP, WATCH] {
                assert_eq!(router.handle_message(at(0), &off, who, &asked), Task::Answer);
            }
        }
        assert!(router.taken.is_empty());
    }

    #[test]
    fn the_memory_is_bounded() {
        let (mut router, rules, here) = (router(), rules(&[]), place(5, ""));
        for message in 1..=20_000 {
            router.handle_message(at(0), &rules, HELP, &asked(message, &here, "hi"));
        }
        assert!(router.taken.len() <= MOST && router.order.len() <= MOST);
    }
}
