//! `clawvoice channels status`: how each account is, by what the running process, the store and
//! Discord tell.

use std::{net::SocketAddr, time::Duration};

use clawvoice_config::{Account, Config};
use clawvoice_text::shell::probe::{BotFacts, Probe};
use serde_json::{Value, json};

use super::{
    intents, load,
    outbox::{Outbox, Outboxes},
    refused,
};
use crate::{
    bot::{self, of_account},
    cli::StatusArgs,
    printer::{self, Failure},
};

/// How long the running process may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is known of an account.
struct Seen<'c> {
    account: &'c Account,
    /// What the running process says of it.
    told: Option<&'c Value>,
    /// `None`: the store cannot be read.
    outbox: Option<Outbox>,
    probe: Option<BotFacts>,
}

pub(super) async fn run(args: &StatusArgs) -> Result<(), Failure> {
    let config = load(args.config.as_deref())?;
    let process = match args.health.or_else(|| crate::health::address(&config)) {
        Some(address) => running(address).await,
        None => None,
    };
    let accounts = look(&config, process.as_ref(), args.probe).await?;
    if args.json {
        let accounts: Vec<Value> = accounts.iter().map(|seen| seen.json(&config)).collect();
        let whole = json!({ "accounts": accounts, "health": process });
        printer::result(format_args!("{whole:#}"));
    } else {
        accounts.iter().for_each(Seen::print);
        if let Some(verdict) = &process {
            printer::result(of_process(verdict));
        }
    }
    let is_well = process.as_ref().is_some_and(|verdict| verdict["ok"] == true);
    match args.check && !is_well {
        true => Err(Failure::user("it does not run, or is not well")),
        false => Ok(()),
    }
}

/// What a clawvoice that runs here says of itself.
async fn running(address: SocketAddr) -> Option<Value> {
    let client = reqwest::Client::builder().timeout(PATIENCE).build().ok()?;
    let answer = client.get(format!("http://{address}/healthz")).send().await.ok()?;
    answer.json().await.ok()
}

async fn look<'c>(
    config: &'c Config,
    process: Option<&'c Value>,
    with_probe: bool,
) -> Result<Vec<Seen<'c>>, Failure> {
    let outboxes = Outboxes::open(&config.session_store).await;
    let mut accounts = Vec::new();
    for account in &config.accounts {
        let outbox = match &outboxes {
            Ok(outboxes) => outboxes.of(&account.id).await,
            Err(error) => Err(error.clone()),
        };
        let outbox = outbox
            .inspect_err(|error| {
                printer::progress(format_args!("the outbox of {} is unknown: {error}", account.id));
            })
            .ok();
        let probe = match with_probe && account.enabled {
            true => {
                let rest = bot::rest(&of_account(config, account))?;
                Some(Probe::of(&rest).bot().await.map_err(refused)?)
            }
            false => None,
        };
        let told = process.and_then(|verdict| of_account_in(verdict, &account.id));
        accounts.push(Seen { account, told, outbox, probe });
    }
    if let Ok(outboxes) = outboxes {
        outboxes.close().await;
    }
    Ok(accounts)
}

fn of_account_in<'v>(verdict: &'v Value, id: &str) -> Option<&'v Value> {
    verdict["accounts"].as_array()?.iter().find(|account| account["id"] == id)
}

impl Seen<'_> {
    fn json(&self, config: &Config) -> Value {
        let Account { id, name, enabled, disabled, discord, .. } = self.account;
        let of = |key: &str| self.told.map_or(Value::Null, |told| told[key].clone());
        json!({
            "id": id,
            "name": name,
            "default": *id == config.default_account,
            "enabled": enabled,
            "disabled": disabled.map(|why| why.to_string()),
            "configured": discord.token.is_some(),
            "running": self.told.is_some(),
            "connected": self.is_connected(),
            "gateway": of("gateway"),
            "text": of("text"),
            "outbox": self.outbox,
            "probe": self.probe,
        })
    }

    fn is_connected(&self) -> bool {
        self.told.is_some_and(|told| told["gateway"]["connected"] == true)
    }

    fn print(&self) {
        let how = match (self.account.disabled, self.told, self.is_connected()) {
            (Some(why), None, _) => format!("disabled: {why}"),
            (None, None, _) => "not running here".to_owned(),
            (_, Some(_), true) => "running, connected".to_owned(),
            (_, Some(_), false) => "running, not connected".to_owned(),
        };
        printer::result(format_args!("discord {}: {how}", self.account.id));
        if let Some(told) = self.told {
            printer::result(of_gateway(&told["gateway"]));
            printer::result(of_text(&told["text"]));
        }
        if let Some(outbox) = &self.outbox {
            printer::result(format_args!(
                "  outbox: {} wait, {} refused",
                outbox.waiting, outbox.refused
            ));
            for one in &outbox.newest {
                printer::result(format_args!("    {} to {}: {}", one.at, one.to, one.why));
            }
        }
        if let Some(bot) = &self.probe {
            printer::result(format_args!("  bot: {} ({})", bot.name, bot.user));
            printer::result(format_args!("  intents: {}", intents(bot)));
        }
    }
}

fn of_process(verdict: &Value) -> String {
    let problems: Vec<&str> =
        verdict["problems"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let how = match problems[..] {
        [] => "well".to_owned(),
        _ => format!("not well: {}", problems.join("; ")),
    };
    format!("process: {how}, in {} calls", verdict["calls"])
}

fn of_gateway(gateway: &Value) -> String {
    let event = match gateway["last_event_ms"].as_u64() {
        Some(ms) => format!("last event {} s ago", ms / 1_000),
        None => "no event yet".to_owned(),
    };
    let close = match gateway["last_close"].as_u64() {
        Some(code) => format!("last close {code}"),
        None => "never closed".to_owned(),
    };
    format!(
        "  gateway: {event}, {} reconnects, {} resumed, {close}, {} dispatches wait, {} dropped",
        gateway["reconnects"], gateway["resumed"], gateway["queued"], gateway["dropped"],
    )
}

fn of_text(text: &Value) -> String {
    let mut drops: Vec<(&str, u64)> = text["drops"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(reason, count)| Some((reason.as_str(), count.as_u64()?)))
        .collect();
    // The most frequent first.
    drops.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let drops: Vec<String> =
        drops.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    let drops = if drops.is_empty() { "nothing".to_owned() } else { drops.join(", ") };
    format!(
        "  text: {} answered, {} failed, {} sessions at work; dropped: {drops}",
        text["answered"], text["failed"], text["sessions"],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_words() {
        let drops = json!({ "bot-not-allowed": 2, "no-mention": 12, "stale-ambient-backlog": 2 });
        let text = json!({ "drops": drops, "answered": 5, "failed": 0, "sessions": 1 });
        assert_eq!(
            of_text(&text),
            "  text: 5 answered, 0 failed, 1 sessions at work; dropped: no-mention 12, \
             bot-not-allowed 2, stale-ambient-backlog 2"
        );
        let quiet = json!({ "drops": {}, "answered": 0, "failed": 0, "sessions": 0 });
        assert!(of_text(&quiet).ends_with("dropped: nothing"));
    }

    #[test]
    fn an_account_is_found_by_its_id() {
        let verdict = json!({ "accounts": [{ "id": "a" }, { "id": "b", "text": 1 }] });
        assert_eq!(of_account_in(&verdict, "b").unwrap()["text"], 1);
        assert_eq!(of_account_in(&verdict, "c"), None);
        assert_eq!(of_account_in(&json!({}), "a"), None);
    }
}
