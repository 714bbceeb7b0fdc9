//! Coming in: IDENTIFY, SELECT PROTOCOL and RESUME; and going out.

use std::net::{IpAddr, SocketAddr};

use rand::Rng;
use serde_json::json;

use super::{ConnectionId, Hub, Member, MemberId, Output, room::Room};
use crate::voice::{
    gateway::{
        BUFFERED_VERSION, CloseCode, Identify, Outbox, Payload, Resume, SelectProtocol, encode,
    },
    transport::Mode,
};

impl Hub {
    /// Op 0.
    pub(super) fn handle_identify(
        &mut self,
        now_ms: u64,
        connection: ConnectionId,
        identify: &Identify,
    ) -> Result<(), CloseCode> {
        let id = (identify.server_id, identify.user_id);
        if !self.tickets.keys().any(|(guild, _)| *guild == id.0) {
            return Err(CloseCode::SERVER_NOT_FOUND);
        }
        let issued = self.tickets.get_mut(&id).ok_or(CloseCode::AUTHENTICATION_FAILED)?;
        if issued.ticket.token != identify.token {
            return Err(CloseCode::AUTHENTICATION_FAILED);
        }
        // A session is identified once; after a drop it can only be resumed.
        if issued.ticket.session_id != identify.session_id || issued.used {
            return Err(CloseCode::SESSION_INVALID);
        }
        if issued.ticket.dave && identify.max_dave_protocol_version.unwrap_or(0) == 0 {
            return Err(CloseCode::DAVE_REQUIRED);
        }
        issued.used = true;
        let ticket = issued.ticket.clone();
        // Only after a ticket that was issued beside an older connection.
        self.remove_member(now_ms, id, CloseCode::DISCONNECTED);
        let Some(open) = self.connections.get_mut(&connection) else { return Ok(()) };
        open.authenticate(id);
        let version = open.version();
        let member = Member {
            ssrc: self.unused_ssrc(),
            key: self.rng.random(),
            connection: Some(connection),
            version,
            lost_ms: None,
            outbox: match self.behaviour.first_sequence {
                Some(first) => Outbox::starting_at(first, self.settings.resume_buffer),
                None => Outbox::new(self.settings.resume_buffer),
            },
            selected: false,
            speaking: None,
            early_rtp_ms: None,
            ticket,
        };
        self.admit_member(now_ms, id, member);
        Ok(())
    }

    fn unused_ssrc(&mut self) -> u32 {
        loop {
            let ssrc = self.rng.random_range(1..=u32::MAX);
            if !self.by_ssrc.contains_key(&ssrc) {
                return ssrc;
            }
        }
    }

    /// READY, then who is there and who speaks; the others are told.
    fn admit_member(&mut self, now_ms: u64, id: MemberId, member: Member) {
        let ssrc = member.ssrc;
        let channel = member.ticket.channel_id;
        let dave = member.ticket.dave;
        let version = member.version;
        self.sfu.open_port(ssrc, id.1, channel, member.key);
        self.sfu.set_silenced(ssrc, self.silenced.get(&id).copied());
        self.by_ssrc.insert(ssrc, id);
        self.members.insert(id, member);
        self.journal_message(id, "in", 0, json!({ "version": version }));
        self.send(id, self.ready(ssrc));
        let group = self.group_settings();
        let room = self.rooms.entry(channel).or_insert_with(|| Room::new(channel, dave, group));
        let others = room.enter(id);
        self.apply_downgrades(now_ms);
        if !others.is_empty() {
            let users: Vec<_> = others.iter().map(|(_, user)| user.to_string()).collect();
            self.send(id, Payload::Json { op: 11, d: json!({ "user_ids": users }) });
        }
        for other in &others {
            self.introduce(id, *other);
            let speaking = self.members.get(other).and_then(|m| Some((m.ssrc, m.speaking?)));
            if let Some((ssrc, bits)) = speaking {
                self.send(id, speaking_payload(other.1, ssrc, bits));
            }
        }
        for other in others {
            let d = json!({ "user_ids": [id.1.to_string()] });
            self.send(other, Payload::Json { op: 11, d });
            self.introduce(other, id);
        }
    }

    /// The undocumented opcodes Discord sends about a user.
    fn introduce(&mut self, to: MemberId, about: MemberId) {
        if self.settings.undocumented_opcodes {
            let user_id = about.1.to_string();
            let flags = json!({ "user_id": user_id, "flags": null });
            self.send(to, Payload::Json { op: 18, d: flags });
            let platform = json!({ "user_id": user_id, "platform": null });
            self.send(to, Payload::Json { op: 20, d: platform });
        }
    }

    fn offers(&self, mode: Mode) -> bool {
        (self.settings.offer_aes && !self.behaviour.without_aes) || mode != Mode::Aes256Gcm
    }

    fn ready(&self, ssrc: u32) -> Payload {
        let modes: Vec<_> =
            Mode::ALL.into_iter().filter(|mode| self.offers(*mode)).map(Mode::name).collect();
        let d = json!({
            "ssrc": ssrc,
            "ip": self.udp.ip().to_string(),
            "port": self.udp.port(),
            "modes": modes,
        });
        Payload::Json { op: 2, d }
    }

