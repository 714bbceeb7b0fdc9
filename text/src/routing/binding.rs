//! Threads, channels and direct messages that belong to a session (`/focus`).
//!
//! ```text
//! /focus  → bind  ┐
//! message → touch ├→ [Bindings] → what to keep, to say, to look at
//! time    → sweep ┘
//! ```
//!
//! A binding ends when nobody wrote for its idle time, at its greatest age, with its thread, or when
//! somebody ends it. Times are milliseconds since 1970: a binding outlives the process.
//!
//! Source: OpenClaw, "Discord", section "Thread bindings".

mod echoes;
mod effective;
mod ended;
mod record;
mod texts;

use std::{
    collections::{VecDeque, hash_map::Entry},
    time::Duration,
};

use clawvoice_config::ThreadBindings;
use clawvoice_session::{ChannelId, SessionKey, UserId, WebhookId};
use foldhash::HashMap;

use echoes::Echoes;

pub use ended::Ended;
pub use record::{BindingRecord, BoundPlace, PlaceError, TargetKind, Webhook};
pub use texts::{duration_label, farewell, intro, thread_name, webhook_name};

/// Between two sweeps.
const SWEEP_MS: u64 = 120_000;

/// Between two times that a message's time is kept.
const SAVE_MS: u64 = 15_000;

/// Bindings of an account; more are refused.
const MAX_BINDINGS: usize = 1_000;

/// Threads that are looked at a sweep; the others have their turn later.
const LOOKS: usize = 20;

/// What is bound to what.
#[derive(Clone, Debug)]
pub struct Bind {
    /// The thread, channel or person.
    pub place: BoundPlace,
    /// Of a thread, the channel it belongs to.
    pub parent: Option<ChannelId>,
    /// The session.
    pub key: SessionKey,
    /// Its agent.
    pub agent: String,
    /// What the session is called.
    pub label: Option<String>,
    /// Who binds it.
    pub by: UserId,
}

/// Why something is not bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindRefusal {
    /// `threadBindings.enabled` is off.
    #[error("Thread bindings are switched off (channels.discord.threadBindings.enabled).")]
    Disabled,
    /// There are too many.
    #[error("There are too many thread bindings already; end some with /unfocus.")]
    TooMany,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum BindingOutput {
    /// Keep the record, in place of the account's earlier one for its place.
    Save(BindingRecord),
    /// Forget the account's record for the place.
    Delete {
        /// The account.
        account: String,
        /// The place.
        place: BoundPlace,
        /// Why it ended.
        reason: Ended,
        /// The webhook that spoke there, and now speaks nowhere.
        unused: Option<Webhook>,
    },
    /// Send a text there, by the bot itself rather than a webhook.
    Say {
        /// The place.
        place: BoundPlace,
        /// The text.
        text: String,
    },
    /// Ask Discord for the thread; [`Bindings::gone`] if it is archived or no more.
    Look(ChannelId),
}

#[derive(Clone, Debug)]
struct Kept {
    record: BindingRecord,
    /// When it was last given out to be kept.
    saved_at: u64,
}

/// The bindings of one account.
#[derive(Clone, Debug)]
pub struct Bindings {
    account: String,
    settings: ThreadBindings,
    /// Asked for every message, nearly always in vain. What is done about several is done in the
    /// order of their places.
    kept: HashMap<BoundPlace, Kept>,
    echoes: Echoes,
    outputs: VecDeque<BindingOutput>,
    next_sweep: u64,
    /// The last place that was looked at.
    looked_at: Option<BoundPlace>,
}

impl Bindings {
    /// Those of an account, as they were kept; records of other accounts are left out.
    #[must_use]
    pub fn new(
        account: &str,
        settings: ThreadBindings,
        records: impl IntoIterator<Item = BindingRecord>,
    ) -> Self {
        let own = records.into_iter().filter(|record| record.account == account);
        let kept = own.map(|record| {
            let saved_at = record.last_activity;
            (record.place, Kept { record, saved_at })
        });
        Self {
            account: account.to_owned(),
            settings,
            kept: kept.collect(),
            echoes: Echoes::default(),
            outputs: VecDeque::new(),
            next_sweep: 0,
            looked_at: None,
        }
    }

