//! Bots in one voice channel of a localcord, each a process of its own (see [`listener`]).

use std::{
    io::{BufRead, BufReader, Write},
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::Context;
use localcord::{
    authority::Authority,
    fault::Faults,
    journal::Journal,
    voice::{Ticket, VoiceInvite, VoiceServer},
};
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use crate::listener::{self, Invitation};

const GUILD: u64 = 41_771_983_423_143_937;
const CHANNEL: u64 = 127_121_515_262_115_840;
/// Nothing here takes this long.
const LIMIT: Duration = Duration::from_secs(20);

/// A voice server with one channel.
pub(crate) struct Scene {
    server: VoiceServer,
    ca: PathBuf,
    /// Where `ca` is, until this is dropped.
    _folder: TempDir,
}

impl Scene {
    pub(crate) async fn start(faults: Faults) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let ca = folder.path().join("ca.pem");
        let authority = Authority::generate()?;
        authority.write_pem(&ca)?;
        let bind = IpAddr::from(Ipv4Addr::LOCALHOST);
        let server =
            VoiceServer::start(bind, authority.acceptor()?, Journal::default(), faults).await?;
        Ok(Self { server, ca, _folder: folder })
    }

    /// Lets a user in.
    pub(crate) fn admit(&self, user_id: u64) -> VoiceInvite {
        let (session_id, token) = (format!("session-{user_id}"), format!("token-{user_id}"));
        self.server.admit(Ticket {
            guild_id: GUILD,
            channel_id: CHANNEL,
            user_id,
            session_id: session_id.clone(),
            token: token.clone(),
            dave: true,
        });
        let endpoint = self.server.endpoint();
        VoiceInvite { guild_id: GUILD, channel_id: CHANNEL, user_id, session_id, token, endpoint }
    }

    /// Starts a bot of a kind that [`listener`] knows, as a user.
    pub(crate) fn bot(&self, which: &str, user: u64) -> anyhow::Result<Bot> {
        Bot::start(which, &self.ca, self.admit(user))
    }
}

/// What does not come in a while does not come.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> anyhow::Result<T> {
    let waited = tokio::time::timeout(LIMIT, future).await;
    waited.with_context(|| format!("waited too long for {what}"))
}

/// A bot in a process of its own.
pub(crate) struct Bot {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Bot {
    fn start(which: &str, ca: &Path, invite: VoiceInvite) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .env(listener::WHICH, which)
            .env("SSL_CERT_FILE", ca)
            .env_remove("SSL_CERT_DIR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let to = process.stdin.take().context("stdin is piped")?;
        let from = BufReader::new(process.stdout.take().context("stdout is piped")?);
        let mut bot = Self { process, to, from };
        let invitation = Invitation {
            guild_id: invite.guild_id,
            channel_id: invite.channel_id,
            user_id: invite.user_id,
            session_id: invite.session_id,
            token: invite.token,
            endpoint: invite.endpoint,
            ca: ca.to_owned(),
        };
        bot.say(&serde_json::to_string(&invitation)?)?;
        Ok(bot)
    }

    fn say(&mut self, line: &str) -> anyhow::Result<()> {
        writeln!(self.to, "{line}").and_then(|()| self.to.flush()).context("a bot is gone")
    }

    /// What it has to say, which depends on its kind.
    pub(crate) fn ask<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        self.say("")?;
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        serde_json::from_str(&line).context("a bot is gone")
    }

    /// Resident memory of its process, KiB.
    pub(crate) fn resident_kib(&self) -> anyhow::Result<f64> {
        let file = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(file)?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.context("no resident memory")?.parse()?)
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        // Not there any more: as well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
