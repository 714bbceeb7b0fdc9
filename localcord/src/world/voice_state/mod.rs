//! Who is in which voice channel, and what lets them into the voice server.

mod stage;

use serde_json::{Value, json};

pub use self::stage::{StageChange, StageDenied};
use super::{
    World,
    dispatch::{Audience, Dispatch, intents},
    permissions::bits,
    state::{Channel, State, VoiceState, kind},
};
use crate::voice::{Silenced, Ticket, VoiceInvite};

/// The voice websocket's close code for everybody who is taken out of a channel: "Disconnected".
const DISCONNECTED: u16 = 4014;

/// Why a user is not let into a voice channel. Discord's gateway says nothing at all then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VoiceDenied {
    /// No such guild, or the user is not in it.
    #[error("no member of that guild")]
    NotAMember,
    /// No such channel in the guild, or not one to talk in.
    #[error("no voice channel of that guild")]
    NotAVoiceChannel,
    /// VIEW_CHANNEL or CONNECT is missing.
    #[error("missing VIEW_CHANNEL or CONNECT")]
    MissingPermission,
    /// The user limit is reached and MOVE_MEMBERS is missing.
    #[error("the channel is full")]
    Full,
    /// No voice server was attached.
    #[error("there is no voice server")]
    NoVoiceServer,
}

impl World {
    /// What op 4 asks for: joins or moves to a channel, leaves (`None`), or changes flags.
    ///
    /// On a join or a move the invite is returned and the voice server lets the user in.
    /// VOICE_STATE_UPDATE goes to the guild; a bot that joins or moves gets VOICE_SERVER_UPDATE,
    /// too. In the same channel only flags change, and there is no invite.
    ///
    /// # Errors
    /// When the user is not let in; nothing has changed then.
    pub fn set_voice_state(
        &self,
        guild_id: u64,
        user_id: u64,
        channel_id: Option<u64>,
        self_mute: bool,
        self_deaf: bool,
    ) -> Result<Option<VoiceInvite>, VoiceDenied> {
        self.change(None, (guild_id, user_id), channel_id, (self_mute, self_deaf))
    }

