//! `clawvoice message send --as-voice`: an audio file with a play button.

use clawvoice_session::MessageId;
use clawvoice_text::{
    delivery::voice_message::local_file,
    shell::voice_message::{Outgoing, SendFailure, VoiceMessages},
};
use serde_json::json;

use super::{refusal::Act, target};
use crate::{
    cli::message::SendArgs,
    printer::{self, Failure},
};

/// Runs the command.
pub(super) async fn send(args: &SendArgs) -> Result<(), Failure> {
    let outgoing = Outgoing {
        media: args.path.clone(),
        content: args.message.clone(),
        silent: args.silent,
        reply_to: args.reply_to.map(MessageId::get),
    };
    let file = local_file(outgoing.media.as_deref(), outgoing.content.as_deref())
        .map_err(|refusal| Failure::user(&refusal))?;
    let (bot, place) = target::find(&args.bot).await?;
    if args.dry_run {
        let file = file.display().to_string();
        if args.bot.json {
            let told = json!({
                "ok": true, "dryRun": true, "account": bot.account, "to": place.to_string(),
                "voiceMessage": file,
            });
            printer::result(format_args!("{told:#}"));
        } else {
            printer::result(format_args!("a voice message to {place}: {file}"));
            printer::result("nothing was sent (--dry-run)");
        }
        return Ok(());
    }
    let channel = place.channel(&bot, Act::Send { files: true }).await?;
    let sent = VoiceMessages::new(bot.rest).send(channel, &outgoing).await;
    let sent = sent.map_err(|failure| match failure {
        SendFailure::TokenRefused => super::refusal::token_refused(&failure),
        failure => Failure::user(failure),
    })?;
    let (id, seconds) = (MessageId::new(sent.message), sent.duration_secs);
    if args.bot.json {
        let told = json!({
            "ok": true, "account": bot.account, "voiceMessage": true, "durationSecs": seconds,
            "result": { "messageId": id, "channelId": channel },
        });
        printer::result(format_args!("{told:#}"));
    } else {
        printer::result(format_args!(
            "sent voice message {id} of {seconds:.2} s to channel {channel}"
        ));
    }
    Ok(())
}
