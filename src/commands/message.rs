//! `clawvoice message send`: sends one message to Discord and ends.

use clawvoice_config::ProcessEnv;
use clawvoice_text::shell::{
    rest::DiscordRest,
    voice_message::{Outgoing, SendFailure, VoiceMessages},
};
use secrecy::ExposeSecret as _;

use super::{config::located, gateway::start_log};
use crate::{
    cli::SendArgs,
    connection,
    printer::{self, Failure},
};

/// Runs the command.
pub(crate) fn send(args: &SendArgs) -> Result<(), Failure> {
    if !args.as_voice {
        return Err(Failure::user("only voice messages can be sent from here")
            .hint("add --as-voice, and the audio file as --path"));
    }
    start_log(false, None);
    let file = located(args.config.as_deref())?;
    let config = clawvoice_config::load(&file, &ProcessEnv).map_err(Failure::user)?;
    let token = config.discord.token.as_ref().ok_or_else(|| {
        Failure::user("channels.discord is switched off: there is nobody to send as")
            .hint("set channels.discord.enabled to true")
    })?;
    let base = config.discord.api_base_url.as_ref().map(ToString::to_string);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unexpected(format_args!("no async runtime: {error}")))?;
    let settings = connection::requests(&config.discord);
    let proxy = config.discord.connection.proxy.as_ref().map(|proxy| proxy.expose_secret());
    let discord = DiscordRest::new(token, base.as_deref(), proxy, &settings)
        .ok_or_else(|| Failure::user("channels.discord.apiBaseUrl is no address"))?;
    let voice = VoiceMessages::new(discord);
    let outgoing = Outgoing {
        media: args.path.clone(),
        content: args.message.clone(),
        silent: args.silent,
        reply_to: args.reply_to,
    };
    let sent = runtime.block_on(voice.send(args.target, &outgoing));
    // Whatever still runs (a DNS look-up, say) must not hold up the exit.
    runtime.shutdown_background();
    let sent = sent.map_err(|failure| match failure {
        SendFailure::TokenRefused => Failure::auth(failure),
        failure => Failure::user(failure),
    })?;
    let (id, channel, seconds) = (sent.message, args.target, sent.duration_secs);
    printer::result(format_args!("sent voice message {id} of {seconds:.2} s to channel {channel}"));
    Ok(())
}
