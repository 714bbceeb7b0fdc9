//! What is said of a binding, in OpenClaw's words, and by what name its session speaks.

use std::time::Duration;

use super::{BindingRecord, Ended};
use crate::routing::name::one_line;

/// Most UTF-16 units of a thread's name. Source: Discord, "Start Thread".
const MAX_THREAD_NAME: usize = 100;

/// Most UTF-16 units of a webhook's name. Source: Discord, "Create Webhook".
const MAX_WEBHOOK_NAME: usize = 80;

/// What is said when it begins.
#[must_use]
pub fn intro(record: &BindingRecord) -> String {
    let mut limits = Vec::new();
    if !record.idle.is_zero() {
        let idle = duration_label(record.idle);
        limits.push(format!("idle auto-unfocus after {idle} inactivity"));
    }
    if !record.max_age.is_zero() {
        limits.push(format!("max age {}", duration_label(record.max_age)));
    }
    let limits = match limits.is_empty() {
        true => String::new(),
        false => format!(" ({})", limits.join("; ")),
    };
    let name = one_line(record.name(), MAX_THREAD_NAME);
    format!("⚙️ {name} session active{limits}. Messages here go directly to this session.")
}

/// What is said when it ends.
#[must_use]
pub fn farewell(record: &BindingRecord, reason: Ended) -> String {
    let how = match reason {
        Ended::Idle => {
            format!(" automatically after {} of inactivity", duration_label(record.idle))
        }
        Ended::MaxAge => format!(" automatically at max age of {}", duration_label(record.max_age)),
        Ended::Unfocused | Ended::Archived | Ended::Deleted => String::new(),
    };
    format!("⚙️ Session ended{how}. Messages here will no longer be routed.")
}

/// Whole hours as `24h`, else whole minutes as `90m`.
#[must_use]
pub fn duration_label(duration: Duration) -> String {
    let minutes = duration.as_secs() / 60;
    match (duration.is_zero(), minutes) {
        (true, _) => "disabled".to_owned(),
        (false, 0) => "<1m".to_owned(),
        (false, minutes) if minutes % 60 == 0 => format!("{}h", minutes / 60),
        (false, minutes) => format!("{minutes}m"),
    }
}

/// The name of a thread that is opened for a session.
#[must_use]
pub fn thread_name(name: &str) -> String {
    one_line(&format!("🤖 {}", or_agent(name)), MAX_THREAD_NAME)
}

/// The name that a session speaks by.
#[must_use]
pub fn webhook_name(record: &BindingRecord) -> String {
    one_line(&format!("🤖 {}", or_agent(record.name())), MAX_WEBHOOK_NAME)
}

fn or_agent(name: &str) -> &str {
    if name.trim().is_empty() { "agent" } else { name }
}
