//! The voice connection: joining, encryption, loss.

use super::{Case, Finding, Severity, playback::message, times};
use crate::review::words::{one_line, quote};

/// Frames that had to be made up, in percent of those that came; from here on it is heard.
const LOSS_PERCENT: u64 = 5;

pub(super) fn findings(case: &Case<'_>, findings: &mut Vec<Finding>) {
    several_guilds(case, findings);
    joining(case, findings);
    decryption(case, findings);
    receiving(case, findings);
    statistics(case, findings);
    permissions(case, findings);
}

/// Answers are followed as if there were one player; each guild has its own.
fn several_guilds(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let mut guilds: Vec<String> = Vec::new();
    let mut others = Vec::new();
    for (index, _, line) in case.lines("joined") {
        let Some(guild) = line.text("guild") else { continue };
        if guilds.iter().all(|known| *known != guild) && guilds.len() < 100 {
            if !guilds.is_empty() {
                others.push(index);
            }
            guilds.push(guild.into_owned());
        }
    }
    case.report(findings, &others, || {
        Finding::new(
            "several-guilds",
            Severity::Notice,
            format!("The sessions of {} guilds are in one file", guilds.len()),
        )
        .cause(
            "The provider's lines do not say which guild they belong to, so questions and answers \
             of sessions that ran at the same time may be mixed up here.",
        )
        .change("look at the recording of one session, or at the log of one guild")
    });
}

fn said(case: &Case<'_>, name: &str) -> String {
    match case.lines(name).find_map(|(_, _, line)| message(line)) {
        Some(words) => format!("The log says: {}", quote(&words)),
        None => "The log does not say why.".to_owned(),
    }
}

fn joining(case: &Case<'_>, findings: &mut Vec<Finding>) {
    case.report_lines(findings, "join failed before ready", || {
        Finding::new("join-failed", Severity::Problem, "The channel could not be joined")
            .cause(said(case, "join failed before ready"))
            .change(
                "check the bot's Connect permission, UDP out of this machine, and \
                 channels.discord.voice.connectTimeoutMs",
            )
    });
    case.report_lines(findings, "disconnect recovery failed", || {
        Finding::new(
            "connection-lost",
            Severity::Problem,
            "The voice connection was lost and did not come back",
        )
        .cause(said(case, "disconnect recovery failed"))
        .change(
            "check the network; channels.discord.voice.reconnectGraceMs is how long it may take",
        )
    });
    case.report_lines(findings, "voice connection interrupted", || {
        Finding::new(
            "connection-interrupted",
            Severity::Notice,
            "The voice connection was interrupted",
        )
        .cause(said(case, "voice connection interrupted"))
    });
    case.report_lines(findings, "autoJoin has multiple entries", || {
        Finding::new(
            "auto-join-twice",
            Severity::Notice,
            "A guild has more than one autoJoin entry",
        )
        .cause("Only the last entry of a guild counts.")
        .change("remove the others from channels.discord.voice.autoJoin")
    });
    case.report_lines(findings, "bot moved to non-allowed channel", || {
        Finding::new(
            "moved-outside",
            Severity::Notice,
            "The bot was moved to a channel it may not be in, and left it",
        )
        .cause("The channel is not in channels.discord.voice.allowedChannels.")
        .change("add the channel there if the bot may be in it")
    });
}

fn decryption(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let rejoin = "repeated decrypt failures; attempting rejoin";
    let failures = "DAVE decrypt failures detected";
    let rejoins = case.lines(rejoin).count();
    if rejoins == 0 {
        case.report_lines(findings, failures, || {
            Finding::new(
                "decrypt-failures",
                Severity::Notice,
                "Frames could not be decrypted for a moment",
            )
            .cause(
                "Somebody joined or left and the keys of the channel's encryption were changing; \
                     it got over it by itself.",
            )
        });
    }
    case.report_lines(findings, rejoin, || {
        let cause = if rejoins > 1 {
            "Decryption kept failing even after the channel was joined again: the encryption state \
             does not recover."
        } else {
            "Frames could not be decrypted three times within 30 s each, so the channel was left and \
             joined again to start the encryption anew."
        };
        Finding::new(
            "decrypt-rejoin",
            Severity::Problem,
            format!("The channel was left and joined again, because nothing could be decrypted, {}", times(rejoins)),
        )
        .cause(cause)
        .change(
            "keep channels.discord.voice.daveEncryption on and decryptionFailureTolerance at 24; if \
             it repeats, report it with the recording",
        )
    });
    case.report_lines(findings, "rejoin after decrypt failures failed", || {
        Finding::new(
            "rejoin-failed",
            Severity::Problem,
            "Joining again after decrypt failures failed",
        )
        .cause(said(case, "rejoin after decrypt failures failed"))
        .change("join by /vc join, and report it with the recording")
    });
    case.report_lines(findings, "SPEAKING event contradicts the keys", || {
        Finding::new("speaking-contradicted", Severity::Notice, "Discord named another speaker than the keys do")
            .cause("Speech is heard under the name whose key opens it, and such speech gives nobody an owner's rights.")
    });
}

