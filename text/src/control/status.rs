//! `/status`.

use std::{fmt::Write as _, time::Duration};

use super::{
    ControlContext, SessionFacts,
    words::{age, grouped, quoted},
};
use crate::routing::binding::BindingRecord;

/// What there is to say of a session.
pub(super) fn status(
    context: &ControlContext<'_>,
    facts: &SessionFacts,
    bound: Option<&BindingRecord>,
) -> String {
    let chosen = if facts.model_is_chosen { " (chosen here)" } else { "" };
    let running = if facts.is_running { "1 running" } else { "idle" };
    let last = facts.last_activity.map_or("none yet".to_owned(), |at| {
        format!("{} ago", age(Duration::from_millis(context.now.saturating_sub(at))))
    });
    let mut text = format!(
        "clawvoice {} · up {}\nAgent: {}\nSession: `{}`\nModel: {}{chosen}\nQueue: {running}, {} \
         waiting\nTokens: {} in ({} cached), {} out · {}\nLast activity: {last}",
        facts.version,
        age(facts.uptime),
        quoted(&context.route.agent),
        context.route.key,
        quoted(&facts.model),
        facts.waiting,
        grouped(facts.usage.input),
        grouped(facts.usage.cached),
        grouped(facts.usage.output),
        cost(facts.nano_dollars),
    );
    if let Some(bound) = bound {
        let _ = write!(text, "\nBound to: {}", quoted(bound.name()));
    }
    text
}

/// In dollars, to a hundredth of a cent.
fn cost(nano_dollars: Option<i64>) -> String {
    match nano_dollars.map(|nano| nano.max(0) / 100_000) {
        Some(units) => format!("${}.{:04}", units / 10_000, units % 10_000),
        None => "cost not known".to_owned(),
    }
}
