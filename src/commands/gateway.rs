//! `clawvoice gateway`: connects and runs until it is told to stop.

use std::path::PathBuf;

use clawvoice_config::ProcessEnv;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use super::config::located;
use crate::{
    app,
    cli::GatewayArgs,
    log_file::{self, LogFile},
    printer::Failure,
    reload,
};

/// Libraries whose finer levels print what must not be logged (key material, tokens in paths and
/// frames, session ids), or a line for every frame that does not decrypt, which we count. Whatever
/// `RUST_LOG` says, of them or of their modules by name, they stay at these levels.
const CAPS: &str = "trace,davey=off,openmls=off,twilight_http=warn,twilight_gateway=info,\
    songbird=warn,tungstenite=info,tokio_tungstenite=info,tokio_websockets=info,hyper=info,\
    hyper_util=info,h2=info,reqwest=info,rustls=info";

/// Runs the command.
pub(crate) fn run(args: &GatewayArgs) -> Result<(), Failure> {
    start_log(args.json, log_file::path());
    let file = located(args.config.as_deref())?;
    let config = clawvoice_config::load(&file, &ProcessEnv).map_err(Failure::user)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unexpected(format_args!("no async runtime: {error}")))?;
    let outcome = runtime.block_on(async {
        let signals = Signals::install()?;
        tracing::info!(config = %file.display(), "clawvoice {}", env!("CARGO_PKG_VERSION"));
        let options = app::Options {
            timeline: args.timeline.as_deref(),
            config: Some(file.clone()),
            health: args.health,
        };
        let reloads = reload::watch(file, signals.hangup()?);
        app::run(config, options, reloads, signals.wait()).await
    });
    // Whatever still runs (a DNS look-up, say) must not hold up the exit.
    runtime.shutdown_background();
    outcome
}

/// Log lines go to stderr, as `RUST_LOG` asks, and also to `kept`, which
/// `clawvoice logs` reads. Without that file the program runs all the same.
pub(crate) fn start_log(json: bool, kept: Option<PathBuf>) {
    let asked = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // A filter of its own: among the directives of one filter the most specific one wins, so that
    // `RUST_LOG=davey::session=trace` would lift a cap on `davey`.
    let caps = EnvFilter::new(CAPS);
    let opened = kept.map(|path| (LogFile::open(&path), path));
    let (file, lost) = match opened {
        Some((Ok(file), _)) => (Some(file), None),
        Some((Err(error), path)) => (None, Some(format!("{}: {error}", path.display()))),
        None => (None, None),
    };
    let file = file.map(|file| {
        tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_target(false)
            .with_writer(std::sync::Mutex::new(file))
    });
    let registry = tracing_subscriber::registry().with(asked).with(caps).with(file);
    let stderr = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    if json {
        registry.with(stderr.json()).init();
    } else {
        let colour =
            anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
        registry.with(stderr.with_ansi(colour).with_target(false)).init();
    }
    if let Some(words) = lost {
        tracing::warn!("the log is not kept: {words}");
    }
}

/// Ctrl-C and SIGTERM, listened for from the start, so that one that comes early is not lost.
pub(crate) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    pub(crate) fn install() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| {
            signal(kind).map_err(|error| {
                Failure::unexpected(format_args!("cannot listen for signals: {error}"))
            })
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// SIGHUP: the configuration is to be read again.
    #[cfg(unix)]
    pub(crate) fn hangup(&self) -> Result<tokio::signal::unix::Signal, Failure> {
        let kind = tokio::signal::unix::SignalKind::hangup();
        tokio::signal::unix::signal(kind).map_err(|error| {
            Failure::unexpected(format_args!("cannot listen for signals: {error}"))
        })
    }

    #[cfg(unix)]
    pub(crate) async fn wait(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    #[cfg(not(unix))]
    pub(crate) fn install() -> Result<Self, Failure> {
        Ok(Self {})
    }

    /// There is no SIGHUP.
    #[cfg(not(unix))]
    pub(crate) fn hangup(&self) -> Result<reload::Never, Failure> {
        Ok(reload::Never)
    }

    #[cfg(not(unix))]
    pub(crate) async fn wait(self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
