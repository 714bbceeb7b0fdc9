//! Our call over a socket beside songbird's driver: bots in one channel of one localcord hear
//! the same speakers at the same time, each in a process of its own, and the processor time of the
//! whole process is divided by the frames it heard.
//!
//! Nothing in songbird takes a datagram and gives samples, so its path cannot be timed alone. What
//! is compared is therefore socket, runtime, jitter buffer and all. We decode to 24 kHz mono;
//! songbird to its default of 48 kHz stereo, and once more to 24 kHz mono.

use std::{
    io::{BufRead, BufReader, Write},
    net::{IpAddr, Ipv4Addr},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
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
    report::{self, Record},
    speech,
};

const GUILD: u64 = 41_771_983_423_143_937;
const CHANNEL: u64 = 127_121_515_262_115_840;
const FIRST_HUMAN: u64 = 2_000;
/// Humans in the channel; first one speaks, then all.
const HUMANS: u64 = 8;
/// Windows of one second for each number of speakers.
const WINDOWS: usize = 10;
/// Seconds each speaks: the windows, and what comes before the first.
const SPEECH_SECONDS: usize = WINDOWS + 3;
/// Nothing here takes this long.
const LIMIT: Duration = Duration::from_secs(20);

/// The bots, by the names that [`listener`] knows them by.
const BOTS: [(&str, u64); 3] =
    [(listener::OURS, 1_000), (listener::SONGBIRD, 1_001), (listener::SONGBIRD_24K, 1_002)];

/// Measures, prints and writes: one record for one speaker, one for all.
pub(crate) fn measure() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let records = runtime.block_on(records())?;
    report::print(&Record::table("process_cpu", &records));
    report::write("process_cpu", &records)
}

async fn records() -> anyhow::Result<Vec<Record>> {
    let folder = tempfile::tempdir()?;
    let ca = folder.path().join("ca.pem");
    let authority = Authority::generate()?;
    authority.write_pem(&ca)?;
    let bind = IpAddr::from(Ipv4Addr::LOCALHOST);
    let server =
        VoiceServer::start(bind, authority.acceptor()?, Journal::default(), Faults::default())
            .await?;
    let joining = (0..HUMANS).map(|human| Human::join(admit(&server, FIRST_HUMAN + human)));
    let humans = try_join_all(joining).await?;
    let mut bots = BOTS
        .into_iter()
        .map(|(which, user)| Listener::start(which, &ca, admit(&server, user)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    for human in &humans {
        soon("a common epoch", human.shares_epoch_with(&BOTS.map(|(_, user)| user))).await??;
    }
    let wav = wav::write_mono(
        &speech::pcm(SPEECH_SECONDS)?.into_iter().step_by(2).collect::<Vec<_>>(),
        wav::SAMPLE_RATE,
    )?;
    let mut records = Vec::new();
    for speakers in [1, humans.len()] {
        let speaking = join_all(humans[..speakers].iter().map(|human| human.speak(&wav)));
        let (spoken, costs) = tokio::join!(speaking, windows(&mut bots, speakers));
        for spoken in spoken {
            ensure!(spoken?.frames_unsent == 0, "a speaker had no key");
        }
        let costs = costs?;
        let [ours, default, ours_alike] = costs.as_slice() else {
            bail!("{} bots were measured", costs.len());
        };
        let target = (speakers == humans.len()).then_some(0.65);
        let name = format!("{speakers} speaker{}", if speakers == 1 { "" } else { "s" });
        records.push(
            Record::new(name, "us/frame", ours)?
                .beside("songbird 0.6.1 driver, default 48 kHz stereo", default, target)?
                .beside("songbird 0.6.1 driver, set to 24 kHz mono", ours_alike, None)?,
        );
    }
    Ok(records)
}

/// Processor time per frame, µs, of each bot in each window.
async fn windows(bots: &mut [Listener], speakers: usize) -> anyhow::Result<Vec<Vec<f64>>> {
    let start = marks(bots)?;
    let warm = 25 * speakers as u64;
    soon("the first frames", async {
        let mut often = tokio::time::interval(Duration::from_millis(50));
        loop {
            often.tick().await;
            let now = marks(bots)?;
            if now.iter().zip(&start).all(|(now, start)| now.frames >= start.frames + warm) {
                return anyhow::Ok(());
            }
        }
    })
    .await??;
    let mut every_second = tokio::time::interval(Duration::from_secs(1));
    every_second.tick().await;
    let begin = marks(bots)?;
    let mut before = begin.clone();
    let mut costs = vec![Vec::new(); bots.len()];
    for _ in 0..WINDOWS {
        every_second.tick().await;
        let now = marks(bots)?;
        for ((costs, now), before) in costs.iter_mut().zip(&now).zip(&before) {
            costs.push(now.cost_since(*before)?);
        }
        before = now;
    }
    let expected = (WINDOWS * 50 * speakers) as u64;
    for (end, begin) in before.iter().zip(&begin) {
        let frames = end.frames - begin.frames;
        ensure!(
            frames.abs_diff(expected) * 20 <= expected,
            "heard {frames} frames of {expected}: the machine is too busy to compare"
        );
    }
    Ok(costs)
}

fn marks(bots: &mut [Listener]) -> anyhow::Result<Vec<Mark>> {
    bots.iter_mut().map(Listener::mark).collect()
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
