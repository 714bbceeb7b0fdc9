//! The life of an interaction ("Receiving and Responding to Interactions"), in virtual time.
//!
//! The first answer is due within three seconds, exactly one is taken, and after it the token
//! works for fifteen minutes.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use serde_json::Value;

/// Time for the first answer.
pub(crate) const ANSWER_TIME: Duration = Duration::from_secs(3);
/// Life of the token once answered.
const TOKEN_TIME: Duration = Duration::from_secs(15 * 60);
/// Interactions kept; the oldest go first.
const KEPT: usize = 10_000;

/// Interaction types ("Interaction Type").
pub(crate) mod interaction_kind {
    /// A command was called.
    pub(crate) const COMMAND: u8 = 2;
    /// A button or a select was used.
    pub(crate) const COMPONENT: u8 = 3;
    /// An option's value is being typed.
    pub(crate) const AUTOCOMPLETE: u8 = 4;
    /// A modal was filled in.
    pub(crate) const MODAL_SUBMIT: u8 = 5;
}

/// What a human does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interaction {
    /// Its id.
    pub(crate) id: u64,
    /// One of [`interaction_kind`].
    pub(crate) kind: u8,
    /// Whose command or component it is.
    pub(crate) application_id: u64,
    /// The bot user of the application.
    pub(crate) bot_id: u64,
    /// Where it happened.
    pub(crate) guild_id: Option<u64>,
    /// Where it happened, and where answers go.
    pub(crate) channel_id: u64,
    /// Who did it.
    pub(crate) user_id: u64,
    /// The command's name.
    pub(crate) command: String,
    /// The message whose component was used, also to open the modal.
    pub(crate) source: Option<u64>,
    /// Whose answer the modal was that is submitted.
    pub(crate) opened_by: Option<u64>,
    /// The type of the option that is being typed.
    pub(crate) focused: Option<u64>,
}

/// An interaction and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// What the human did.
    pub(crate) interaction: Interaction,
    /// The callback that was given: `type` and `data`.
    pub(crate) callback: Option<Value>,
    /// The message `@original` stands for.
    pub(crate) original: Option<u64>,
    /// The messages that followed, without those that were deleted.
    pub(crate) followups: Vec<u64>,
    /// The answer is there to be read: not deferred any more.
    pub(crate) settled: bool,
    /// Counts what the human got to see.
    pub(crate) revision: u64,
    answered: bool,
    began: Instant,
}

/// How far an interaction has come for the human who waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing was answered yet.
    Waiting,
    /// The answer was deferred: the application "is thinking".
    Thinking,
    /// It was answered.
    Answered,
    /// The application let the time go by.
    Failed,
}

impl Exchange {
    fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.began)
    }

    /// The answer came too late or the token is too old.
    fn is_dead(&self, now: Instant) -> bool {
        self.age(now) > if self.answered { TOKEN_TIME } else { ANSWER_TIME }
    }

    /// How far it has come.
    pub(crate) fn progress(&self, now: Instant) -> Progress {
        match (self.answered, self.settled) {
            (true, true) => Progress::Answered,
            (_, _) if self.is_dead(now) => Progress::Failed,
            (true, false) => Progress::Thinking,
            (false, _) => Progress::Waiting,
        }
    }

    /// When it fails if nothing more is answered.
    pub(crate) fn fails_at(&self) -> Option<Instant> {
        let time = if self.answered { TOKEN_TIME } else { ANSWER_TIME };
        (!self.settled).then(|| self.began + time)
    }
}

/// Why an answer is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Never heard of, wrong token, or the three seconds are over.
    Unknown,
    /// There was an answer before.
    AlreadyAnswered,
    /// The fifteen minutes are over.
    TokenDied,
}

/// All interactions, by token.
#[derive(Debug, Default)]
pub(crate) struct Interactions {
    by_token: HashMap<String, Exchange>,
    tokens: BTreeMap<u64, String>,
}

impl Interactions {
    /// Adds an interaction that is about to be dispatched.
    pub(crate) fn handle_call(&mut self, now: Instant, token: String, interaction: Interaction) {
        if self.tokens.len() >= KEPT
            && let Some((_, oldest)) = self.tokens.pop_first()
        {
            self.by_token.remove(&oldest);
        }
        self.tokens.insert(interaction.id, token.clone());
        let exchange = Exchange {
            interaction,
            callback: None,
            original: None,
            followups: Vec::new(),
            settled: false,
            revision: 0,
            answered: false,
            began: now,
        };
        self.by_token.insert(token, exchange);
    }

    /// Takes the first answer.
    ///
    /// # Errors
    /// [`Refused::Unknown`] or [`Refused::AlreadyAnswered`].
    pub(crate) fn handle_answer(
        &mut self,
        now: Instant,
        id: u64,
        token: &str,
    ) -> Result<&mut Exchange, Refused> {
        let exchange = self.by_token.get_mut(token).ok_or(Refused::Unknown)?;
        if exchange.interaction.id != id || exchange.is_dead(now) {
            return Err(Refused::Unknown);
        }
        if exchange.answered {
            return Err(Refused::AlreadyAnswered);
        }
        exchange.answered = true;
        Ok(exchange)
    }

