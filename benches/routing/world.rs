//! A bot's configuration, a guild and sessions of a size, and events from all over it.

use std::{collections::BTreeMap, fmt::Write as _, hint::black_box, path::Path};

use anyhow::Context as _;
use clawvoice_config::Config;
use clawvoice_session::{ChannelId, GuildId, SessionKey, UserId};
use clawvoice_text::{
    inbound::{InboundPolicy, Known, Sent, Verdict, judge, read_event},
    message::Message,
    place::{Channel, Places},
    routing::{
        Origin, Router, Surface,
        binding::{Bind, Bindings, BoundPlace},
    },
};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};
use serde::Deserialize;
use serde_json::json;

const OWN: u64 = 1_100_000_000_000_000_001;
const GUILD: u64 = 1_100_000_000_000_000_002;
/// Channels are numbered from here, and users from the next.
const CHANNELS: u64 = 1_200_000_000_000_000_000;
const USERS: u64 = 1_300_000_000_000_000_000;
/// Events of a round, whatever the size.
const EVENTS: usize = 4_000;

/// An account may have no more.
const MOST_BINDINGS: usize = 1_000;

/// Everything of one size.
pub(crate) struct World {
    policy: InboundPolicy,
    router: Router,
    /// As many as an account may have, threads and people that belong to other sessions.
    bindings: Bindings,
    places: Places,
    sent: Sent,
    /// As many as there are channels; a decision ends with the one it is for.
    sessions: foldhash::HashMap<SessionKey, usize>,
    /// Bytes as the gateway sends them.
    pub(crate) events: Vec<String>,
    /// How many of them are to the bot.
    pub(crate) to_be_admitted: usize,
}

/// An event of which only the message is read.
#[derive(Deserialize)]
struct Whole {
    d: Message,
}

impl World {
    /// So many channels, sessions and people.
    pub(crate) fn new(size: usize) -> anyhow::Result<Self> {
        let config = configuration(size)?;
        let mut rng = SmallRng::seed_from_u64(7);
        let mut events = Vec::new();
        let mut to_be_admitted = 0;
        for number in 0..EVENTS {
            let is_asked = rng.random_bool(0.5);
            to_be_admitted += usize::from(is_asked);
            let (channel, user) = (pick(&mut rng, size), pick(&mut rng, size));
            events.push(event(number as u64, CHANNELS + channel, USERS + user, is_asked));
        }
        let ids = (0..size as u64).map(|number| ChannelId::new(CHANNELS + number));
        let sessions = ids.enumerate().map(|(at, id)| (SessionKey::channel("main", id), at));
        Ok(Self {
            policy: InboundPolicy::new(&config, &config.discord, "default"),
            router: Router::new(&config, "default", &config.discord),
            bindings: bindings(&config, size)?,
            places: places(size)?,
            sent: Sent::default(),
            sessions: sessions.collect(),
            events,
            to_be_admitted,
        })
    }

    /// From the bytes to the decision and the session, as an account's desk does it. Whether the
    /// event is the agent's.
    pub(crate) fn decide(&self, event: &str) -> anyhow::Result<bool> {
        let created = read_event(event).map_err(|reason| anyhow::anyhow!("{reason}"))?;
        let message = &created.context("not a message")?.message;
        let known = Known {
            agent: Some(self.bindings.agent(0, &self.router, &self.origin(message))),
            ..Known::new(UserId::new(OWN), &self.places, &self.sent, 0)
        };
        match judge(message, &known, &self.policy) {
            Verdict::Admit(admitted) => {
                black_box(admitted);
                let from = self.origin(message);
                let route = self.bindings.effective(0, &self.router, &from);
                let session = self.sessions.get(&route.key).context("no such session")?;
                Ok(black_box(*session) < self.sessions.len())
            }
            Verdict::Drop(_) => Ok(false),
            other => anyhow::bail!("{other:?}"),
        }
    }

    fn origin<'a>(&'a self, message: &'a Message) -> Origin<'a> {
        let known = self.places.channel(message.channel);
        let roles = message.member.as_ref().map(|member| member.roles.as_slice());
        Origin {
            surface: Surface::Channel,
            channel: message.channel,
            channel_name: known.map_or("", |known| &known.name),
            guild: message.guild,
            guild_name: message.guild.map_or("", |guild| self.places.guild(guild)),
            roles: roles.unwrap_or_default(),
            sender: message.author.id,
        }
    }

    /// The bytes as typed values, and nothing more.
    pub(crate) fn read(event: &str) -> anyhow::Result<Message> {
        Ok(serde_json::from_str::<Whole>(event)?.d)
    }
}

fn pick(rng: &mut SmallRng, size: usize) -> u64 {
    rng.random_range(0..size as u64)
}

