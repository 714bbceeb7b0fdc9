//! `clawvoice config`: checks, explains and changes the configuration.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use clawvoice_config::{
    ConfigError, ConfigErrors, ExecRefs, Explanation, Kind, ProcessEnv, REDACTED, check,
    declarations,
    edit::{self, DryRun, Edit, KeyPath, Payload, Step, Unwritten},
    explain, locate,
};
use serde_json::{Value, json};

use crate::{
    cli::config::{ConfigAction, ConfigArgs, PatchArgs},
    printer::{self, Failure},
};

/// Most bytes of a patch on stdin.
const MOST_PATCH: u64 = 5 * 1024 * 1024;

/// Runs the command.
pub(crate) fn run(args: &ConfigArgs) -> Result<(), Failure> {
    if let ConfigAction::Schema = args.action {
        print_json(&declarations().json_schema());
        return Ok(());
    }
    let file = located(args.file.config.as_deref())?;
    match &args.action {
        ConfigAction::Schema => Ok(()),
        ConfigAction::Check { allow_exec } => check_file(&file, *allow_exec, args.json),
        ConfigAction::Explain { path } => explain_key(&file, path, args.json),
        ConfigAction::Get { path } => get(&file, path, args.json),
        ConfigAction::Set { path, value } => set(&file, path, value, args.json),
        ConfigAction::Unset { path } => {
            change(&file, &Edit::Unset { path: path.clone() }, args.json)
        }
        ConfigAction::Patch(patch) => self::patch(&file, patch, args.json),
    }
}

/// The file that is given, else the one in its usual place.
pub(crate) fn located(given: Option<&Path>) -> Result<PathBuf, Failure> {
    locate(given, &ProcessEnv).map_err(|none| Failure::user(&none).hint(none.hint()))
}

fn read(file: &Path) -> Result<String, Failure> {
    let shown = file.display();
    let bytes = std::fs::read(file).map_err(|error| {
        Failure::user(format_args!("{shown}: the file cannot be read: {error}"))
            .hint("name yours with --config, or run `clawvoice init` to write one")
    })?;
    String::from_utf8(bytes).map_err(|_| {
        Failure::user(format_args!("{shown}: the file is not UTF-8 text"))
            .hint("save the file as UTF-8")
    })
}

fn check_file(file: &Path, allow_exec: bool, as_json: bool) -> Result<(), Failure> {
    let text = read(file)?;
    let exec = if allow_exec { ExecRefs::Run } else { ExecRefs::Skip };
    let checked = check(&text, file, &ProcessEnv, exec);
    let skipped = checked.refs_skipped;
    let warnings = match &checked.outcome {
        Ok(config) => config.warnings.as_slice(),
        Err(_) => &[],
    };
    if as_json {
        print_json(&json!({
            "ok": checked.outcome.is_ok(),
            "configPath": file.display().to_string(),
            "errors": match &checked.outcome {
                Ok(_) => Vec::new(),
                Err(errors) => errors.iter().map(error_json).collect(),
            },
            "warnings": warnings.iter().map(|warning| json!({
                "line": warning.at.line,
                "column": warning.at.column,
                "path": warning.path,
                "message": warning.message,
            })).collect::<Vec<Value>>(),
            "refsChecked": checked.refs_checked,
            "skippedExecRefs": skipped,
        }));
        return checked.outcome.map(drop).map_err(|errors| refused(file, &errors));
    }
    for warning in warnings {
        printer::progress(format_args!("warning: {warning}"));
    }
    let config = checked.outcome.map_err(Failure::user)?;
    let accounts: Vec<String> = config
        .accounts
        .iter()
        .map(|account| match account.disabled {
            Some(why) => format!("{} ({why})", account.id),
            None => account.id.clone(),
        })
        .collect();
    printer::result(format_args!("{}: good; accounts: {}", file.display(), accounts.join(", ")));
    if skipped > 0 {
        printer::progress(format_args!(
            "{skipped} secrets come from programs, which were not run; --allow-exec runs them"
        ));
    }
    Ok(())
}