    /// The interaction a followup or an edit belongs to.
    ///
    /// # Errors
    /// [`Refused::Unknown`] or [`Refused::TokenDied`].
    pub(crate) fn followed(
        &mut self,
        now: Instant,
        application_id: u64,
        token: &str,
    ) -> Result<&mut Exchange, Refused> {
        let exchange = self.by_token.get_mut(token).ok_or(Refused::Unknown)?;
        if exchange.interaction.application_id != application_id || !exchange.answered {
            return Err(Refused::Unknown);
        }
        if exchange.is_dead(now) {
            return Err(Refused::TokenDied);
        }
        Ok(exchange)
    }

    /// The interaction of a token, however old.
    pub(crate) fn find(&self, token: &str) -> Option<&Exchange> {
        self.by_token.get(token)
    }

    /// The interaction of a token, to note what became of it.
    pub(crate) fn find_mut(&mut self, token: &str) -> Option<&mut Exchange> {
        self.by_token.get_mut(token)
    }

    /// The interaction of an id.
    pub(crate) fn by_id(&self, id: u64) -> Option<&Exchange> {
        self.by_token.get(self.tokens.get(&id)?)
    }

    /// The latest submission of the modal that an interaction was answered with.
    pub(crate) fn submission_of(&self, opened_by: u64) -> Option<&Exchange> {
        let later = self.tokens.range(opened_by..).rev();
        let mut all = later.filter_map(|(_, token)| self.by_token.get(token));
        all.find(|one| one.interaction.opened_by == Some(opened_by))
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.by_token.clear();
        self.tokens.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(start: Instant) -> Interactions {
        let mut all = Interactions::default();
        let call = Interaction { id: 9, application_id: 5, bot_id: 6, ..Interaction::default() };
        all.handle_call(start, "tok".into(), call);
        all
    }

    fn seconds(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn one_answer_within_three_seconds() {
        let start = Instant::now();
        let mut all = called(start);
        let mut answer = |at, id, token: &str| {
            all.handle_answer(at, id, token).map(|found| found.interaction.id)
        };
        assert_eq!(answer(start, 8, "tok"), Err(Refused::Unknown));
        assert_eq!(answer(start, 9, "other"), Err(Refused::Unknown));
        assert_eq!(answer(seconds(start, 3), 9, "tok"), Ok(9));
        assert_eq!(answer(seconds(start, 3), 9, "tok"), Err(Refused::AlreadyAnswered));
        let mut late = called(start);
        let refused = late.handle_answer(seconds(start, 4), 9, "tok").err();
        assert_eq!(refused, Some(Refused::Unknown));
    }

    #[test]
    fn followups_for_fifteen_minutes_after_an_answer() {
        let start = Instant::now();
        let mut all = called(start);
        assert_eq!(all.followed(start, 5, "tok").err(), Some(Refused::Unknown));
        assert!(all.handle_answer(start, 9, "tok").is_ok());
        assert!(all.followed(seconds(start, 900), 5, "tok").is_ok());
        assert_eq!(all.followed(start, 6, "tok").err(), Some(Refused::Unknown));
        assert_eq!(all.followed(seconds(start, 901), 5, "tok").err(), Some(Refused::TokenDied));
    }

    #[test]
    fn whoever_waits_sees_how_far_it_has_come() {
        let start = Instant::now();
        let mut all = called(start);
        let progress = |all: &Interactions, at: u64| {
            all.by_id(9).map(|exchange| exchange.progress(seconds(start, at)))
        };
        assert_eq!(progress(&all, 3), Some(Progress::Waiting));
        assert_eq!(progress(&all, 4), Some(Progress::Failed));
        let fails_at = |all: &Interactions| all.by_id(9).and_then(Exchange::fails_at);
        assert_eq!(fails_at(&all), Some(seconds(start, 3)));
        assert!(all.handle_answer(start, 9, "tok").is_ok());
        assert_eq!(progress(&all, 900), Some(Progress::Thinking));
        assert_eq!(progress(&all, 901), Some(Progress::Failed));
        assert_eq!(fails_at(&all), Some(seconds(start, 900)));
        all.find_mut("tok").unwrap().settled = true;
        assert_eq!(progress(&all, 901), Some(Progress::Answered));
        assert_eq!(fails_at(&all), None);
        assert_eq!(progress(&Interactions::default(), 0), None);
    }

    #[test]
    fn the_oldest_make_room() {
        let start = Instant::now();
        let mut all = Interactions::default();
        for id in 1..=u64::try_from(KEPT).unwrap() + 1 {
            let opened_by = (id == 7).then_some(5);
            let call = Interaction { id, opened_by, ..Interaction::default() };
            all.handle_call(start, format!("t{id}"), call);
        }
        assert!(all.by_id(1).is_none() && all.find("t1").is_none());
        assert!(all.by_id(2).is_some());
        assert_eq!(all.submission_of(5).map(|found| found.interaction.id), Some(7));
        assert!(all.submission_of(6).is_none());
    }
}
