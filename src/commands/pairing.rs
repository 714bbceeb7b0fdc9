//! `clawvoice pairing list|approve`: strangers who wrote in private and wait to be let in.

use clawvoice_config::{Config, ProcessEnv};
use clawvoice_session::{
    UserId,
    shell::store::{NotApproved, Pairings},
};
use jiff::Timestamp;
use serde_json::json;

use super::{
    as_bot::AsBot,
    config::located,
    message::{
        refusal::{Act, At, in_words},
        target::Place,
    },
    once::block_on,
};
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

fn load(given: Option<&std::path::Path>) -> Result<Config, Failure> {
    clawvoice_config::load(&located(given)?, &ProcessEnv).map_err(Failure::user)
}

async fn open(config: &Config) -> Result<Pairings, Failure> {
    Pairings::open(&config.session_store).await.map_err(Failure::user)
}

async fn list(args: &PairingListArgs) -> Result<(), Failure> {
    let mut pairings = open(&load(args.config.as_deref())?).await?;
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
    let config = load(args.config.as_deref())?;
    let mut pairings = open(&config).await?;
    let approved = pairings.approve(&args.account, &args.code, Timestamp::now()).await;
    pairings.close().await;
    let user = approved.map_err(|failure| match failure {
        NotApproved::Unknown(_) | NotApproved::Over(_) => Failure::user(&failure)
            .hint("`clawvoice pairing list` shows who waits; a code is good for an hour"),
        NotApproved::Store(_) => Failure::user(&failure),
    })?;
    printer::result(format_args!("user {user} may write to account {}", args.account));
    if args.notify {
        // They are let in whether they hear of it or not.
        match notify(&config, &args.account, user).await {
            Ok(()) => printer::result("they were told"),
            Err(failure) => {
                printer::progress(format_args!("they were not told: {}", failure.message));
            }
        }
    }
    Ok(())
}

/// What somebody is told who is let in.
const LET_IN: &str = "✅ clawvoice access approved. Send a message to start chatting.";

async fn notify(config: &Config, account: &str, user: UserId) -> Result<(), Failure> {
    let bot = AsBot::of(config, account.to_owned())?;
    let told = async {
        let channel = bot.rest.open_direct_message(user).await?;
        bot.rest.create_message(channel, &json!({ "content": LET_IN })).await
    };
    match told.await {
        Ok(_) => Ok(()),
        Err(failure) => {
            let at = At::place(Act::Send { files: false }, Place::User(user));
            Err(in_words(&bot, at, &failure).await)
        }
    }
}
