//! A guild whose voice server changes while people talk.

use serde_json::json;

use super::{Audience, Dispatch, World, kind, voice_state::hex_secret};
use crate::voice::{Ticket, VoiceInvite};

impl World {
    /// Who is in voice in a guild, and whether that is a bot.
    pub(crate) fn voices_in(&self, guild_id: u64) -> Vec<(u64, bool)> {
        self.read(|state| {
            let users = state.voice_states.keys().filter(|(guild, _)| *guild == guild_id);
            let is_bot = |user: &u64| state.users.get(user).is_some_and(|user| user.bot);
            users.map(|(_, user)| (*user, is_bot(user))).collect()
        })
    }

    /// New invites for everybody in voice in a guild, to the server it is on now. Sessions and
    /// older connections stay. Bots are sent VOICE_SERVER_UPDATE.
    pub(crate) fn renew_invites(&self, guild_id: u64) -> Vec<VoiceInvite> {
        let Some(server) = self.voice() else { return Vec::new() };
        let voices: Vec<_> = self.read(|state| {
            let there = state.voice_states.values().filter(|voice| voice.guild_id == guild_id);
            there
                .map(|voice| {
                    let channel = state.channels.get(&voice.channel_id);
                    let stage = channel.is_some_and(|channel| channel.kind == kind::STAGE);
                    (voice.clone(), !stage)
                })
                .collect()
        });
        let endpoint = server.endpoint_in(guild_id);
        let mut invites = Vec::new();
        for (voice, dave) in voices {
            let silenced = voice.silenced();
            let invite = VoiceInvite {
                guild_id,
                channel_id: voice.channel_id,
                user_id: voice.user_id,
                session_id: voice.session_id,
                token: hex_secret(),
                endpoint: endpoint.clone(),
            };
            server.admit_beside(Ticket {
                guild_id,
                channel_id: invite.channel_id,
                user_id: invite.user_id,
                session_id: invite.session_id.clone(),
                token: invite.token.clone(),
                dave,
            });
            server.set_silenced(guild_id, invite.user_id, silenced);
            if self.read(|state| state.users.get(&invite.user_id).is_some_and(|user| user.bot)) {
                let endpoint = Some(&*invite.endpoint);
                self.tell_voice_server(guild_id, invite.user_id, &invite.token, endpoint);
            }
            invites.push(invite);
        }
        invites
    }

    /// VOICE_SERVER_UPDATE to a user; without an endpoint: the server went away, another follows.
    pub(crate) fn tell_voice_server(
        &self,
        guild_id: u64,
        user_id: u64,
        token: &str,
        endpoint: Option<&str>,
    ) {
        self.dispatch(Dispatch {
            event: "VOICE_SERVER_UPDATE",
            data: json!({
                "token": token,
                "guild_id": guild_id.to_string(),
                "endpoint": endpoint,
            }),
            audience: Audience::User(user_id),
            intents: 0,
        });
    }
}
