//! Step 25, first half: which of several agents of ours answers.
//!
//! Source: OpenClaw, "Discord", agent router with the strategy `channel_assignment`.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use clawvoice_config::Entries;
use clawvoice_session::{MessageId, SessionTime, UserId, access::Place};

/// For so long a message is one agent's. Default of `dedup_window`.
pub const WINDOW: Duration = Duration::from_secs(5);
/// Messages that are remembered; then the oldest go.
const MOST: usize = 5_000;

/// What an agent does where it is posted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Duty {
    /// It answers.
    #[default]
    Active,
    /// It reads everything, and answers when one of its trigger words falls.
    Passive,
}

/// Where an agent is posted.
#[derive(Clone, Debug, Default)]
pub struct Post {
    /// Its channels, by id, slug or `*`. None: it answers nowhere but where it is mentioned.
    pub channels: Entries<()>,
    /// What it does there.
    pub duty: Duty,
    /// Its trigger words, in any case.
    pub triggers: Vec<String>,
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
    /// Our agents that it mentions or answers.
    pub mentioned: &'a [&'a str],
}

/// What an agent does about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// It answers.
    Answer,
    /// It remembers it (`router-other-agent`).
    Observe,
    /// Nothing (`router-other-agent`).
    Leave,
}

/// Lets one of several agents answer. Without posts every one does.
#[derive(Clone, Debug)]
pub struct AgentRouter {
    posts: HashMap<String, Post>,
    /// The users that our agents are.
    siblings: HashSet<UserId>,
    /// Agents do not hear one another.
    no_self_talk: bool,
    window: Duration,
    taken: HashMap<MessageId, String>,
    order: VecDeque<(SessionTime, MessageId)>,
}

impl AgentRouter {
    /// `siblings`: the users that our agents are; with `no_self_talk` they do not hear one another.
    #[must_use]
    pub fn new(
        posts: HashMap<String, Post>,
        siblings: HashSet<UserId>,
        no_self_talk: bool,
        window: Duration,
    ) -> Self {
        let (taken, order) = (HashMap::new(), VecDeque::new());
        Self { posts, siblings, no_self_talk, window, taken, order }
    }

    /// What an agent does about a message. To be asked once for each agent that gets it; the first
    /// that answers has it.
    pub fn handle_message(&mut self, now: SessionTime, agent: &str, asked: &Asked<'_>) -> Task {
        if self.no_self_talk && self.siblings.contains(&asked.author) {
            return Task::Leave;
        }
        let is_mentioned = asked.mentioned.contains(&agent);
        if !is_mentioned && !asked.mentioned.is_empty() {
            return Task::Leave;
        }
        if !is_mentioned && let Some(task) = self.by_post(agent, asked) {
            return task;
        }
        if asked.mentioned.len() > 1 || self.take(now, agent, asked.message) {
            return Task::Answer;
        }
        Task::Leave
    }

    /// What the agent's post says against answering.
    fn by_post(&self, agent: &str, asked: &Asked<'_>) -> Option<Task> {
        let Some(post) = self.posts.get(agent) else {
            return (!self.posts.is_empty()).then_some(Task::Leave);
        };
        if asked.place.channel_entry(&post.channels).is_none() {
            return Some(Task::Leave);
        }
        let text = asked.text.to_lowercase();
        let is_triggered = || post.triggers.iter().any(|word| text.contains(&word.to_lowercase()));
        (post.duty == Duty::Passive && !is_triggered()).then_some(Task::Observe)
    }

    fn take(&mut self, now: SessionTime, agent: &str, message: MessageId) -> bool {
        while let Some((at, oldest)) = self.order.front().copied() {
            if now.since(at) < self.window && self.order.len() < MOST {
                break;
            }
            self.order.pop_front();
            self.taken.remove(&oldest);
        }
        if let Some(taken_by) = self.taken.get(&message) {
            return taken_by == agent;
        }
        self.taken.insert(message, agent.to_owned());
        self.order.push_back((now, message));
        true
    }
}