fn refused(file: &Path, errors: &ConfigErrors) -> Failure {
    let count = errors.iter().len();
    let things = if count == 1 { "mistake" } else { "mistakes" };
    Failure::user(format_args!("{}: {count} {things}", file.display()))
}

fn error_json(error: &ConfigError) -> Value {
    json!({
        "kind": if error.problem.is_resolvability() { "resolvability" } else { "schema" },
        "line": error.at.map(|at| at.line),
        "column": error.at.map(|at| at.column),
        "path": error.path,
        "message": error.problem.to_string(),
        "hint": error.hint,
    })
}

fn explain_key(file: &Path, path: &str, as_json: bool) -> Result<(), Failure> {
    let text = read(file)?;
    let checked = check(&text, file, &ProcessEnv, ExecRefs::Skip);
    let found = explain(&declarations(), &checked.origins, path)
        .map_err(|unknown| Failure::user(&unknown).hint(unknown.hint()))?;
    if as_json {
        print_json(&found.iter().map(explanation_json).collect());
    } else if let [only] = found.as_slice() {
        printer::result(in_full(only));
    } else {
        for one in &found {
            let source = one.source.as_deref().unwrap_or("unset");
            printer::result(format_args!("{} = {}  ({source})", one.path, shown(&one.value)));
        }
    }
    if let Err(errors) = &checked.outcome {
        printer::progress(format_args!(
            "\nThe file is not good as it is ({} mistakes); see `clawvoice config check`.",
            errors.iter().len()
        ));
    }
    Ok(())
}

fn in_full(one: &Explanation) -> String {
    let mut lines = vec![one.path.clone(), format!("  value    {}", shown(&one.value))];
    if let Some(source) = &one.source {
        lines.push(format!("  from     {source}"));
    }
    if let Some(default) = &one.default {
        lines.push(format!("  default  {default}"));
    }
    if let Some(kind) = &one.kind {
        lines.push(format!("  takes    {kind}"));
    }
    if let Some(new) = &one.legacy_of {
        lines.push(format!("  old name of {new}"));
    }
    lines.join("\n")
}

fn shown(value: &Option<Value>) -> String {
    match value {
        Some(Value::String(text)) if text == REDACTED => text.clone(),
        Some(value) => value.to_string(),
        None => "unset".to_owned(),
    }
}

fn explanation_json(one: &Explanation) -> Value {
    json!({
        "path": one.path,
        "value": one.value,
        "source": one.source,
        "default": one.default,
        "takes": one.kind.as_ref().map(Kind::to_string),
        "legacyOf": one.legacy_of,
    })
}

fn get(file: &Path, path: &KeyPath, as_json: bool) -> Result<(), Failure> {
    let text = read(file)?;
    let found = edit::get(&text, file, path).map_err(Failure::user)?;
    match found {
        Some(Value::String(text)) if !as_json => printer::result(text),
        Some(value) => print_json(&value),
        None => {
            return Err(Failure::user(format_args!("{path} is not in {}", file.display()))
                .hint(format_args!("`clawvoice config explain {path}` shows what it is then")));
        }
    }
    Ok(())
}

fn set(file: &Path, path: &KeyPath, value: &str, as_json: bool) -> Result<(), Failure> {
    let value = payload(path, value)?;
    change(file, &Edit::Set { path: path.clone(), value }, as_json)
}

/// What is no JSON5 is a text, and so is a number where a text or an id belongs.
pub(crate) fn payload(path: &KeyPath, value: &str) -> Result<Payload, Failure> {
    let declared = declarations();
    let kind = declared.of(&path.to_string()).and_then(|(_, known)| known.kind.clone());
    let parsed = Payload::json5(value, Path::new("VALUE")).ok();
    let wants_text = matches!(kind, Some(Kind::Text | Kind::Id | Kind::Secret));
    let parsed = match parsed {
        Some(parsed)
            if wants_text && !parsed.value().is_string() && !parsed.value().is_object() =>
        {
            Payload::text(value)
        }
        Some(parsed) => parsed,
        None => Payload::text(value),
    };
    let key = match path.steps().last() {
        Some(Step::Key(key)) => key.as_str(),
        _ => "",
    };
    if edit::redacted(key, parsed.value().clone()) != *parsed.value() {
        return Err(Failure::user(
            "a secret on the command line is seen by everybody on the machine",
        )
        .hint(format_args!(
            "name a variable, as in: clawvoice config set {path} '${{DISCORD_BOT_TOKEN}}'; or \
                 use `clawvoice config patch --stdin`"
        )));
    }
    Ok(parsed)
}

