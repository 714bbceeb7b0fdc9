//! `clawvoice usage`: what tokens were spent on, and what they cost.

use std::path::Path;

use clawvoice_config::{Config, ProcessEnv};
use clawvoice_session::{
    shell::store::Spendings,
    spending::{Day, Dollars, UsageBy, UsageRow},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{config::located, once::block_on};
use crate::{
    cli::UsageArgs,
    printer::{self, Failure},
};

/// What is shown for what is not known, as of users who wanted to be forgotten.
const UNKNOWN: &str = "-";

/// Runs the command.
pub(crate) fn run(args: &UsageArgs) -> Result<(), Failure> {
    let config = load(args.config.as_deref())?;
    // Today is one of the days.
    let since = Day::of(Timestamp::now()).back(i64::from(args.since) - 1);
    let by = args.by.into();
    let rows = block_on(read(&config.session_store, by, since))??;
    if args.json {
        printer::result(format_args!("{:#}", document(by, since, &rows)));
    } else if rows.is_empty() {
        printer::result(format_args!("nothing was spent since {since}"));
    } else {
        for line in table(by, &rows) {
            printer::result(line);
        }
    }
    Ok(())
}

fn load(given: Option<&Path>) -> Result<Config, Failure> {
    clawvoice_config::load(&located(given)?, &ProcessEnv).map_err(Failure::user)
}

/// A store that is not there yet is not made.
async fn read(store: &Path, by: UsageBy, since: Day) -> Result<Vec<UsageRow>, Failure> {
    if !store.exists() {
        return Ok(Vec::new());
    }
    let mut spendings = Spendings::open(store).await.map_err(Failure::user)?;
    let rows = spendings.by(by, since).await.map_err(Failure::user);
    spendings.close().await;
    rows
}

fn total(rows: &[UsageRow]) -> UsageRow {
    let mut total = UsageRow { of: "total".to_owned(), ..UsageRow::default() };
    rows.iter().for_each(|row| total.add(row));
    total
}

fn document(by: UsageBy, since: Day, rows: &[UsageRow]) -> Value {
    let told = |row: &UsageRow| {
        json!({
            "turns": row.turns,
            "fromCache": row.from_cache,
            "tokens": {
                "input": row.spent.usage.input,
                "cached": row.spent.usage.cached,
                "output": row.spent.usage.output,
                "areEstimated": row.spent.estimated,
                "withoutPrice": row.unpriced,
            },
            "costUsd": row.spent.nano_dollars as f64 / 1e9,
        })
    };
    let rows_told = rows.iter().map(|row| {
        let mut told = told(row);
        told[by.word()] = json!(row.of);
        told
    });
    json!({
        "by": by.word(),
        "since": since.to_string(),
        "rows": rows_told.collect::<Vec<_>>(),
        "total": told(&total(rows)),
    })
}

/// A head, the rows, and their sum.
fn table(by: UsageBy, rows: &[UsageRow]) -> Vec<String> {
    let total = total(rows);
    let cells: Vec<[String; 6]> = rows.iter().chain([&total]).map(cells).collect();
    let head = [by.word(), "turns", "in", "cached", "out", "cost"].map(str::to_owned);
    let mut widths = head.each_ref().map(String::len);
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut lines: Vec<String> =
        std::iter::once(&head).chain(&cells).map(|row| line(row, &widths)).collect();
    if total.unpriced > 0 {
        lines.push(format!(
            "{} tokens are of models without a price: set it in models.providers.<id>.models[].cost",
            total.unpriced
        ));
    }
    if total.spent.estimated {
        lines.push("some tokens are guessed, since an endpoint did not count them".to_owned());
    }
    lines
}

fn cells(row: &UsageRow) -> [String; 6] {
    let of = if row.of.is_empty() { UNKNOWN } else { &row.of };
    let usage = row.spent.usage;
    [
        of.to_owned(),
        row.turns.to_string(),
        usage.input.to_string(),
        usage.cached.to_string(),
        usage.output.to_string(),
        Dollars(row.spent.nano_dollars).to_string(),
    ]
}

/// What it is of to the left, numbers to the right.
fn line(cells: &[String; 6], widths: &[usize; 6]) -> String {
    let padded = cells.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
        0 => format!("{cell:<width$}"),
        _ => format!("{cell:>width$}"),
    });
    padded.collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use clawvoice_session::{agent::Usage, history::Spent};

    use super::*;

    fn row(of: &str, turns: u64, input: u64, nano_dollars: i64) -> UsageRow {
        let usage = Usage { input, cached: 1, output: 2 };
        UsageRow {
            of: of.to_owned(),
            turns,
            spent: Spent { usage, estimated: false, nano_dollars },
            ..UsageRow::default()
        }
    }

    #[test]
    fn rows_stand_under_each_other_with_their_sum() {
        let rows = [row("main", 12, 34_567, 1_234_500_000), row("", 1, 8, 0)];
        assert_eq!(
            table(UsageBy::Agent, &rows),
            [
                "agent  turns     in  cached  out     cost",
                "main      12  34567       1    2  $1.2345",
                "-          1      8       1    2  $0.0000",
                "total     13  34575       2    4  $1.2345",
            ]
        );
    }

    #[test]
    fn what_is_not_certain_is_said() {
        let mut unpriced = row("p/m", 1, 8, 0);
        (unpriced.unpriced, unpriced.spent.estimated) = (10, true);
        let lines = table(UsageBy::Model, &[unpriced]);
        assert_eq!(lines.len(), 5);
        assert!(lines[3].starts_with("10 tokens are of models without a price: "), "{lines:?}");
        assert!(lines[4].starts_with("some tokens are guessed"), "{lines:?}");
    }

    #[test]
    fn a_document_names_every_row_by_its_kind() {
        let told = document(UsageBy::User, Day::new(0), &[row("7", 2, 10, 1_500_000_000)]);
        assert_eq!((&told["by"], &told["since"]), (&json!("user"), &json!("1970-01-01")));
        assert_eq!(told["rows"][0]["user"], "7");
        assert_eq!(told["rows"][0]["costUsd"], 1.5);
        assert_eq!(told["total"]["tokens"]["input"], 10);
    }
}
