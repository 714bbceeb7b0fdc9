//! The gateway sessions of all bots: numbering, replay, and who hears what.
//!
//! A session outlives its connection: dispatches are numbered and kept while the client is away,
//! so that RESUME can replay them. Source: Discord, "Gateway", Resuming.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    GatewaySettings,
    payload::{Identify, RequestMembers, Resume},
};
use crate::{
    journal::Journal,
    world::{Dispatch, State, World, intents},
};

/// Dispatches kept for a replay; a session that misses more cannot be resumed.
const REPLAY_CAPACITY: usize = 10_000;

/// Messages that may wait for a connection. One that reads so slowly that they fill up is dropped;
/// its session can be resumed.
pub(crate) const CONNECTION_CAPACITY: usize = REPLAY_CAPACITY;

/// What a connection is told by the hub.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ToConnection {
    /// Send this op 0 payload.
    Dispatch(Arc<str>),
    /// Send op 7.
    Reconnect,
    /// Send op 9; the session is gone unless it may be resumed.
    Invalid {
        /// The value of `d`.
        resumable: bool,
    },
    /// Another connection has taken the session over.
    Replaced,
    /// Close with this code; 1006: without a close frame.
    Close(u16),
    /// From now on say nothing, not even to heartbeats.
    FallSilent,
}

/// Why IDENTIFY or RESUME is turned down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Close the connection with this code.
    Close(u16, &'static str),
    /// Op 9 false.
    InvalidSession,
}

#[derive(Debug)]
struct Session {
    user: u64,
    intents: u64,
    shard: Option<[u64; 2]>,
    seq: u64,
    replay: VecDeque<(u64, Arc<str>)>,
    connection: Option<mpsc::Sender<ToConnection>>,
    away_since_ms: Option<u64>,
    /// The connection did not read fast enough and has missed something.
    overrun: bool,
}

/// All gateway sessions. Cloning gives another handle.
#[derive(Clone)]
pub(crate) struct Hub {
    world: World,
    journal: Journal,
    settings: GatewaySettings,
    sessions: Arc<Mutex<Sessions>>,
}

#[derive(Debug, Default)]
struct Sessions {
    by_id: BTreeMap<String, Session>,
    /// Per user and rate limit key.
    identified_at_ms: BTreeMap<(u64, u64), u64>,
}

