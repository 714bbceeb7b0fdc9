//! songbird's gateway half: collects what the main gateway tells of one join.

use std::num::NonZeroU64;

use async_trait::async_trait;
use clawvoice_session::{ChannelId, Generation, GuildId, UserId, VoiceStateRequest};
use songbird::{
    Call, Config,
    error::{JoinError, JoinResult},
    id as songbird_id,
    shards::{Shard, VoiceUpdate},
};
use tokio::sync::mpsc;

/// songbird's gateway half for one join.
pub(super) struct Seat {
    pub(super) generation: Generation,
    pub(super) call: Call,
    /// Both halves went to the machine.
    pub(super) reported: bool,
}

/// A fresh songbird call that collects the halves of one join.
pub(super) async fn call(
    guild: GuildId,
    channel: ChannelId,
    user: Option<UserId>,
    shard: Shard,
) -> Result<Call, String> {
    let id = |id: u64| NonZeroU64::new(id).ok_or_else(|| "0 is not a Discord id".to_owned());
    let user = user.ok_or_else(|| "the bot's user is not known yet".to_owned())?;
    let (guild, channel, user) = (id(guild.get())?, id(channel.get())?, id(user.get())?);
    // The machine has the deadline.
    let config = Config::default().gateway_timeout(None);
    let mut call = Call::from_config(guild, shard, user, config);
    // The second stage of the future would hand over what `current_connection` also shows.
    let asked = call.join_gateway(channel).await.map(drop);
    asked.map_err(|error| format!("the main gateway cannot be asked: {error}"))?;
    Ok(call)
}

/// Sends songbird's voice state updates to the main gateway.
pub(super) struct Asking(pub(super) mpsc::Sender<VoiceStateRequest>);

#[async_trait]
impl VoiceUpdate for Asking {
    async fn update_voice_state(
        &self,
        guild: songbird_id::GuildId,
        channel: Option<songbird_id::ChannelId>,
        self_deaf: bool,
        self_mute: bool,
    ) -> JoinResult<()> {
        let request = VoiceStateRequest {
            guild: GuildId::new(guild.0.get()),
            channel: channel.map(|channel| ChannelId::new(channel.0.get())),
            self_mute,
            self_deaf,
        };
        self.0.send(request).await.map_err(|_| JoinError::NoSender)
    }
}

/// Sends nothing: Discord has already moved the bot, only the halves are collected.
pub(super) struct Silent;

#[async_trait]
impl VoiceUpdate for Silent {
    async fn update_voice_state(
        &self,
        _: songbird_id::GuildId,
        _: Option<songbird_id::ChannelId>,
        _: bool,
        _: bool,
    ) -> JoinResult<()> {
        Ok(())
    }
}
