//! `clawvoice pairing list|approve`: strangers who wrote in private and wait to be let in.

use clawvoice_config::{Config, ProcessEnv};
use clawvoice_session::shell::store::{NotApproved, Pairings};
use jiff::Timestamp;
use serde_json::json;

use super::{config::located, once::block_on};
use crate::{
    cli::{ApproveArgs, PairingCommand, PairingListArgs},
    printer::{self, Failure},
};

/// Runs the command.
pub(crate) fn run(command: &PairingCommand) -> Result<(), Failure> {
    block_on(async {
        match command {
            PairingCommand::List(args) => list(args).await,
            PairingCommand::Approve(args) => approve(args).await,
        }
    })?
}

async fn open(given: Option<&std::path::Path>) -> Result<Pairings, Failure> {
    let config: Config =
        clawvoice_config::load(&located(given)?, &ProcessEnv).map_err(Failure::user)?;
    Pairings::open(&config.session_store).await.map_err(Failure::user)
}

async fn list(args: &PairingListArgs) -> Result<(), Failure> {
    let mut pairings = open(args.config.as_deref()).await?;
    let pending = pairings.pending(Timestamp::now()).await.map_err(Failure::user)?;
    if args.json {
        let pending: Vec<_> = pending
            .iter()
            .map(|it| {
                json!({
                    "account": it.account, "user": it.user, "code": it.code,
                    "asked": it.asked.to_string(),
                })
            })
            .collect();
        printer::result(format_args!("{:#}", json!({ "pending": pending })));
    } else if pending.is_empty() {
        printer::result("nobody waits");
    } else {
        for it in &pending {
            printer::result(format_args!("{}  user {}  account {}", it.code, it.user, it.account));
        }
    }
    pairings.close().await;
    Ok(())
}

async fn approve(args: &ApproveArgs) -> Result<(), Failure> {
    let mut pairings = open(args.config.as_deref()).await?;
    let approved = pairings.approve(&args.account, &args.code, Timestamp::now()).await;
    pairings.close().await;
    let user = approved.map_err(|failure| match failure {
        NotApproved::Unknown(_) | NotApproved::Over(_) => Failure::user(&failure)
            .hint("`clawvoice pairing list` shows who waits; a code is good for an hour"),
        NotApproved::Store(_) => Failure::user(&failure),
    })?;
    printer::result(format_args!("user {user} may write to account {}", args.account));
    Ok(())
}