#[cfg(test)]
mod tests {
    use clawvoice_session::{ChannelId, GuildId};

    use super::*;

    fn place(channel: u64, name: &'static str) -> Place<'static> {
        Place {
            guild: GuildId::new(1),
            guild_name: "",
            channel: ChannelId::new(channel),
            channel_name: name,
            parent: None,
        }
    }

    fn post(channels: &[&str], duty: Duty) -> Post {
        let channels = channels.iter().map(|key| (*key, ())).collect();
        Post { channels, duty, triggers: vec!["Deploy".to_owned()] }
    }

    fn router(posts: &[(&str, Post)]) -> AgentRouter {
        let posts = posts.iter().map(|(agent, post)| ((*agent).to_owned(), post.clone()));
        AgentRouter::new(posts.collect(), [UserId::new(50)].into(), true, WINDOW)
    }

    fn asked<'a>(
        message: u64,
        place: &'a Place<'a>,
        text: &'a str,
        mentioned: &'a [&'a str],
    ) -> Asked<'a> {
        Asked { message: MessageId::new(message), place, author: UserId::new(7), text, mentioned }
    }

    fn at(second: u64) -> SessionTime {
        SessionTime::from_millis(second * 1_000)
    }

    #[test]
    fn an_agent_answers_where_it_is_posted() {
        let posts = [
            ("help", post(&["5", "help-desk"], Duty::Active)),
            ("watch", post(&["*"], Duty::Passive)),
        ];
        let mut router = router(&posts);
        let (five, desk, other) = (place(5, ""), place(6, "Help Desk"), place(7, "random"));
        for (message, place, text, of_help, of_watch) in [
            (1, &five, "hi", Task::Answer, Task::Observe),
            (2, &desk, "hi", Task::Answer, Task::Observe),
            (3, &other, "hi", Task::Leave, Task::Observe),
            (4, &other, "now DEPLOY it", Task::Leave, Task::Answer),
            (5, &five, "deploy", Task::Answer, Task::Leave),
        ] {
            let asked = asked(message, place, text, &[]);
            assert_eq!(router.handle_message(at(0), "help", &asked), of_help, "{message}");
            assert_eq!(router.handle_message(at(1), "watch", &asked), of_watch, "{message}");
            assert_eq!(router.handle_message(at(1), "unknown", &asked), Task::Leave);
        }
    }

    #[test]
    fn one_takes_a_message_unless_several_are_mentioned() {
        let mut router = router(&[]);
        let here = place(5, "");
        let ambient = asked(1, &here, "hi", &[]);
        assert_eq!(router.handle_message(at(0), "a", &ambient), Task::Answer);
        assert_eq!(router.handle_message(at(4), "b", &ambient), Task::Leave);
        assert_eq!(router.handle_message(at(4), "a", &ambient), Task::Answer);
        assert_eq!(router.handle_message(at(5), "b", &ambient), Task::Answer, "the window is over");
        let to_b = asked(2, &here, "hi b", &["b"]);
        assert_eq!(router.handle_message(at(6), "a", &to_b), Task::Leave);
        assert_eq!(router.handle_message(at(6), "b", &to_b), Task::Answer);
        let to_both = asked(3, &here, "hi", &["a", "b"]);
        assert_eq!(router.handle_message(at(6), "a", &to_both), Task::Answer);
        assert_eq!(router.handle_message(at(6), "b", &to_both), Task::Answer);
    }

    #[test]
    fn agents_do_not_hear_one_another() {
        let here = place(5, "");
        let of_sibling = Asked { author: UserId::new(50), ..asked(1, &here, "hi", &["a"]) };
        assert_eq!(router(&[]).handle_message(at(0), "a", &of_sibling), Task::Leave);
    }

    #[test]
    fn the_memory_is_bounded() {
        let (mut router, here) = (router(&[]), place(5, ""));
        for message in 1..=20_000 {
            router.handle_message(at(0), "a", &asked(message, &here, "hi", &[]));
        }
        assert!(router.taken.len() <= MOST && router.order.len() <= MOST);
    }
}
