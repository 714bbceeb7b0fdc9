//! `clawvoice forget USER`: deletes what is kept of a user.

use clawvoice_config::ProcessEnv;
use clawvoice_session::{mail::Forgotten, shell::store::Mailbox};
use clawvoice_text::shell::media;
use serde_json::json;

use super::{config::located, once::block_on};
use crate::{
    cli::ForgetArgs,
    printer::{self, Failure},
    text::media_folder,
};

/// Runs the command. A clawvoice that runs on the same file takes notice.
pub(crate) fn run(args: &ForgetArgs) -> Result<(), Failure> {
    let user = args.user;
    let config = clawvoice_config::load(&located(args.config.as_deref())?, &ProcessEnv)
        .map_err(Failure::user)?;
    let store = &config.session_store;
    if !args.yes {
        let what = format!("this deletes what {} keeps of user {user}, for good", store.display());
        return Err(Failure::user(what).hint("say so: --yes"));
    }
    let forgotten = block_on(async {
        let mailbox = Mailbox::open(store).await?;
        let forgotten = mailbox.forget_user(user).await;
        mailbox.close().await;
        forgotten
    })?;
    let forgotten = forgotten.map_err(Failure::user)?;
    let folder = media_folder(&config);
    let files = media::forget(&folder, user).map_err(|error| {
        let at = folder.display();
        Failure::user(format_args!("files of user {user} below {at} are not deleted: {error}"))
            .hint("everything else is deleted; run it again for the files")
    })?;
    tell(args, forgotten, files);
    Ok(())
}

fn tell(args: &ForgetArgs, forgotten: Forgotten, files: u64) {
    let Forgotten { messages, parts, turns, events, pairings, bindings } = forgotten;
    let deleted = [
        ("messages", messages, "messages that came in"),
        ("answers", parts, "messages of answers"),
        ("turns", turns, "lines of conversations"),
        ("events", events, "events"),
        ("pairings", pairings, "pairing requests and approvals"),
        ("bindings", bindings, "bindings of direct messages"),
        ("files", files, "messages' files"),
    ];
    if args.json {
        let counts: serde_json::Map<_, _> =
            deleted.iter().map(|(kind, count, _)| ((*kind).to_owned(), json!(count))).collect();
        let told = json!({ "user": args.user, "deleted": counts });
        printer::result(format_args!("{told:#}"));
        return;
    }
    printer::result(format_args!("of user {} was deleted:", args.user));
    for (_, count, words) in deleted {
        printer::result(format_args!("{count:>8}  {words}"));
    }
}
