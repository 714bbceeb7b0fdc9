//! `clawvoice init`: writes a commented configuration to begin with.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clawvoice_config::{Env as _, ProcessEnv, edit, new_file};
use serde_json::json;

use crate::{
    cli::config::InitArgs,
    invite,
    printer::{self, Failure},
};

/// What is written.
const TEMPLATE: &str = include_str!("init.json5");

/// Environment variable with the bot token, of which only the application's id is read.
const TOKEN_VARIABLE: &str = "DISCORD_BOT_TOKEN";

/// Runs the command.
pub(crate) fn run(args: &InitArgs) -> Result<(), Failure> {
    let file = args.config.clone().unwrap_or_else(|| new_file(&ProcessEnv));
    if fs::symlink_metadata(&file).is_ok() && !args.force {
        return Err(Failure::user(format_args!("{} is there already", file.display()))
            .hint("--force writes a new one and keeps the old one beside it"));
    }
    make_folder(&file).map_err(|error| {
        Failure::user(format_args!("the folder of {} cannot be made: {error}", file.display()))
            .hint("name another place with --config")
    })?;
    let before = edit::read_for_edit(&file).map_err(Failure::user)?;
    let written = edit::write(&file, &before, TEMPLATE, &ProcessEnv).map_err(Failure::user)?;
    let token = ProcessEnv.var(TOKEN_VARIABLE);
    let application =
        args.application_id.or_else(|| token.as_deref().and_then(invite::application_of));
    let invite = application.map(invite::url);
    let next = next(&file, args.config.is_some());
    if args.json {
        printer::result(json!({
            "configPath": file.display().to_string(),
            "backup": written.backup.map(|path| path.display().to_string()),
            "inviteUrl": invite,
            "next": next,
        }));
        return Ok(());
    }
    printer::result(format_args!("wrote {}", file.display()));
    match invite {
        Some(url) => printer::result(format_args!("\ninvite the bot: {url}")),
        None => printer::result(
            "\nno application id: make one at https://discord.com/developers/applications, then \
             run this again with --application-id for the address that invites the bot",
        ),
    }
    printer::result("\nnext:");
    if token.is_none() {
        printer::result(format_args!("  export {TOKEN_VARIABLE}=…   # the bot's token"));
    }
    for command in next {
        printer::result(format_args!("  {command}"));
    }
    Ok(())
}

fn next(file: &Path, is_named: bool) -> [String; 2] {
    let named = match is_named {
        true => format!(" --config {}", file.display()),
        false => String::new(),
    };
    [format!("clawvoice config check{named}"), format!("clawvoice gateway{named}")]
}

/// A folder that only its owner can look into; one that is there stays as it is.
fn make_folder(file: &Path) -> io::Result<()> {
    let folder = file.parent().map(PathBuf::from).unwrap_or_default();
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_is_written_is_a_good_configuration() {
        let env = BTreeMap::from([(TOKEN_VARIABLE.to_owned(), "a.b.c".to_owned())]);
        let config = clawvoice_config::parse(TEMPLATE, Path::new("clawvoice.json5"), &env);
        let config = config.unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(config.warnings, []);
        assert!(config.discord.enabled && config.discord.voice.enabled);
    }

    #[test]
    fn what_is_commented_out_is_good_as_well() {
        let is_key = |line: &str| {
            let key = line.trim_start().strip_prefix("// ").and_then(|rest| rest.split_once(": "));
            let word = key.map(|(word, _)| word).unwrap_or_default();
            !word.is_empty() && word.chars().all(char::is_alphabetic) && line.contains('{')
                || word == "token"
        };
        let uncommented: Vec<String> = TEMPLATE
            .lines()
            .map(|line| if is_key(line) { line.replacen("// ", "", 1) } else { line.to_owned() })
            .collect();
        let text =
            uncommented.join("\n").replace("<your user id>", "1").replace("<server id>", "2");
        let env = BTreeMap::from([
            (TOKEN_VARIABLE.to_owned(), "a.b.c".to_owned()),
            ("OPENAI_API_KEY".to_owned(), "k".to_owned()),
        ]);
        let config = clawvoice_config::parse(&text, Path::new("clawvoice.json5"), &env);
        let config = config.unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        assert!(config.is_owner(1));
        assert!(config.discord.guild(2, None).is_some_and(|guild| guild.users.is_some()));
        assert_eq!(config.agent.models, ["openai/gpt-5.4-mini"]);
    }
}
