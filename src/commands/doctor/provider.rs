//! Who listens, thinks and talks: whether each can be reached with the key it is given.

use std::{sync::Once, time::Duration};

use clawvoice_config::{Config, VoiceMode};
use clawvoice_voice::shell::{
    session::ProviderEndpoint,
    socket::{Socket, SocketIn, SocketRequest},
};

use super::finding::{Finding, Level};
use crate::{agent, credentials::Uses, provider, speech};

/// For DNS, TCP, TLS and the upgrade together.
const CONNECT: Duration = Duration::from_secs(10);
/// The first message of a provider is short.
const MAX_MESSAGE_BYTES: usize = 1 << 20;

pub(super) async fn check(config: &Config) -> Vec<Finding> {
    let voice = &config.discord.voice;
    let mut findings = vec![models(config)];
    if !voice.enabled {
        let what = "voice is off: there is no `voice` block in channels.discord";
        findings.push(Finding::new("voice", Level::Note, what));
        return findings;
    }
    if voice.mode == VoiceMode::SttTts {
        findings.push(match speech::start(config, Uses::untold(config)).await {
            Ok(_) => Finding::ok("voice.speech", "transcriber and synthesizer are configured"),
            Err(failure) => of(failure, "voice.speech"),
        });
    } else {
        findings.push(realtime(config).await);
    }
    findings
}

fn models(config: &Config) -> Finding {
    match agent::check(config) {
        Ok(models) => Finding::ok("agent.models", format!("the agent asks {}", models.join(", "))),
        Err(failure) => of(failure, "agent.models"),
    }
}

async fn realtime(config: &Config) -> Finding {
    const ID: &str = "voice.provider";
    let running = match provider::start(config, Uses::untold(config)).await {
        Ok(Some(running)) => running,
        Ok(None) => return Finding::ok(ID, "no realtime provider is needed"),
        Err(failure) => return of(failure, ID),
    };
    let (id, model) = (running.id.clone(), running.model.clone());
    let answer = opens(&running.endpoint).await;
    if let Some(local) = running.local {
        local.shutdown().await;
    }
    match answer {
        Ok(()) => Finding::ok(ID, format!("{id} takes our key ({model})")),
        Err((Some(401 | 403), reason)) => {
            Finding::error(ID, format!("{id} refuses our key: {reason}")).fix(format!(
                "look at channels.discord.voice.realtime.providers.{id}.apiKey, or at the environment variable it names"
            ))
        }
        Err((Some(status), reason)) => {
            Finding::error(ID, format!("{id} answers with status {status}: {reason}"))
                .fix("the address or the model may be wrong")
        }
        Err((None, reason)) => Finding::error(ID, format!("{id} cannot be reached: {reason}"))
            .fix("look at its baseUrl, DNS and firewall"),
    }
}

/// Opens a connection and closes it again: nothing is said, nothing costs.
async fn opens(endpoint: &ProviderEndpoint) -> Result<(), (Option<u16>, String)> {
    static TLS: Once = Once::new();
    TLS.call_once(|| {
        // Another provider of TLS that is already there will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let mut socket = Socket::connect(SocketRequest {
        url: endpoint.url.clone(),
        headers: endpoint.headers.clone(),
        tls: None,
        connect_timeout: CONNECT,
        max_message_bytes: MAX_MESSAGE_BYTES,
    });
    match socket.incoming.recv().await {
        Some(SocketIn::Failed { status, reason, .. }) => Err((status, reason)),
        Some(_) => Ok(()),
        None => Err((None, "the connection ended".to_owned())),
    }
}

fn of(failure: crate::printer::Failure, id: &'static str) -> Finding {
    let finding = Finding::error(id, failure.message);
    match failure.hint {
        Some(hint) => finding.fix(hint),
        None => finding,
    }
}
