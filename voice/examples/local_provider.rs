//! The `local` realtime provider alone, for clients of other make.
//!
//! ```text
//! cargo run -p clawvoice-voice --example local_provider -- \
//!     [--script FILE] [--speed N] [--record FOLDER] [--tls-cert-out FILE]
//! ```
//!
//! Prints one JSON line, `{"url": …, "api_key": …}`, and runs until Ctrl-C or, on Unix, SIGTERM.
//! With `--tls-cert-out` it serves `wss://` with a certificate made for this run, and writes it there
//! for the client to trust.

use std::{path::PathBuf, sync::Arc};

use clap::Parser;
use clawvoice_voice::shell::local_provider::{
    LocalBehaviour, LocalProvider, LocalProviderSettings,
};
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use secrecy::ExposeSecret;

#[derive(Parser)]
struct Args {
    /// What it answers; without, it is a parrot.
    #[arg(long)]
    script: Option<PathBuf>,
    /// Audio is sent this many times faster than it plays.
    #[arg(long, default_value_t = 4.0)]
    speed: f64,
    /// Where both directions are written.
    #[arg(long)]
    record: Option<PathBuf>,
    /// Serve TLS, and write the certificate here.
    #[arg(long)]
    tls_cert_out: Option<PathBuf>,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args = Args::parse();
    let tls = args.tls_cert_out.as_deref().map(certificate).transpose()?;
    let behaviour = args.script.map_or(LocalBehaviour::Parrot, LocalBehaviour::Script);
    let provider = LocalProvider::start(LocalProviderSettings {
        behaviour,
        speed: args.speed,
        record_dir: args.record,
        tls,
        ..LocalProviderSettings::default()
    })
    .await?;
    let line = serde_json::json!({
        "url": provider.url(),
        "api_key": provider.api_key().expose_secret(),
    });
    #[expect(clippy::print_stdout, reason = "the line is what this program is for")]
    {
        println!("{line}");
    }
    asked_to_stop().await?;
    provider.shutdown().await;
    Ok(())
}

#[cfg(unix)]
async fn asked_to_stop() -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result?,
        _ = terminated.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn asked_to_stop() -> Result<(), Failure> {
    Ok(tokio::signal::ctrl_c().await?)
}

/// A certificate that signs itself, for this machine's names.
fn certificate(file: &std::path::Path) -> Result<Arc<ServerConfig>, Failure> {
    let key = KeyPair::generate()?;
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names)?.self_signed(&key)?;
    std::fs::write(file, certificate.pem())?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;
    Ok(Arc::new(config))
}
