//! `/status`.

use std::{fmt::Write as _, time::Duration};

use clawvoice_session::{agent::SpentToday, spending::Dollars};

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
         waiting\nTokens: {} in ({} cached), {} out · {}{}\nLast activity: {last}",
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
        today(facts.today),
    );
    if let Some(bound) = bound {
        let _ = write!(text, "\nBound to: {}", quoted(bound.name()));
    }
    text
}

/// A line of its own, if anything has cost anything today.
fn today(spent: Option<SpentToday>) -> String {
    match spent.filter(|spent| spent.agent > 0) {
        Some(SpentToday { session, agent }) => {
            format!("\nToday (UTC): {} here, {} by the agent", Dollars(session), Dollars(agent))
        }
        None => String::new(),
    }
}

fn cost(nano_dollars: Option<i64>) -> String {
    nano_dollars.map_or("cost not known".to_owned(), |nano| Dollars(nano).to_string())
}
