//! Our call over a socket beside songbird's driver: two bots in one channel of one localcord hear
//! the same speakers at the same time, each in a process of its own, and the processor time of the
//! whole process is divided by the frames it heard.
//!
//! Nothing in songbird takes a datagram and gives samples, so its path cannot be timed alone. What
//! is compared is therefore socket, runtime, jitter buffer and all. Both decode to 24 kHz mono.

use std::{
    io::{BufRead, BufReader, Write},
    net::{IpAddr, Ipv4Addr},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use futures_util::future::{join_all, try_join_all};
use localcord::{
    authority::Authority,
    fault::Faults,
    human::{Human, wav},
    journal::Journal,
    voice::{Ticket, VoiceInvite, VoiceServer},
};

use crate::{
    listener::{self, Invitation, Mark},
    report::Record,
    speech,
};

const GUILD: u64 = 41_771_983_423_143_937;
const CHANNEL: u64 = 127_121_515_262_115_840;
const OURS: u64 = 1_000;
const SONGBIRD: u64 = 1_001;
const FIRST_HUMAN: u64 = 2_000;
/// Humans in the channel; first one speaks, then all.
const HUMANS: u64 = 8;
/// Windows of one second for each number of speakers.
const WINDOWS: usize = 10;
/// Seconds each speaks: the windows, and what comes before the first.
const SPEECH_SECONDS: usize = WINDOWS + 3;
/// Nothing here takes this long.
const LIMIT: Duration = Duration::from_secs(20);

/// One record for one speaker, one for all.
pub(crate) fn measure() -> anyhow::Result<Vec<Record>> {
    let folder = tempfile::tempdir()?;
    let ca = folder.path().join("ca.pem");
    let authority = Authority::generate()?;
    authority.write_pem(&ca)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let bind = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let server =
            VoiceServer::start(bind, authority.acceptor()?, Journal::default(), Faults::default())
                .await?;
        let joining = (0..HUMANS).map(|human| Human::join(admit(&server, FIRST_HUMAN + human)));
        let humans = try_join_all(joining).await?;
        let mut ours = Listener::start(listener::OURS, &ca, admit(&server, OURS))?;
        let mut songbird = Listener::start(listener::SONGBIRD, &ca, admit(&server, SONGBIRD))?;
        for human in &humans {
            soon("a common epoch", human.shares_epoch_with(&[OURS, SONGBIRD])).await??;
        }
        let wav = wav::write_mono(
            &speech::pcm(SPEECH_SECONDS)?.into_iter().step_by(2).collect::<Vec<_>>(),
            wav::SAMPLE_RATE,
        )?;
        let mut records = Vec::new();
        for speakers in [1, humans.len()] {
            let speaking = join_all(humans[..speakers].iter().map(|human| human.speak(&wav)));
            let (spoken, windows) =
                tokio::join!(speaking, windows(&mut ours, &mut songbird, speakers));
            for spoken in spoken {
                ensure!(spoken?.frames_unsent == 0, "a speaker had no key");
            }
            let (ours, theirs) = windows?;
            let plural = if speakers == 1 { "" } else { "s" };
            let name = format!("process_cpu_per_frame.{speakers}_speaker{plural}");
            let peer = "songbird 0.6.1 driver (process CPU)";
            records.push(Record::new(name, "us", &ours, peer, &theirs)?);
        }
        Ok(records)
    })
}

/// Processor time per frame, µs, of both sides in each window.
async fn windows(
    ours: &mut Listener,
    songbird: &mut Listener,
    speakers: usize,
) -> anyhow::Result<(Vec<f64>, Vec<f64>)> {
    let (start, songbird_start) = (ours.mark()?, songbird.mark()?);
    let warm = 25 * speakers as u64;
    soon("the first frames", async {
        let mut often = tokio::time::interval(Duration::from_millis(50));
        loop {
            often.tick().await;
            let (now, songbird_now) = (ours.mark()?, songbird.mark()?);
            if now.frames >= start.frames + warm
                && songbird_now.frames >= songbird_start.frames + warm
            {
                return anyhow::Ok(());
            }
        }
    })
    .await??;
    let mut every_second = tokio::time::interval(Duration::from_secs(1));
    every_second.tick().await;
    let mut before = (ours.mark()?, songbird.mark()?);
    let begin = before;
    let (mut our_costs, mut their_costs) = (Vec::new(), Vec::new());
    for _ in 0..WINDOWS {
        every_second.tick().await;
        let now = (ours.mark()?, songbird.mark()?);
        our_costs.push(now.0.cost_since(before.0)?);
        their_costs.push(now.1.cost_since(before.1)?);
        before = now;
    }
    let frames = (before.0.frames - begin.0.frames, before.1.frames - begin.1.frames);
    let expected = (WINDOWS * 50 * speakers) as u64;
    for frames in [frames.0, frames.1] {
        ensure!(
            frames.abs_diff(expected) * 20 <= expected,
            "heard {frames} frames of {expected}: the machine is too busy to compare"
        );
    }
    Ok((our_costs, their_costs))
}

fn admit(server: &VoiceServer, user_id: u64) -> VoiceInvite {
    let (session_id, token) = (format!("session-{user_id}"), format!("token-{user_id}"));
    server.admit(Ticket {
        guild_id: GUILD,
        channel_id: CHANNEL,
        user_id,
        session_id: session_id.clone(),
        token: token.clone(),
        dave: true,
    });
    let endpoint = server.endpoint();
    VoiceInvite { guild_id: GUILD, channel_id: CHANNEL, user_id, session_id, token, endpoint }
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> anyhow::Result<T> {
    let waited = tokio::time::timeout(LIMIT, future).await;
    waited.with_context(|| format!("waited too long for {what}"))
}

/// A bot in a process of its own; see [`listener`].
struct Listener {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Listener {
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
        let mut listener = Self { process, to, from };
        let invitation = Invitation {
            guild_id: invite.guild_id,
            channel_id: invite.channel_id,
            user_id: invite.user_id,
            session_id: invite.session_id,
            token: invite.token,
            endpoint: invite.endpoint,
            ca: ca.to_owned(),
        };
        listener.say(&serde_json::to_string(&invitation)?)?;
        Ok(listener)
    }

    fn say(&mut self, line: &str) -> anyhow::Result<()> {
        writeln!(self.to, "{line}").and_then(|()| self.to.flush()).context("a listener is gone")
    }

    /// What it has heard and used so far.
    fn mark(&mut self) -> anyhow::Result<Mark> {
        self.say("")?;
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        serde_json::from_str(&line).context("a listener is gone")
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Not there any more: as well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