    /// Op 1: SESSION DESCRIPTION follows, then the member is in the call.
    pub(super) fn handle_select(
        &mut self,
        now_ms: u64,
        id: MemberId,
        select: &SelectProtocol,
    ) -> Result<(), CloseCode> {
        if select.protocol != "udp" {
            return Err(CloseCode::UNKNOWN_PROTOCOL);
        }
        let mode = Mode::from_name(&select.data.mode)
            .filter(|mode| self.offers(*mode))
            .ok_or(CloseCode::UNKNOWN_MODE)?;
        let ip: IpAddr = select.data.address.parse().map_err(|_| CloseCode::MALFORMED)?;
        let address = SocketAddr::new(ip, select.data.port);
        let Some(member) = self.members.get_mut(&id) else { return Ok(()) };
        let again = std::mem::replace(&mut member.selected, true);
        let (ssrc, key, channel) = (member.ssrc, member.key, member.ticket.channel_id);
        let dave = self.rooms.get(&channel).map_or(0, Room::protocol_version);
        self.sfu.select(ssrc, mode, address);
        self.journal_message(
            id,
            "in",
            1,
            json!({ "mode": mode.name(), "address": address.to_string() }),
        );
        let d = json!({
            "mode": mode.name(),
            "secret_key": key,
            "dave_protocol_version": dave,
            "audio_codec": "opus",
            "video_codec": null,
            "media_session_id": format!("{ssrc:08x}{:016x}", id.1),
        });
        self.send(id, Payload::Json { op: 4, d });
        if !again {
            self.with_group(channel, |group| Ok(group.handle_join(now_ms, id.1)));
        }
        Ok(())
    }

    /// Op 7: the member goes on with a new websocket and gets what it missed.
    pub(super) fn handle_resume(
        &mut self,
        connection: ConnectionId,
        resume: &Resume,
    ) -> Result<(), CloseCode> {
        let found = self.members.iter().find(|(_, member)| {
            member.ticket.guild_id == resume.server_id
                && member.ticket.session_id == resume.session_id
                && member.ticket.token == resume.token
        });
        let id = *found.ok_or(CloseCode::SESSION_INVALID)?.0;
        let Some(open) = self.connections.get_mut(&connection) else { return Ok(()) };
        open.authenticate(id);
        let version = open.version();
        let Some(member) = self.members.get_mut(&id) else { return Ok(()) };
        let missed = if version >= BUFFERED_VERSION {
            // Too much missed: this closes the connection and removes the member.
            let kept = member.outbox.since(resume.seq_ack.unwrap_or(-1));
            kept.ok_or(CloseCode::SESSION_INVALID)?
        } else {
            Vec::new() // before version 8 what was missed is lost
        };
        member.version = version;
        member.lost_ms = None;
        let replaced = member.connection.replace(connection);
        if let Some(replaced) = replaced {
            self.close(replaced, CloseCode::SESSION_INVALID);
        }
        let count = missed.len();
        let replay_first =
            self.behaviour.replay_before_resumed.unwrap_or(self.settings.replay_before_resumed);
        self.journal_message(id, "in", 7, json!({ "seq_ack": resume.seq_ack, "version": version }));
        if !replay_first {
            self.send_resumed(id, count);
        }
        for (seq, payload) in missed {
            let frame = encode(version, Some(seq), &payload);
            self.outputs.push_back(Output::Frame { connection, frame });
        }
        if replay_first {
            self.send_resumed(id, count);
        }
        Ok(())
    }

    fn send_resumed(&mut self, id: MemberId, replayed: usize) {
        self.send(id, Payload::Json { op: 9, d: serde_json::Value::Null });
        self.journal(
            "voice",
            "replayed",
            json!({ "user_id": id.1.to_string(), "messages": replayed }),
        );
    }

    /// Takes a member out of everything; its websocket, if there is one, is closed.
    pub(super) fn remove_member(&mut self, now_ms: u64, id: MemberId, code: CloseCode) {
        let Some(member) = self.members.remove(&id) else { return };
        self.interference.forget(id);
        if let Some(connection) = member.connection
            && self.connections.contains_key(&connection)
        {
            self.close(connection, code);
        }
        self.by_ssrc.remove(&member.ssrc);
        self.sfu.close_port(member.ssrc);
        let channel = member.ticket.channel_id;
        self.journal(
            "voice",
            "removed",
            json!({
                "guild_id": id.0.to_string(),
                "channel_id": channel.to_string(),
                "user_id": id.1.to_string(),
                "code": code.0,
            }),
        );
        let Some(room) = self.rooms.get_mut(&channel) else { return };
        for other in room.leave(id) {
            let d = json!({ "user_id": id.1.to_string() });
            self.send(other, Payload::Json { op: 13, d });
        }
        self.with_group(channel, |group| group.handle_leave(now_ms, id.1));
        if self.rooms.get(&channel).is_some_and(Room::is_empty) {
            self.rooms.remove(&channel);
        }
    }
}

/// Op 5 as the server sends it.
pub(super) fn speaking_payload(user: u64, ssrc: u32, bits: u32) -> Payload {
    Payload::Json {
        op: 5,
        d: json!({ "user_id": user.to_string(), "ssrc": ssrc, "speaking": bits }),
    }
}
