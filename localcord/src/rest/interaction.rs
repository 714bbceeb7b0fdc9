//! The life of an interaction ("Receiving and Responding to Interactions"), in virtual time.
//!
//! The first answer is due within three seconds, exactly one is taken, and after it the token
//! works for fifteen minutes.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::world::state::Message;

/// Time for the first answer.
const ANSWER_TIME: Duration = Duration::from_secs(3);
/// Life of the token once answered.
const TOKEN_TIME: Duration = Duration::from_secs(15 * 60);
/// Interactions kept before those whose token died are thrown away.
const KEPT: usize = 1024;

/// A command that somebody called.
#[derive(Clone, Debug)]
pub(crate) struct Interaction {
    /// Its id.
    pub(crate) id: u64,
    /// Whose command it is.
    pub(crate) application_id: u64,
    /// The bot user of the application.
    pub(crate) bot_id: u64,
    /// Where it was called.
    pub(crate) guild_id: Option<u64>,
    /// Where it was called, and where answers go.
    pub(crate) channel_id: u64,
    /// Who called.
    pub(crate) user_id: u64,
    /// The command's name.
    pub(crate) command: String,
    /// 2 for a command, 3 for a component, 4 for autocomplete, 5 for a modal submit.
    pub(crate) kind: u8,
    /// The callback that was given first: `type` and `data`.
    pub(crate) callback: Option<Value>,
    /// The message whose component was used.
    pub(crate) source: Option<u64>,
    /// The message `@original` stands for.
    pub(crate) original: Option<u64>,
    /// Messages that only the caller sees; they are in no channel.
    pub(crate) ephemeral: Vec<Message>,
    /// The answer is there to be read: not deferred any more.
    pub(crate) settled: bool,
    answered: bool,
    began: Instant,
}

impl Interaction {
    /// A new interaction. `id` also names its token.
    pub(crate) fn new(
        now: Instant,
        id: u64,
        (application_id, bot_id): (u64, u64),
        (guild_id, channel_id, user_id): (Option<u64>, u64, u64),
        command: String,
        kind: u8,
    ) -> Self {
        Self {
            id,
            application_id,
            bot_id,
            guild_id,
            channel_id,
            user_id,
            command,
            kind,
            callback: None,
            source: None,
            original: None,
            ephemeral: Vec::new(),
            settled: false,
            answered: false,
            began: now,
        }
    }

    /// The answer came too late or the token is too old.
    fn is_dead(&self, now: Instant) -> bool {
        let age = now.saturating_duration_since(self.began);
        age > if self.answered { TOKEN_TIME } else { ANSWER_TIME }
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
    by_token: HashMap<String, Interaction>,
}

impl Interactions {
    /// Adds an interaction that was just dispatched.
    pub(crate) fn handle_call(&mut self, now: Instant, token: String, interaction: Interaction) {
        if self.by_token.len() >= KEPT {
            self.by_token.retain(|_, kept| !kept.is_dead(now));
        }
        self.by_token.insert(token, interaction);
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
    ) -> Result<&mut Interaction, Refused> {
        let interaction = self.by_token.get_mut(token).ok_or(Refused::Unknown)?;
        if interaction.id != id || interaction.is_dead(now) {
            return Err(Refused::Unknown);
        }
        if interaction.answered {
            return Err(Refused::AlreadyAnswered);
        }
        interaction.answered = true;
        Ok(interaction)
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
    ) -> Result<&mut Interaction, Refused> {
        let interaction = self.by_token.get_mut(token).ok_or(Refused::Unknown)?;
        if interaction.application_id != application_id || !interaction.answered {
            return Err(Refused::Unknown);
        }
        if interaction.is_dead(now) {
            return Err(Refused::TokenDied);
        }
        Ok(interaction)
    }

    /// The interaction of a token, however old.
    pub(crate) fn find(&self, token: &str) -> Option<&Interaction> {
        self.by_token.get(token)
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.by_token.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(start: Instant) -> Interactions {
        let mut all = Interactions::default();
        let call = Interaction::new(start, 9, (5, 6), (Some(1), 2, 3), "vc".into(), 2);
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
        let mut answer =
            |at, id, token: &str| all.handle_answer(at, id, token).map(|found| found.id);
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
}
