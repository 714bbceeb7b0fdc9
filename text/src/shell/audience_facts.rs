//! Gathers what decides whether somebody sees a channel, and remembers the verdict for a moment.
//!
//! Source: OpenClaw, "Access groups", `discord.channelAudience`.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use clawvoice_session::{ChannelId, GuildId, UserId};

use super::{
    channel_calls::ChannelInfo,
    clock::now,
    rest::{DiscordRest, RestFailure},
};
pub use crate::audience::AudienceFacts;
use crate::{memory::Memory, place::PlaceKind};

/// How long somebody stays let in without being looked at again.
const KEEP_IN: Duration = Duration::from_secs(60);

/// How long somebody stays left out; also after a failure.
const KEEP_OUT: Duration = Duration::from_secs(10);

/// Verdicts that are remembered.
const MAX_KEPT: usize = 4096;

/// How long a verdict may take: a message waits for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there are no facts. Nobody is let in by it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AudienceFailure {
    /// The channel is not one of the guild that was configured.
    #[error("the channel belongs to another guild")]
    OtherGuild,
    /// A thread's overwrites are those of its channel, which Discord did not name.
    #[error("the thread belongs to no channel")]
    NoParent,
    /// Discord refused, or did not answer.
    #[error(transparent)]
    Rest(#[from] RestFailure),
}

/// Who, where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Asked {
    guild: GuildId,
    channel: ChannelId,
    member: UserId,
}

/// Asks Discord who sees a channel.
pub struct Audiences {
    discord: DiscordRest,
    verdicts: Mutex<Verdicts>,
}

struct Verdicts {
    memory: Memory<Asked, bool>,
    /// How often something was forgotten: what was asked for before may be wrong.
    forgotten: u64,
}

impl Audiences {
    /// As this bot.
    #[must_use]
    pub fn new(discord: DiscordRest) -> Self {
        let verdicts = Verdicts { memory: Memory::new(MAX_KEPT), forgotten: 0 };
        Self { discord, verdicts: Mutex::new(verdicts) }
    }

    /// Whether somebody sees a channel of a guild. Whatever cannot be found out is a no.
    pub async fn sees(&self, guild: GuildId, channel: ChannelId, member: UserId) -> bool {
        let asked = Asked { guild, channel, member };
        let (known, forgotten) = {
            let verdicts = self.verdicts();
            (verdicts.memory.get(now(), &asked).copied(), verdicts.forgotten)
        };
        if let Some(known) = known {
            return known;
        }
        let facts = tokio::time::timeout(PATIENCE, self.facts(guild, channel, member)).await;
        let verdict = match facts {
            Ok(Ok(facts)) => facts.sees(),
            Ok(Err(failure)) => {
                tracing::debug!("user {member} is in no audience of channel {channel}: {failure}");
                false
            }
            Err(_) => {
                tracing::debug!("the audience of channel {channel} was not told in time");
                false
            }
        };
        let keep = if verdict { KEEP_IN } else { KEEP_OUT };
        let mut verdicts = self.verdicts();
        if verdicts.forgotten == forgotten {
            verdicts.memory.put(now(), asked, verdict, keep);
        }
        verdict
    }

    /// What decides it, as Discord tells it now.
    ///
    /// # Errors
    ///
    /// The channel is of another guild, or Discord does not tell something.
    pub async fn facts(
        &self,
        guild: GuildId,
        channel: ChannelId,
        member: UserId,
    ) -> Result<AudienceFacts, AudienceFailure> {
        let discord = &self.discord;
        let asked = discord.channel_info(channel).await?;
        in_guild(&asked, guild)?;
        let is_private = asked.channel.kind == PlaceKind::PrivateThread;
        let judged = async {
            match asked.channel.parent {
                None if asked.channel.kind.is_thread() => Err(AudienceFailure::NoParent),
                None => Ok(asked.overwrites.clone()),
                Some(parent) => {
                    let parent = discord.channel_info(parent).await?;
                    in_guild(&parent, guild)?;
                    Ok(parent.overwrites)
                }
            }
        };
        let membership = async {
            match is_private {
                true => Ok(Some(discord.is_in_thread(channel, member).await?)),
                false => Ok::<_, AudienceFailure>(None),
            }
        };
        let whole = async { Ok(discord.guild(guild).await?) };
        let person = async { Ok(discord.member(guild, member).await?) };
        let (overwrites, private_thread_membership, whole, person) =
            tokio::try_join!(judged, membership, whole, person)?;
        let bits = |role| Some((role, whole.permissions(role)?));
        Ok(AudienceFacts {
            member,
            channel,
            guild,
            channel_guild: asked.channel.guild,
            guild_owner: whole.owner,
            everyone_bits: whole.everyone(),
            member_roles: person.roles.into_iter().filter_map(bits).collect(),
            overwrites,
            private_thread_membership,
        })
    }

    /// A guild, its roles or a channel of it has changed: all verdicts of it are forgotten.
    pub fn forget_guild(&self, guild: GuildId) {
        self.forget(|asked| asked.guild == guild);
    }

    /// A member has changed, has gone, or has entered or left a thread.
    pub fn forget_member(&self, guild: GuildId, member: UserId) {
        self.forget(|asked| asked.guild == guild && asked.member == member);
    }

    fn forget(&self, about: impl Fn(&Asked) -> bool) {
        let mut verdicts = self.verdicts();
        verdicts.forgotten += 1;
        verdicts.memory.forget(about);
    }

    fn verdicts(&self) -> MutexGuard<'_, Verdicts> {
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Audiences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audiences").finish_non_exhaustive()
    }
}

fn in_guild(info: &ChannelInfo, guild: GuildId) -> Result<(), AudienceFailure> {
    match info.channel.guild == Some(guild) {
        true => Ok(()),
        false => Err(AudienceFailure::OtherGuild),
    }
}
