//! songbird's driver as a bot, in a process of its own: this executable runs itself again as the
//! listener of the `media` benchmark.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::Context;
use localcord::voice::VoiceInvite;

use crate::listener::{self, Invitation, Mark};

/// It is killed when dropped.
pub(crate) struct Songbird {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Songbird {
    pub(crate) fn start(ca: &Path, invite: VoiceInvite) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .env(listener::WHICH, listener::SONGBIRD)
            .env("SSL_CERT_FILE", ca)
            .env_remove("SSL_CERT_DIR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // It writes every DAVE message there.
            .stderr(Stdio::null())
            .spawn()?;
        let to = process.stdin.take().context("stdin is piped")?;
        let from = BufReader::new(process.stdout.take().context("stdout is piped")?);
        let mut songbird = Self { process, to, from };
        let invitation = Invitation {
            guild_id: invite.guild_id,
            channel_id: invite.channel_id,
            user_id: invite.user_id,
            session_id: invite.session_id,
            token: invite.token,
            endpoint: invite.endpoint,
            ca: ca.to_owned(),
        };
        songbird.say(&serde_json::to_string(&invitation)?)?;
        Ok(songbird)
    }

    fn say(&mut self, line: &str) -> anyhow::Result<()> {
        writeln!(self.to, "{line}").and_then(|()| self.to.flush()).context("songbird is gone")
    }

    /// Frames it has heard so far.
    ///
    /// # Errors
    /// Its process is gone.
    pub(crate) fn frames(&mut self) -> anyhow::Result<u64> {
        self.say("")?;
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        let mark: Mark = serde_json::from_str(&line).context("songbird is gone")?;
        Ok(mark.frames)
    }
}

impl Drop for Songbird {
    fn drop(&mut self) {
        // Not there any more: as well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
