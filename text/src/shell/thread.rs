//! The thread that reads the websockets and keeps their heartbeats.
//!
//! It has a runtime of its own, on which nothing else runs: no handler, model, media, database or
//! REST call can hold up a heartbeat. Everything that comes goes into a queue.

use std::sync::{Arc, Mutex};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};
use twilight_gateway::{ConfigBuilder, Intents, ShardId};
use twilight_model::gateway::payload::outgoing::update_presence::UpdatePresencePayload;

use super::{
    arrival::{Arrivals, Intake, Routes},
    clock::now,
    gateway::{Stop, stop_asked},
    shard::{End, ShardTask, Turns},
    tunnel::Proxy,
};
use crate::connection::{
    identify::IdentifyPacing,
    link::{Link, Resumable},
    settings::ConnectionSettings,
    status::GatewayMonitor,
    supervisor::Supervisor,
};

/// IDENTIFYs whose turn has come and that wait to be noted.
const TURNS: usize = 8;

/// What all connections of a process share.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) token: secrecy::SecretString,
    pub(super) intents: Intents,
    pub(super) settings: Arc<ConnectionSettings>,
    pub(super) proxy: Option<Arc<Proxy>>,
    pub(super) pacing: Arc<Mutex<IdentifyPacing>>,
    pub(super) supervisor: Arc<Mutex<Supervisor>>,
    pub(super) arrivals: Arrivals,
    pub(super) routes: Routes,
    pub(super) monitor: GatewayMonitor,
    pub(super) stop: watch::Receiver<Option<Stop>>,
    /// The `presence` of IDENTIFY.
    pub(super) presence: Option<UpdatePresencePayload>,
}

/// How all shards together ended.
#[derive(Debug)]
pub(super) enum Over {
    /// As was asked for.
    Stopped,
    /// To be started anew, with these sessions.
    Restart(crate::connection::link::Cause, Vec<Option<Resumable>>),
    /// Connecting again is pointless.
    Fatal(u16),
}

/// Runs one shard per entry of `sessions` until one of them ends; `started`: not for the first time.
pub(super) fn run(
    plan: Plan,
    url: String,
    sessions: Vec<Option<Resumable>>,
    started: bool,
) -> std::io::Result<oneshot::Receiver<Over>> {
    let (ended, end) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("discord-gateway".to_owned()).spawn(move || {
        let over = runtime.block_on(shards(&plan, &url, sessions, started));
        let _ = ended.send(over);
    })?;
    Ok(end)
}

async fn shards(plan: &Plan, url: &str, sessions: Vec<Option<Resumable>>, started: bool) -> Over {
    use secrecy::ExposeSecret as _;
    let count = sessions.len();
    let total = u32::try_from(count).unwrap_or(1);
    let monitors = plan.monitor.shards(count, now);
    let commands = plan.routes.open(count);
    let (stop_all, stop) = watch::channel(None);
    let config = ConfigBuilder::new(plan.token.expose_secret().to_owned(), plan.intents);
    let config = match &plan.presence {
        Some(presence) => config.presence(presence.clone()),
        None => config,
    };
    let config = config.build();
    let mut running = JoinSet::new();
    let parts = sessions.into_iter().zip(monitors).zip(commands);
    for (index, ((session, monitor), commands)) in (0u32..).zip(parts) {
        let (turns, identifying) = mpsc::channel(TURNS);
        let queue = Turns { pacing: Arc::clone(&plan.pacing), identifying: turns };
        let sequence = session.as_ref().map_or(0, |session| session.sequence);
        let task = ShardTask {
            id: ShardId::new(index, total.max(1)),
            link: Link::new(&plan.settings, now(), session, started),
            config: ConfigBuilder::from(config.clone()).queue(queue).build(),
            url: url.to_owned(),
            proxy: plan.proxy.clone(),
            identifying,
            intake: Intake::new(plan.arrivals.clone(), plan.settings.event_queue.max_queue_size),
            commands,
            stop: stop.clone(),
            monitor,
            supervisor: Arc::clone(&plan.supervisor),
            verbose: plan.settings.verbose,
            sequence,
        };
        running.spawn(async move { (index, task.run().await) });
    }
    let mut outer = plan.stop.clone();
    let mut kept: Vec<Option<Resumable>> = vec![None; count];
    let mut over = Over::Stopped;
    let mut asked = false;
    loop {
        tokio::select! {
            how = stop_asked(&mut outer), if !asked => {
                asked = true;
                stop_all.send_replace(Some(how));
            }
            ended = running.join_next() => {
                let Some(ended) = ended else { break };
                // A panic is in the log already; the others go down with it and all start anew.
                let (index, end) = ended.unwrap_or((
                    u32::MAX,
                    End::Restart(crate::connection::link::Cause::Retries, None),
                ));
                let (session, verdict) = match end {
                    End::Stopped(session) => (session, None),
                    End::Restart(cause, session) => (session, Some(Over::Restart(cause, Vec::new()))),
                    End::Fatal(code) => (None, Some(Over::Fatal(code))),
                };
                if let Some(place) = usize::try_from(index).ok().and_then(|at| kept.get_mut(at)) {
                    *place = session;
                }
                if let (Some(verdict), Over::Stopped) = (verdict, &over) {
                    over = verdict;
                }
                // One shard alone does not go on: the rest let go, keeping their sessions.
                stop_all.send_if_modified(|how| {
                    let first = how.is_none();
                    how.get_or_insert(Stop::Restart);
                    first
                });
            }
        }
    }
    match over {
        Over::Restart(cause, _) if !asked => Over::Restart(cause, kept),
        Over::Restart(..) => Over::Stopped,
        other => other,
    }
}