/// One guild whose every channel has an entry, and whose people are listed one by one.
fn configuration(size: usize) -> anyhow::Result<Config> {
    let mut users = String::new();
    for number in 0..size as u64 {
        let _ = write!(users, "'{}',", USERS + number);
    }
    let text = format!(
        "{{ channels: {{ discord: {{ token: 'a.b.c', allowFrom: ['{USERS}'], guilds: {{ \
         '{GUILD}': {{ users: [{users}], channels: {{ '{CHANNELS}': {{}} }} }} }} }} }}, \
         agents: {{ list: [{{ id: 'main', name: 'Claw' }}] }} }}"
    );
    let env: BTreeMap<String, String> = BTreeMap::new();
    let mut config = clawvoice_config::parse(&text, Path::new("/bench.json5"), &env)
        .map_err(|errors| anyhow::anyhow!("{errors}"))?;
    // As if every channel were written out: reading so large a file is not what is measured.
    let mut guild = config.discord.guilds.values().next().context("the guild")?.clone();
    let channel = guild.channels.values().next().context("the channel")?.clone();
    let ids = (0..size as u64).map(|number| (CHANNELS + number).to_string());
    guild.channels = ids.map(|id| (id, channel.clone())).collect();
    config.discord.guilds = [(GUILD.to_string(), guild)].into_iter().collect();
    Ok(config)
}

/// Of channels that nobody writes in, so that every event has its channel's session.
fn bindings(config: &Config, size: usize) -> anyhow::Result<Bindings> {
    let settings = config.discord.delivery.thread_bindings.clone();
    let mut bindings = Bindings::new("default", settings, []);
    for number in 0..size.min(MOST_BINDINGS) as u64 {
        let place = BoundPlace::Channel(ChannelId::new(CHANNELS - 1 - number));
        let key = SessionKey::channel("main", ChannelId::new(CHANNELS + number));
        let bind = Bind {
            place,
            parent: None,
            key,
            agent: "main".to_owned(),
            label: None,
            by: UserId::new(USERS),
        };
        bindings.bind(0, bind)?;
    }
    Ok(bindings)
}

fn places(size: usize) -> anyhow::Result<Places> {
    let guild = GuildId::new(GUILD);
    let mut places = Places::default();
    places.put_guild(guild, "The Guild".to_owned());
    for number in 0..size as u64 {
        let json = json!({ "id": (CHANNELS + number).to_string(), "type": 0,
            "name": format!("room-{number}"), "topic": "what is said here" });
        places.put(Channel::read(&json.to_string(), Some(guild))?);
    }
    Ok(places)
}

/// As Discord sends it, with what nobody reads.
fn event(number: u64, channel: u64, user: u64, is_asked: bool) -> String {
    let own = json!({ "id": OWN.to_string(), "username": "claw", "discriminator": "0",
        "global_name": null, "avatar": null, "bot": true, "public_flags": 0,
        "member": { "roles": [], "joined_at": "2024-01-01T00:00:00.000000+00:00", "flags": 0,
            "deaf": false, "mute": false, "avatar": null, "pending": false } });
    let content = match is_asked {
        true => format!("<@{OWN}> could you look at the deployment of last night, please?"),
        false => "I have looked at the deployment of last night, it went well.".to_owned(),
    };
    let message = json!({
        "id": (1_400_000_000_000_000_000 + number).to_string(),
        "channel_id": channel.to_string(), "guild_id": GUILD.to_string(), "type": 0, "tts": false,
        "timestamp": "2025-11-28T12:00:00.000000+00:00", "edited_timestamp": null, "flags": 0,
        "pinned": false, "nonce": "1400000000000000000", "channel_type": 0,
        "content": content,
        "author": { "id": user.to_string(), "username": format!("user{user}"), "avatar":
            "a_d5efa99b3eeaa7dd43acca82f5692432", "discriminator": "0", "public_flags": 131_141,
            "global_name": "Somebody", "avatar_decoration_data": null, "clan": null,
            "primary_guild": null, "collectibles": null },
        "member": { "roles": ["1100000000000000010", "1100000000000000011"], "nick": null,
            "premium_since": null, "pending": false, "mute": false, "deaf": false, "flags": 0,
            "joined_at": "2023-05-01T10:20:30.000000+00:00", "avatar": null, "banner": null,
            "communication_disabled_until": null },
        "mentions": if is_asked { vec![own] } else { Vec::new() },
        "mention_roles": [], "mention_everyone": false, "attachments": [], "embeds": [],
        "components": [],
    });
    // Discord names the event first.
    format!(r#"{{"t":"MESSAGE_CREATE","s":{number},"op":0,"d":{message}}}"#)
}