impl Hub {
    pub(crate) fn new(world: World, journal: Journal, settings: GatewaySettings) -> Self {
        Self { world, journal, settings, sessions: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Judges an IDENTIFY. On success READY and the guilds are on their way through `connection`;
    /// gives the new session's id.
    pub(crate) fn identify(
        &self,
        now_ms: u64,
        identify: &Identify,
        connection: &mpsc::Sender<ToConnection>,
        resume_url: &str,
    ) -> Result<String, Refusal> {
        let mut sessions = self.lock();
        let (session, id) = self.world.read(|state| -> Result<_, Refusal> {
            let (user, intents) = admit(state, identify)?;
            let last = sessions.identified_at_ms.get(&(user, self.key_of(identify))).copied();
            let too_soon = last.is_some_and(|at| now_ms < at + self.settings.identify_spacing_ms);
            if too_soon {
                return Err(Refusal::InvalidSession);
            }
            let mut session = Session {
                user,
                intents,
                shard: identify.shard,
                seq: 0,
                replay: VecDeque::new(),
                connection: Some(connection.clone()),
                away_since_ms: None,
                overrun: false,
            };
            let id = format!("{:032x}", rand::random::<u128>());
            session.push("READY", &ready(state, &session, &id, resume_url));
            for guild in session.guilds(state) {
                if intents & intents::GUILDS != 0
                    && let Some(data) = state.guild_create_json(guild, user)
                {
                    session.push("GUILD_CREATE", &data);
                }
            }
            Ok((session, id))
        })?;
        sessions.identified_at_ms.insert((session.user, self.key_of(identify)), now_ms);
        self.journal.record(
            "gateway",
            "identify",
            json!({"user": session.user.to_string(), "intents": session.intents, "shard": session.shard}),
        );
        sessions.by_id.insert(id.clone(), session);
        Ok(id)
    }

    /// Shards that share a rate limit key wait for each other ("Max Concurrency").
    fn key_of(&self, identify: &Identify) -> u64 {
        let shard = identify.shard.map_or(0, |[id, _]| id);
        shard % u64::from(self.settings.max_concurrency.max(1))
    }

    /// Judges a RESUME; on success what was missed and RESUMED are on their way.
    pub(crate) fn resume(
        &self,
        resume: &Resume,
        connection: &mpsc::Sender<ToConnection>,
    ) -> Result<(), Refusal> {
        let mut sessions = self.lock();
        let user = self.world.read(|state| bot_user(state, &resume.token));
        let user = user.ok_or(Refusal::Close(4004, "Authentication failed."))?;
        let session = sessions.by_id.get_mut(&resume.session_id);
        let session = session.filter(|session| session.user == user);
        let session = session.ok_or(Refusal::InvalidSession)?;
        if resume.seq > session.seq {
            // The session is gone with the refusal: the client has to identify anew.
            sessions.by_id.remove(&resume.session_id);
            drop(sessions);
            self.lose(user);
            return Err(Refusal::Close(4007, "Invalid seq."));
        }
        let oldest = session.replay.front().map_or(session.seq + 1, |(seq, _)| *seq);
        if resume.seq + 1 < oldest {
            return Err(Refusal::InvalidSession);
        }
        if let Some(older) = session.connection.replace(connection.clone()) {
            let _ = older.try_send(ToConnection::Replaced);
        }
        session.away_since_ms = None;
        session.overrun = false;
        let missed: Vec<Arc<str>> = session
            .replay
            .iter()
            .filter(|(seq, _)| *seq > resume.seq)
            .map(|(_, text)| text.clone())
            .collect();
        missed.into_iter().for_each(|text| session.send(ToConnection::Dispatch(text)));
        session.push("RESUMED", &json!({}));
        self.journal.record(
            "gateway",
            "resume",
            json!({"user": user.to_string(), "seq": resume.seq, "replayed": session.seq - 1 - resume.seq}),
        );
        Ok(())
    }

    /// Gives an event to every session that may see it.
    pub(crate) fn publish(&self, dispatch: &Dispatch) {
        let mut sessions = self.lock();
        let seen_by = self.world.read(|state| {
            let mut users = Vec::new();
            for session in sessions.by_id.values_mut() {
                let Some(data) = dispatch.for_session(state, session.user, session.intents) else {
                    continue;
                };
                if session.serves(data.get("guild_id")) {
                    session.push(dispatch.event, &data);
                    users.push(session.user.to_string());
                }
            }
            users
        });
        drop(sessions);
        let mut data = dispatch.data.clone();
        if let Some(token) = data.get_mut("token") {
            *token = Value::from("***");
        }
        self.journal.record("gateway", dispatch.event, json!({"to": seen_by, "d": data}));
    }

    /// Answers op 8 with chunks of at most 1,000 members.
    pub(crate) fn send_members(&self, session_id: &str, request: &RequestMembers) {
        let mut sessions = self.lock();
        let Some(session) = sessions.by_id.get_mut(session_id) else { return };
        self.world.read(|state| {
            let everybody = request.user_ids.is_none() && request.wants_everybody();
            let allowed = !everybody || session.intents & intents::GUILD_MEMBERS != 0;
            if !allowed || !session.guilds(state).contains(&request.guild_id) {
                return;
            }
            let members = matching_members(state, request);
            let chunks: Vec<&[Value]> =
                if members.is_empty() { vec![&[]] } else { members.chunks(1_000).collect() };
            for (index, chunk) in chunks.iter().enumerate() {
                let mut data = json!({
                    "guild_id": request.guild_id.to_string(),
                    "members": chunk,
                    "chunk_index": index,
                    "chunk_count": chunks.len(),
                });
                if let Some(nonce) = &request.nonce {
                    data["nonce"] = Value::from(nonce.as_str());
                }
                session.push("GUILD_MEMBERS_CHUNK", &data);
            }
        });
    }

    /// Messages that wait for the connection that is furthest behind.
    pub(crate) fn waiting(&self) -> usize {
        let sessions = self.lock();
        let open = sessions.by_id.values().filter_map(|session| session.connection.as_ref());
        open.map(|one| one.max_capacity() - one.capacity()).max().unwrap_or(0)
    }

    /// The user behind a session.
    pub(crate) fn user_of(&self, session_id: &str) -> Option<u64> {
        self.lock().by_id.get(session_id).map(|session| session.user)
    }

    /// Whether a connection still serves its session and has missed nothing.
    pub(crate) fn serves(&self, session_id: &str, connection: &mpsc::Sender<ToConnection>) -> bool {
        self.lock().by_id.get(session_id).is_some_and(|session| {
            let ours = session.connection.as_ref();
            !session.overrun && ours.is_some_and(|ours| ours.same_channel(connection))
        })
    }

    /// A connection is over. `keep` tells whether the session may still be resumed.
    pub(crate) fn disconnected(
        &self,
        now_ms: u64,
        session_id: &str,
        connection: &mpsc::Sender<ToConnection>,
        keep: bool,
    ) {
        let mut sessions = self.lock();
        let Some(session) = sessions.by_id.get_mut(session_id) else { return };
        if !session.connection.as_ref().is_some_and(|ours| ours.same_channel(connection)) {
            return;
        }
        session.connection = None;
        session.away_since_ms = Some(now_ms);
        if !keep {
            let user = session.user;
            sessions.by_id.remove(session_id);
            drop(sessions);
            self.lose(user);
        }
    }

    /// Forgets sessions whose clients stayed away too long.
    pub(crate) fn sweep(&self, now_ms: u64) {
        let mut lost = Vec::new();
        self.lock().by_id.retain(|_, session| {
            let expired = session
                .away_since_ms
                .is_some_and(|at| now_ms.saturating_sub(at) >= self.settings.resume_window_ms);
            if expired {
                lost.push(session.user);
            }
            !expired
        });
        lost.into_iter().for_each(|user| self.lose(user));
    }

    /// Op 7 to every connection.
    pub(crate) fn reconnect_all(&self) {
        for session in self.lock().by_id.values_mut() {
            session.send(ToConnection::Reconnect);
        }
    }

    /// Closes every connection with this code, as [`super::is_resumable`] says with or without the
    /// session; 1006: without a close frame.
    pub(crate) fn close_all(&self, code: u16) {
        for session in self.lock().by_id.values_mut() {
            session.send(ToConnection::Close(code));
        }
    }

    /// Every connection that is open now falls silent.
    pub(crate) fn silence_all(&self) {
        for session in self.lock().by_id.values_mut() {
            session.send(ToConnection::FallSilent);
        }
    }

    /// Op 9 to every connection; with `resumable` false the sessions are gone.
    pub(crate) fn invalidate_all(&self, resumable: bool) {
        let mut sessions = self.lock();
        for session in sessions.by_id.values_mut() {
            session.send(ToConnection::Invalid { resumable });
        }
        if !resumable {
            let lost: Vec<u64> = sessions.by_id.values().map(|session| session.user).collect();
            sessions.by_id.clear();
            drop(sessions);
            lost.into_iter().for_each(|user| self.lose(user));
        }
    }

    /// The last session of a user is gone: it leaves voice, as on Discord.
    fn lose(&self, user: u64) {
        if !self.lock().by_id.values().any(|session| session.user == user) {
            self.journal.record("gateway", "session lost", json!({"user": user.to_string()}));
            self.world.drop_user_voice(user);
        }
    }
}

impl Session {
    /// Numbers an event, keeps it for a replay and sends it if the client is there.
    fn push(&mut self, event: &str, data: &Value) {
        self.seq += 1;
        let text: Arc<str> =
            json!({"op": 0, "t": event, "s": self.seq, "d": data}).to_string().into();
        if self.replay.len() == REPLAY_CAPACITY {
            self.replay.pop_front();
        }
        self.replay.push_back((self.seq, text.clone()));
        self.send(ToConnection::Dispatch(text));
    }

    /// Tells the connection, if there is one that keeps up.
    fn send(&mut self, message: ToConnection) {
        if let Some(connection) = &self.connection {
            self.overrun |= connection.try_send(message).is_err();
        }
    }

    fn guilds(&self, state: &State) -> Vec<u64> {
        state
            .guilds_of(self.user)
            .map(|guild| guild.id)
            .filter(|guild| self.serves(Some(&Value::from(guild.to_string()))))
            .collect()
    }

    /// Whether an event of this guild belongs on this shard; direct messages go to shard 0.
    fn serves(&self, guild: Option<&Value>) -> bool {
        let Some([id, count]) = self.shard else { return true };
        let guild = guild.and_then(Value::as_str).and_then(|text| text.parse::<u64>().ok());
        guild.map_or(id == 0, |guild| (guild >> 22) % count == id)
    }
}

fn bot_user(state: &State, token: &str) -> Option<u64> {
    let token = token.strip_prefix("Bot ").unwrap_or(token);
    state.application_by_token(token).map(|application| application.user_id)
}

/// Token, shard and intents of an IDENTIFY; gives the bot user and its intents.
fn admit(state: &State, identify: &Identify) -> Result<(u64, u64), Refusal> {
    let token = identify.token.strip_prefix("Bot ").unwrap_or(&identify.token);
    let application =
        state.application_by_token(token).ok_or(Refusal::Close(4004, "Authentication failed."))?;
    if identify.shard.is_some_and(|[id, count]| count == 0 || id >= count) {
        return Err(Refusal::Close(4010, "Invalid shard."));
    }
    let intents = u64::try_from(identify.intents)
        .ok()
        .filter(|intents| intents & !intents::ALL == 0)
        .ok_or(Refusal::Close(4013, "Invalid intent(s)."))?;
    if intents & intents::PRIVILEGED & !application.privileged_intents != 0 {
        return Err(Refusal::Close(4014, "Disallowed intent(s)."));
    }
    Ok((application.user_id, intents))
}

fn ready(state: &State, session: &Session, id: &str, resume_url: &str) -> Value {
    let guilds: Vec<Value> = session
        .guilds(state)
        .into_iter()
        .map(|guild| json!({"id": guild.to_string(), "unavailable": true}))
        .collect();
    let application = state.application_of(session.user);
    let mut data = json!({
        "v": 10,
        "user": state.users.get(&session.user).map(|user| user.to_own_json()),
        "guilds": guilds,
        "session_id": id,
        "session_type": "normal",
        "resume_gateway_url": resume_url,
        "private_channels": [],
        "relationships": [],
        "presences": [],
        "user_settings": {},
        "geo_ordered_rtc_regions": [],
        "application": application.map(|app| json!({"id": app.id.to_string(), "flags": app.flags})),
    });
    if let Some(shard) = session.shard {
        data["shard"] = json!(shard);
    }
    data
}

fn matching_members(state: &State, request: &RequestMembers) -> Vec<Value> {
    let wanted: Option<Vec<String>> = request.user_ids.as_ref().map(|ids| match ids {
        Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        other => other.as_str().map(str::to_owned).into_iter().collect(),
    });
    let query = request.query.as_deref().unwrap_or_default().to_lowercase();
    let Some(guild) = state.guilds.get(&request.guild_id) else { return Vec::new() };
    guild
        .members
        .values()
        .filter(|member| match &wanted {
            Some(ids) => ids.contains(&member.user_id.to_string()),
            None => {
                let name = state.users.get(&member.user_id).map(|user| user.username.as_str());
                let names = [member.nick.as_deref(), name];
                names.into_iter().flatten().any(|name| name.to_lowercase().starts_with(&query))
            }
        })
        .filter_map(|member| state.member_json(request.guild_id, member.user_id))
        .collect()
}
