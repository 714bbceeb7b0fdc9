//! What the world says about users: who may come in, who is not to be heard, who must go.

use serde_json::json;

use super::{Hub, Issued, Member, MemberId};
use crate::voice::{gateway::CloseCode, sfu::Silenced, ticket::Ticket};

impl Hub {
    /// A new right to identify; the user's older connection in that guild is over.
    pub(crate) fn handle_ticket(&mut self, now_ms: u64, ticket: Ticket) {
        self.now_ms = now_ms;
        let id = (ticket.guild_id, ticket.user_id);
        self.remove_member(now_ms, id, CloseCode::DISCONNECTED);
        self.journal(
            "voice",
            "admit",
            json!({
                "guild_id": id.0.to_string(),
                "user_id": id.1.to_string(),
                "channel_id": ticket.channel_id.to_string(),
                "dave": ticket.dave,
            }),
        );
        self.tickets.insert(id, Issued { ticket, used: false });
    }

    /// A new right to identify; the user's older connection goes on until that happens.
    pub(crate) fn handle_ticket_beside(&mut self, now_ms: u64, ticket: Ticket) {
        self.now_ms = now_ms;
        let id = (ticket.guild_id, ticket.user_id);
        let data = json!({ "guild_id": id.0.to_string(), "user_id": id.1.to_string() });
        self.journal("voice", "admit_beside", data);
        self.tickets.insert(id, Issued { ticket, used: false });
    }

    /// A guild was moved: removes those who are here with an older ticket than their latest, or
    /// everybody, if the guild is on another server now.
    pub(crate) fn handle_retirement(&mut self, now_ms: u64, guild: u64, everybody: bool) {
        self.now_ms = now_ms;
        if everybody {
            self.tickets.retain(|id, _| id.0 != guild);
        }
        let is_old = |(id, member): &(&MemberId, &Member)| {
            let latest = self.tickets.get(id).map(|issued| &issued.ticket.token);
            id.0 == guild && latest != Some(&member.ticket.token)
        };
        let old: Vec<_> = self.members.iter().filter(is_old).map(|(id, _)| *id).collect();
        for id in old {
            self.remove_member(now_ms, id, CloseCode::DISCONNECTED);
        }
    }

    /// Whether a user's audio is kept from the others, until it leaves.
    pub(crate) fn handle_silenced(
        &mut self,
        now_ms: u64,
        guild: u64,
        user: u64,
        silenced: Option<Silenced>,
    ) {
        self.now_ms = now_ms;
        let id = (guild, user);
        let before = match silenced {
            Some(why) => self.silenced.insert(id, why),
            None => self.silenced.remove(&id),
        };
        if let Some(member) = self.members.get(&id) {
            self.sfu.set_silenced(member.ssrc, silenced);
        }
        if before != silenced {
            self.journal(
                "voice",
                "silenced",
                json!({
                    "guild_id": guild.to_string(),
                    "user_id": user.to_string(),
                    "why": silenced,
                }),
            );
        }
    }

    /// The user left or was removed.
    pub(crate) fn handle_dismissal(&mut self, now_ms: u64, guild: u64, user: u64, code: u16) {
        self.now_ms = now_ms;
        self.silenced.remove(&(guild, user));
        self.tickets.remove(&(guild, user));
        self.remove_member(now_ms, (guild, user), CloseCode(code));
    }
}