    /// The file changed. Bindings that are there keep their times.
    pub fn set_settings(&mut self, settings: ThreadBindings) {
        self.settings = settings;
    }

    /// Binds a place; one that is bound already is bound anew and keeps its idle time and greatest
    /// age.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn bind(&mut self, now: u64, bind: Bind) -> Result<&BindingRecord, BindRefusal> {
        if !self.settings.enabled {
            return Err(BindRefusal::Disabled);
        }
        let earlier = self.kept.get(&bind.place).map(|kept| &kept.record);
        if earlier.is_none() && self.kept.len() >= MAX_BINDINGS {
            return Err(BindRefusal::TooMany);
        }
        let (idle, max_age) = (self.settings.idle, self.settings.max_age);
        let record = BindingRecord {
            account: self.account.clone(),
            place: bind.place,
            parent: bind.parent,
            kind: TargetKind::of(&bind.key),
            key: bind.key,
            agent: bind.agent,
            label: bind.label,
            webhook: earlier.and_then(|record| record.webhook.clone()),
            bound_by: bind.by,
            bound_at: now,
            last_activity: now,
            idle: earlier.map_or(idle, |record| record.idle),
            max_age: earlier.map_or(max_age, |record| record.max_age),
        };
        self.outputs.push_back(BindingOutput::Save(record.clone()));
        self.say(record.place, intro(&record));
        let kept = Kept { record, saved_at: now };
        let kept = match self.kept.entry(bind.place) {
            Entry::Occupied(mut entry) => {
                entry.insert(kept);
                entry.into_mut()
            }
            Entry::Vacant(entry) => entry.insert(kept),
        };
        Ok(&kept.record)
    }

    /// Ends a binding.
    pub fn unbind(&mut self, now: u64, place: BoundPlace) -> Option<BindingRecord> {
        self.end(now, place, Ended::Unfocused)
    }

    /// A session is over: so are its bindings.
    pub fn unbind_session(&mut self, now: u64, key: &SessionKey) {
        for place in self.places(|record| record.key == *key) {
            self.end(now, place, Ended::Unfocused);
        }
    }

    /// A thread was archived or deleted, or the channel of threads was deleted. Returns the
    /// sessions that lost their place.
    pub fn gone(&mut self, now: u64, channel: ChannelId, how: Ended) -> Vec<SessionKey> {
        let is_gone = |record: &BindingRecord| {
            record.place == BoundPlace::Channel(channel)
                || (how == Ended::Deleted && record.parent == Some(channel))
        };
        let places = self.places(is_gone);
        let ended = places.into_iter().filter_map(|place| self.end(now, place, how));
        ended.map(|record| record.key).collect()
    }

    /// A message came. Returns what its place is bound to; a binding whose time has passed ends
    /// here, though the sweep has not come to it.
    pub fn touch(&mut self, now: u64, place: BoundPlace) -> Option<&BindingRecord> {
        if !self.settings.enabled {
            return None;
        }
        if let Some((_, reason)) = self.get(place)?.expiry().filter(|(at, _)| *at <= now) {
            self.end(now, place, reason);
            return None;
        }
        let kept = self.kept.get_mut(&place)?;
        kept.record.last_activity = kept.record.last_activity.max(now);
        if now >= kept.saved_at.saturating_add(SAVE_MS) {
            kept.saved_at = now;
            self.outputs.push_back(BindingOutput::Save(kept.record.clone()));
        }
        Some(&kept.record)
    }

    /// Sets how long nobody may write; zero: forever. The time begins anew.
    pub fn set_idle(
        &mut self,
        now: u64,
        place: BoundPlace,
        idle: Duration,
    ) -> Option<&BindingRecord> {
        self.change(now, place, |record| {
            record.idle = idle;
            record.last_activity = record.last_activity.max(now);
        })
    }

    /// Sets the greatest age, from when it was bound; zero: none.
    pub fn set_max_age(
        &mut self,
        now: u64,
        place: BoundPlace,
        max_age: Duration,
    ) -> Option<&BindingRecord> {
        self.change(now, place, |record| record.max_age = max_age)
    }

    /// The webhook that speaks for the session in the place.
    pub fn set_webhook(
        &mut self,
        now: u64,
        place: BoundPlace,
        webhook: Webhook,
    ) -> Option<&BindingRecord> {
        self.change(now, place, |record| record.webhook = Some(webhook))
    }

    fn change(
        &mut self,
        now: u64,
        place: BoundPlace,
        change: impl FnOnce(&mut BindingRecord),
    ) -> Option<&BindingRecord> {
        let kept = self.kept.get_mut(&place)?;
        change(&mut kept.record);
        kept.saved_at = now;
        self.outputs.push_back(BindingOutput::Save(kept.record.clone()));
        Some(&kept.record)
    }

    /// What a place is bound to.
    #[must_use]
    pub fn get(&self, place: BoundPlace) -> Option<&BindingRecord> {
        self.kept.get(&place).map(|kept| &kept.record)
    }

    /// The webhook that speaks in another thread of that channel, and may in all of them.
    #[must_use]
    pub fn webhook_in(&self, parent: ChannelId) -> Option<&Webhook> {
        let near = self.records().filter(|record| record.parent == Some(parent));
        near.into_iter().find_map(|record| record.webhook.as_ref())
    }

    /// All bindings, in the order of their places.
    pub fn records(&self) -> impl Iterator<Item = &BindingRecord> {
        let mut all: Vec<&BindingRecord> = self.kept.values().map(|kept| &kept.record).collect();
        all.sort_unstable_by_key(|record| record.place);
        all.into_iter()
    }

    /// Where such bindings are.
    fn places(&self, such: impl Fn(&BindingRecord) -> bool) -> Vec<BoundPlace> {
        self.records().filter(|record| such(record)).map(|record| record.place).collect()
    }

    /// Whether a message of a webhook is the session's own: the place is bound and it speaks there,
    /// or did until just now.
    #[must_use]
    pub fn is_echo(&self, now: u64, place: BoundPlace, webhook: WebhookId) -> bool {
        let speaks = self.get(place).and_then(|record| record.webhook.as_ref());
        speaks.is_some_and(|it| it.id == webhook) || self.echoes.has(now, place, webhook)
    }

    /// When [`Self::sweep`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        (!self.kept.is_empty()).then_some(self.next_sweep)
    }

    /// Every 120 s: ends what has expired, and has some of the threads looked at.
    pub fn sweep(&mut self, now: u64) {
        if now < self.next_sweep {
            return;
        }
        self.next_sweep = now.saturating_add(SWEEP_MS);
        let due = |record: &BindingRecord| record.expiry().filter(|(at, _)| *at <= now);
        for place in self.places(|record| due(record).is_some()) {
            if let Some((_, reason)) = self.get(place).and_then(due) {
                self.end(now, place, reason);
            }
        }
        self.look();
    }

    /// Has the next few threads looked at, in turn: an event may have been missed.
    fn look(&mut self) {
        let places = self.places(|record| record.parent.is_some());
        let first = self.looked_at.map_or(0, |last| places.partition_point(|it| *it <= last));
        let in_turn = places.iter().cycle().skip(first).take(LOOKS.min(places.len()));
        for place in in_turn {
            self.looked_at = Some(*place);
            if let BoundPlace::Channel(thread) = place {
                self.outputs.push_back(BindingOutput::Look(*thread));
            }
        }
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<BindingOutput> {
        self.outputs.pop_front()
    }

    fn end(&mut self, now: u64, place: BoundPlace, reason: Ended) -> Option<BindingRecord> {
        let record = self.kept.remove(&place)?.record;
        if let Some(webhook) = &record.webhook {
            self.echoes.remember(now, place, webhook.id);
        }
        let is_used =
            |id| self.records().any(|it| it.webhook.as_ref().is_some_and(|it| it.id == id));
        let unused = record.webhook.clone().filter(|webhook| !is_used(webhook.id));
        let account = self.account.clone();
        self.outputs.push_back(BindingOutput::Delete { account, place, reason, unused });
        if reason.is_told() {
            self.say(place, farewell(&record, reason));
        }
        Some(record)
    }

    fn say(&mut self, place: BoundPlace, text: String) {
        self.outputs.push_back(BindingOutput::Say { place, text });
    }
}

#[cfg(test)]
mod tests;