    /// [`World::set_voice_state`] for a session of the main gateway. A place in voice belongs to
    /// the session that took it: when a client that crashed and started anew asks for the channel
    /// it is still seen in, it joins afresh and gets an invite.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn set_voice_state_from(
        &self,
        gateway_session: &str,
        (guild_id, user_id): (u64, u64),
        channel_id: Option<u64>,
        flags: (bool, bool),
    ) -> Result<Option<VoiceInvite>, VoiceDenied> {
        self.change(Some(gateway_session), (guild_id, user_id), channel_id, flags)
    }

    fn change(
        &self,
        gateway_session: Option<&str>,
        (guild_id, user_id): (u64, u64),
        channel_id: Option<u64>,
        (self_mute, self_deaf): (bool, bool),
    ) -> Result<Option<VoiceInvite>, VoiceDenied> {
        let result: Result<_, VoiceDenied> = self.write(|state| {
            let Some(channel_id) = channel_id else {
                self.leave(state, guild_id, user_id);
                return Ok(None);
            };
            let before = state.voice_states.get(&(guild_id, user_id)).cloned();
            let stays = |before: &VoiceState| {
                before.channel_id == channel_id
                    && before.gateway_session.as_deref() == gateway_session
            };
            if let Some(before) = before.filter(stays) {
                self.put(state, VoiceState { self_mute, self_deaf, ..before });
                return Ok(None);
            }
            let flags = (self_mute, self_deaf);
            let invite = self.enter(state, (guild_id, user_id), channel_id, flags)?;
            if let Some(entered) = state.voice_states.get_mut(&(guild_id, user_id)) {
                entered.gateway_session = gateway_session.map(str::to_owned);
            }
            Ok(Some(invite))
        });
        if let Err(denied) = result {
            let data = json!({
                "guild_id": guild_id.to_string(),
                "user_id": user_id.to_string(),
                "why": denied.to_string(),
            });
            self.journal().record("voice", "denied", data);
        }
        result
    }

    /// Takes a user out of voice in all guilds: its gateway session is gone for good.
    pub fn drop_user_voice(&self, user_id: u64) {
        self.write(|state| {
            let guilds: Vec<u64> = state.guilds.keys().copied().collect();
            for guild_id in guilds {
                self.leave(state, guild_id, user_id);
            }
        });
    }

    /// What a moderator sets, whatever anybody's permissions: server mute, server deafen, a stage's
    /// audience; [`World::change_stage`] asks for permissions. `None` leaves a
    /// flag as it is. Whether the user is in voice at all.
    pub fn moderate_voice(
        &self,
        guild_id: u64,
        user_id: u64,
        mute: Option<bool>,
        deaf: Option<bool>,
        suppress: Option<bool>,
    ) -> bool {
        self.write(|state| {
            let Some(before) = state.voice_states.get(&(guild_id, user_id)).cloned() else {
                return false;
            };
            self.put(
                state,
                VoiceState {
                    mute: mute.unwrap_or(before.mute),
                    deaf: deaf.unwrap_or(before.deaf),
                    suppress: suppress.unwrap_or(before.suppress),
                    ..before
                },
            );
            true
        })
    }

    /// Throws everybody out of voice, without events.
    pub(super) fn dismiss_all(&self, state: &mut State) {
        for (guild_id, user_id) in std::mem::take(&mut state.voice_states).into_keys() {
            if let Some(voice) = self.voice() {
                voice.dismiss(guild_id, user_id, DISCONNECTED);
            }
        }
    }

    fn enter(
        &self,
        state: &mut State,
        (guild_id, user_id): (u64, u64),
        channel_id: u64,
        (self_mute, self_deaf): (bool, bool),
    ) -> Result<VoiceInvite, VoiceDenied> {
        let channel = check(state, guild_id, user_id, channel_id)?;
        let stage = channel.kind == kind::STAGE;
        let to_be_heard = if stage { bits::STAGE_MODERATOR } else { bits::SPEAK };
        let suppress = !state.may(user_id, channel_id, to_be_heard);
        let server = self.voice().ok_or(VoiceDenied::NoVoiceServer)?;
        let before = state.voice_states.get(&(guild_id, user_id)).cloned().unwrap_or_default();
        let (session_id, token) = (hex_secret(), hex_secret());
        server.admit(Ticket {
            guild_id,
            channel_id,
            user_id,
            session_id: session_id.clone(),
            token: token.clone(),
            dave: !stage,
        });
        self.put(
            state,
            VoiceState {
                guild_id,
                user_id,
                channel_id,
                session_id: session_id.clone(),
                self_mute,
                self_deaf,
                suppress,
                request_to_speak_ms: None,
                ..before
            },
        );
        let endpoint = server.endpoint_in(guild_id);
        if state.users.get(&user_id).is_some_and(|user| user.bot) {
            self.tell_voice_server(guild_id, user_id, &token, Some(&endpoint));
        }
        Ok(VoiceInvite { guild_id, channel_id, user_id, session_id, token, endpoint })
    }

    /// Takes a user out of voice in a guild.
    pub(super) fn leave(&self, state: &mut State, guild_id: u64, user_id: u64) {
        let Some(left) = state.voice_states.remove(&(guild_id, user_id)) else { return };
        if let Some(voice) = self.voice() {
            voice.dismiss(guild_id, user_id, DISCONNECTED);
        }
        let mut data = state.voice_state_json(&left);
        data["channel_id"] = Value::Null;
        self.tell_voice_state(guild_id, data);
    }

    fn put(&self, state: &mut State, voice: VoiceState) {
        let (guild_id, user_id) = (voice.guild_id, voice.user_id);
        if let Some(server) = self.voice() {
            server.set_silenced(guild_id, user_id, voice.silenced());
        }
        state.voice_states.insert((guild_id, user_id), voice.clone());
        self.tell_voice_state(guild_id, state.voice_state_json(&voice));
    }

    fn tell_voice_state(&self, guild_id: u64, data: Value) {
        self.dispatch(Dispatch {
            event: "VOICE_STATE_UPDATE",
            data,
            audience: Audience::Guild(guild_id),
            intents: intents::GUILD_VOICE_STATES,
        });
    }
}

impl VoiceState {
    /// Why nobody is to hear the user, if that is so.
    #[must_use]
    pub fn silenced(&self) -> Option<Silenced> {
        if self.mute {
            Some(Silenced::Muted)
        } else {
            self.suppress.then_some(Silenced::Suppressed)
        }
    }
}

/// The channel, if the user may join it.
fn check(
    state: &State,
    guild_id: u64,
    user_id: u64,
    channel_id: u64,
) -> Result<&Channel, VoiceDenied> {
    let guild = state.guilds.get(&guild_id).ok_or(VoiceDenied::NotAMember)?;
    if !guild.members.contains_key(&user_id) {
        return Err(VoiceDenied::NotAMember);
    }
    let channel = state.channels.get(&channel_id).ok_or(VoiceDenied::NotAVoiceChannel)?;
    if channel.guild_id != Some(guild_id) || !channel.is_voice() {
        return Err(VoiceDenied::NotAVoiceChannel);
    }
    if !state.may(user_id, channel_id, bits::VIEW_CHANNEL | bits::CONNECT) {
        return Err(VoiceDenied::MissingPermission);
    }
    let limit = usize::from(channel.user_limit);
    let full = limit > 0 && state.voice_states_in(channel_id).count() >= limit;
    if full && !state.may(user_id, channel_id, bits::MOVE_MEMBERS) {
        return Err(VoiceDenied::Full);
    }
    Ok(channel)
}

/// 128 random bits in hex, as Discord's session ids look.
pub(super) fn hex_secret() -> String {
    format!("{:032x}", rand::random::<u128>())
}

#[cfg(test)]
mod tests;