fn patch(file: &Path, args: &PatchArgs, as_json: bool) -> Result<(), Failure> {
    let (text, name) = match &args.file {
        Some(patch) => (read(patch)?, patch.clone()),
        None => {
            let mut text = String::new();
            std::io::stdin()
                .take(MOST_PATCH)
                .read_to_string(&mut text)
                .map_err(|error| Failure::user(format_args!("stdin cannot be read: {error}")))?;
            (text, PathBuf::from("stdin"))
        }
    };
    let payload = Payload::json5(&text, &name).map_err(Failure::user)?;
    let edit = Edit::Merge { payload, replace: args.replace_path.clone() };
    if !args.dry_run {
        return change(file, &edit, as_json);
    }
    let before = edit::read_for_edit(file).map_err(unwritten)?;
    let edited = edit::apply(&before, file, &edit);
    let exec = if args.allow_exec { ExecRefs::Run } else { ExecRefs::Skip };
    let report = DryRun::of(file, &edited, "json", &ProcessEnv, exec);
    if as_json {
        print_json(&report.json());
    } else {
        for error in &report.errors {
            printer::result(format_args!("{}: {}\n", error.kind.as_str(), error.message));
        }
        printer::result(format_args!(
            "{} values would change in {}; secrets: {} looked at, {} left to programs",
            report.operations,
            file.display(),
            report.refs_checked,
            report.refs_skipped
        ));
    }
    if report.is_ok() {
        return Ok(());
    }
    Err(Failure::user("the patch would be refused"))
}

/// Makes a change and writes the file.
fn change(file: &Path, edit: &Edit, as_json: bool) -> Result<(), Failure> {
    let before = edit::read_for_edit(file).map_err(unwritten)?;
    let edited = edit::apply(&before, file, edit).map_err(Failure::user)?;
    let written = edit::write(file, &before, &edited.text, &ProcessEnv).map_err(unwritten)?;
    if let Some(errors) = &written.unresolved {
        for error in errors.iter() {
            printer::progress(format_args!("warning: {}: {}", error.path, error.problem));
        }
    }
    let backup = written.backup.as_ref().map(|path| path.display().to_string());
    if as_json {
        print_json(&json!({
            "ok": true,
            "configPath": file.display().to_string(),
            "operations": edited.operations,
            "backup": backup,
        }));
        return Ok(());
    }
    let things = if edited.operations == 1 { "value" } else { "values" };
    printer::result(format_args!("{}: {} {things} changed", file.display(), edited.operations));
    if let Some(backup) = backup {
        printer::progress(format_args!("the file as it was: {backup}"));
    }
    Ok(())
}

fn unwritten(why: Unwritten) -> Failure {
    match why {
        Unwritten::Invalid { errors, rejected: Some(rejected) } => Failure::user(errors)
            .hint(format_args!("nothing was written; what was refused: {}", rejected.display())),
        Unwritten::Invalid { errors, rejected: None } => Failure::user(errors),
        Unwritten::Symlink(_) => Failure::user(why).hint("name the file itself with --config"),
        Unwritten::Changed(_) => Failure::user(why).hint("try it again"),
        Unwritten::Io { .. } => Failure::user(why).hint("look at who may write there"),
    }
}

fn print_json(value: &Value) {
    // Values of strings and numbers always have a form.
    printer::result(serde_json::to_string_pretty(value).unwrap_or_default());
}
