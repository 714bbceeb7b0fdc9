//! Speaking in a stage channel: asking for it, being allowed to, stepping back ("Modify Current
//! User Voice State", "Modify User Voice State").

use crate::world::{
    World,
    permissions::bits,
    state::{VoiceState, kind, now_ms},
};

/// How far back the time of a request may lie, ms: clocks differ. Discord wants "present or future
/// time" and does not say more.
const PRESENT_MS: u64 = 60_000;

/// What is to change; `None` leaves a part as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageChange {
    /// The stage channel that the user is in, if it was named.
    pub channel_id: Option<u64>,
    /// Whether the user is in the audience.
    pub suppress: Option<bool>,
    /// Since when the user asks to speak, Unix milliseconds; `Some(None)` takes the request back.
    /// Only for oneself.
    pub request_to_speak_ms: Option<Option<u64>>,
}

/// Why it does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StageDenied {
    /// The user is in no voice channel of the guild, or in another one than was named.
    #[error("the user is not in that voice channel")]
    NotThere,
    /// The user is in an ordinary voice channel.
    #[error("not a stage channel")]
    NotAStage,
    /// MUTE_MEMBERS is missing, or REQUEST_TO_SPEAK.
    #[error("missing permissions")]
    MissingPermissions,
    /// A request to speak from the past.
    #[error("`request_to_speak_timestamp` lies in the past")]
    Past,
}

impl World {
    /// Changes a user's place in a stage channel, as `actor` may. VOICE_STATE_UPDATE tells of it.
    ///
    /// Everybody may step back into the audience and take a request back; asking to speak needs
    /// REQUEST_TO_SPEAK; all else needs MUTE_MEMBERS. Whoever leaves the audience, or is sent into
    /// it, has no request any more; but a human who is let out of it by somebody else gets one of
    /// now, which is Discord's way of inviting it to speak.
    ///
    /// # Errors
    /// When the user is in no stage channel, or the actor may not; nothing has changed then.
    pub fn change_stage(
        &self,
        actor: u64,
        guild_id: u64,
        user_id: u64,
        change: StageChange,
    ) -> Result<(), StageDenied> {
        self.write(|state| {
            let before = state.voice_states.get(&(guild_id, user_id)).cloned();
            let before = before.ok_or(StageDenied::NotThere)?;
            let channel = before.channel_id;
            let is_stage =
                |id: &u64| state.channels.get(id).is_some_and(|one| one.kind == kind::STAGE);
            if !change.channel_id.iter().chain([&channel]).all(is_stage) {
                return Err(StageDenied::NotAStage);
            }
            if change.channel_id.is_some_and(|named| named != channel) {
                return Err(StageDenied::NotThere);
            }
            let is_self = actor == user_id;
            let moderates = state.may(actor, channel, bits::MUTE_MEMBERS);
            let steps_back = is_self && change.suppress != Some(false);
            if !moderates && !steps_back {
                return Err(StageDenied::MissingPermissions);
            }
            if let Some(Some(at_ms)) = change.request_to_speak_ms {
                if !is_self || !state.may(actor, channel, bits::REQUEST_TO_SPEAK) {
                    return Err(StageDenied::MissingPermissions);
                }
                if at_ms.saturating_add(PRESENT_MS) < now_ms() {
                    return Err(StageDenied::Past);
                }
            }
            let is_bot = state.users.get(&user_id).is_some_and(|user| user.bot);
            let request_to_speak_ms = match change.suppress {
                Some(false) => (!is_self && !is_bot).then(now_ms),
                Some(true) => change.request_to_speak_ms.flatten(),
                None => change.request_to_speak_ms.unwrap_or(before.request_to_speak_ms),
            };
            let suppress = change.suppress.unwrap_or(before.suppress);
            self.put(state, VoiceState { suppress, request_to_speak_ms, ..before });
            Ok(())
        })
    }
}