fn receiving(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let (mut plain, mut aborted, mut other) = (Vec::new(), Vec::new(), Vec::new());
    let mut words = None;
    for (index, _, line) in case.lines("receive error") {
        let text = message(line).unwrap_or_default();
        let lower = text.to_lowercase();
        if lower.contains("unencryptedwhenpassthroughdisabled") {
            plain.push(index);
        } else if lower.contains("abort") || lower.contains("premature close") {
            aborted.push(index);
        } else {
            other.push(index);
            words.get_or_insert(text);
        }
    }
    case.report(findings, &plain, || {
        Finding::new(
            "unencrypted-frames",
            Severity::Problem,
            format!("Frames came unencrypted although encryption is in force, {}", times(plain.len())),
        )
        .cause("Around a change of the encryption some clients still send plain frames; then this library refuses them.")
        .change("collect the log around it and compare discord.js #11419 and #11449; a rejoin helps")
    });
    case.report(findings, &aborted, || {
        Finding::new(
            "stream-aborted",
            Severity::Normal,
            format!("A receive stream was aborted, {}", times(aborted.len())),
        )
        .cause("That is how a finished capture ends. Harmless.")
    });
    case.report(findings, &other, || {
        Finding::new(
            "receive-error",
            Severity::Problem,
            format!("Receiving failed, {}", times(other.len())),
        )
        .cause(format!("The log says: {}", quote(words.as_deref().unwrap_or_default())))
        .change("if decryption is named, see the DAVE lines around it")
    });
}

fn statistics(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let (mut lossy, mut deaf) = (Vec::new(), Vec::new());
    let mut worst = 0;
    for (index, _, line) in case.lines("voice session statistics") {
        let number = |name: &str| line.number(name).unwrap_or(0);
        let (delivered, undecryptable) = (number("delivered"), number("undecryptable"));
        let made_up = number("concealed").saturating_add(number("silenced"));
        let percent = made_up.saturating_mul(100) / delivered.saturating_add(made_up).max(1);
        if percent >= LOSS_PERCENT && delivered > 0 {
            worst = worst.max(percent);
            lossy.push(index);
        }
        if delivered == 0 && undecryptable > 0 {
            deaf.push(index);
        }
    }
    case.report(findings, &lossy, || {
        Finding::new(
            "packet-loss",
            Severity::Problem,
            format!("{worst} % of the speech was lost on its way"),
        )
        .cause("Packets did not arrive and were concealed; words may have been misheard.")
        .change("check the network of this machine and of the speakers")
    });
    case.report(findings, &deaf, || {
        Finding::new(
            "nothing-decrypted",
            Severity::Problem,
            "Not one frame of a whole session could be decrypted",
        )
        .cause("Audio arrived, but never with a key that opens it.")
        .change("keep daveEncryption on and report it with the recording")
    });
}

fn permissions(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let name = "voice suppressed";
    let why =
        case.lines(name).find_map(|(_, _, line)| line.text("message").map(|text| one_line(&text)));
    case.report_lines(findings, name, || {
        Finding::new("suppressed", Severity::Problem, "Nobody in the channel could hear the agent")
            .cause(format!("Discord suppresses it: {}.", why.unwrap_or_default()))
            .change("give the bot the Speak permission, or let it speak on the stage")
    });
    let stage = "stage request to speak failed";
    case.report_lines(findings, stage, || {
        Finding::new(
            "stage-refused",
            Severity::Problem,
            "The agent may not ask to speak on this stage",
        )
        .cause(said(case, stage))
        .change("give the bot the Request to Speak permission or make it a stage moderator")
    });
}
