//! The `localcord` binary: serves a simulated Discord until it is told to stop.

mod compare;

use std::{
    io::Write,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use localcord::{
    fault::{FaultSettings, MAX_REST_LATENCY_MS},
    server::{Server, ServerSettings, StartError},
};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// A Discord on localhost: REST, gateways, end-to-end encrypted voice, humans and faults.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves until Ctrl-C or SIGTERM.
    Serve(Serve),
    /// Says how much of one recording is in another: peak normalised cross-correlation.
    Compare(compare::Compare),
}

#[derive(Debug, clap::Args)]
struct Serve {
    /// Port of REST, control API and main gateway, plain and TLS; 0 takes a free one.
    #[arg(long, default_value_t = 8390, env = "LOCALCORD_PORT")]
    port: u16,
    /// Port of the voice gateway (TCP); 0 takes a free one. UDP always takes a free one.
    #[arg(long, default_value_t = 0)]
    voice_port: u16,
    /// Port of the CONNECT proxy for clients whose host names are fixed; none without it.
    #[arg(long)]
    proxy_port: Option<u16>,
    /// Address to listen on.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// A JSON5 file with guilds, channels, bots and humans; without it, a small default world.
    #[arg(long, value_name = "FILE")]
    world: Option<PathBuf>,
    /// Where to write `ca.pem`, the certificate that clients trust; default: a temporary folder.
    #[arg(long, value_name = "DIR")]
    ca_dir: Option<PathBuf>,
    /// Writes every RTP packet to a pcap file, without its transport encryption.
    #[arg(long, value_name = "FILE")]
    capture: Option<PathBuf>,
    /// Holds every REST answer back for so many milliseconds; `PUT faults` changes it.
    #[arg(long, value_name = "MS", default_value_t = 0,
          value_parser = clap::value_parser!(u32).range(..=i64::from(MAX_REST_LATENCY_MS)))]
    rest_latency_ms: u32,
    /// Prints one line of JSON with every address and id instead of text.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let asked = EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    // A filter of its own, so that no directive for one of their modules lifts it: the MLS
    // libraries print key material at trace level.
    let caps = EnvFilter::new("trace,davey=off,openmls=off");
    let stderr = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(asked).with(caps).with(stderr).init();
    let serve = match Cli::parse().command {
        Command::Serve(serve) => serve,
        Command::Compare(compare) => return compare.run(),
    };
    match run(serve).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut err = anstream::stderr();
            // Nobody to tell if standard error is gone.
            let _ = writeln!(err, "localcord: {error}");
            if let Some(hint) = error.hint() {
                let _ = writeln!(err, "  hint: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(serve: Serve) -> Result<(), StartError> {
    let json = serve.json;
    // Before the addresses are printed: whoever reads them may send a signal at once.
    let mut stop = Stop::listen().map_err(StartError::Signals)?;
    let server = Server::start(ServerSettings {
        bind: serve.bind,
        port: serve.port,
        voice_port: serve.voice_port,
        proxy_port: serve.proxy_port,
        world: serve.world,
        ca_dir: serve.ca_dir,
        capture: serve.capture,
        faults: FaultSettings { rest_latency_ms: serve.rest_latency_ms, ..Default::default() },
        ..ServerSettings::default()
    })
    .await?;
    let summary = server.summary();
    let mut out = anstream::stdout();
    let text = if json { format!("{}\n", summary.to_json()) } else { summary.to_string() };
    // A reader that closed its end does not stop the server.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    stop.requested().await;
    server.shutdown().await;
    Ok(())
}

/// Ctrl-C and, on Unix, SIGTERM.
struct Stop {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Stop {
    #[cfg(unix)]
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    #[cfg(unix)]
    async fn requested(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    #[cfg(not(unix))]
    fn listen() -> std::io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn requested(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
