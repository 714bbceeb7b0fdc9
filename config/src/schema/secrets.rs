//! The top-level `secrets`: who keeps secrets for this file.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    cursor::Section,
    describe::Kind,
    exec::Program,
    field::Field,
    schema::path,
    secret::{is_provider_name, is_variable_name},
    vault::{FileProvider, Provider, SecretSource},
};

const MIB: u32 = 1024 * 1024;

/// Read before everything else, so that references can be resolved where they stand.
pub(crate) fn read(section: &Section<'_, '_>) -> BTreeMap<String, Provider> {
    let providers = section.section("providers");
    providers.finish_leniently();
    let mut read = BTreeMap::new();
    for (name, field) in providers.entries() {
        if !is_provider_name(&name) && !field.is_described() {
            field.refuse(
                "its key is not the name of a provider",
                "small letters, digits, `-` and `_`, at most 64, beginning with a letter",
            );
            continue;
        }
        if let Some(provider) = provider(&field.section()) {
            read.insert(name, provider);
        }
    }
    resolution(&section.section("resolution"));
    section.leave_alone(&["defaults"]);
    section.warn_near_asked();
    read
}

/// Bounds that OpenClaw has. References are resolved one after the other, so they are never met.
fn resolution(section: &Section<'_, '_>) {
    section.whole("maxProviderConcurrency", 1, 16);
    section.whole("maxRefsPerProvider", 1, 4_096);
    section.whole("maxBatchBytes", 1, 5 * MIB);
    section.finish_leniently();
}

fn provider(section: &Section<'_, '_>) -> Option<Provider> {
    let source = section.choice(
        "source",
        &[("env", SecretSource::Env), ("file", SecretSource::File), ("exec", SecretSource::Exec)],
    );
    if section.is_describing() {
        env(section);
        file(section);
        program(section);
        return None;
    }
    let provider = match source {
        Some(SecretSource::Env) => env(section),
        Some(SecretSource::File) => file(section)?,
        Some(SecretSource::Exec) => program(section)?,
        None => {
            if !section.has("source") {
                section.fail_missing("source", "write \"env\", \"file\" or \"exec\"");
            }
            return None;
        }
    };
    section.finish();
    Some(provider)
}

fn env(section: &Section<'_, '_>) -> Provider {
    let allowlist = section.list("allowlist").map(|list| {
        if let Some(item) = list.get(256) {
            item.refuse("more than 256 names", "name the variables that are needed");
        }
        list.iter().filter_map(variable).collect()
    });
    Provider::Env { allowlist }
}

fn variable(item: &Field<'_, '_>) -> Option<String> {
    let name = item.text()?;
    if !is_variable_name(&name) {
        item.refuse(SecretSource::Env.id_problem(), SecretSource::Env.id_hint());
        return None;
    }
    Some(name)
}

fn file(section: &Section<'_, '_>) -> Option<Provider> {
    let at = section.field("path").and_then(|field| path(&field));
    if !section.has("path") {
        section.fail_missing("path", "name the file with the secrets");
    }
    let single = section.choice("mode", &[("json", false), ("singleValue", true)]);
    section.or("mode", single.map(|_| "json"), "json");
    // Reading a file of this size takes no time worth a limit.
    section.whole_or("timeoutMs", 1, 120_000, 5_000);
    let file = FileProvider {
        path: at.unwrap_or_default(),
        single: single.unwrap_or(false),
        max_bytes: section.whole_or("maxBytes", 1, 20 * MIB, MIB).into(),
        allow_insecure: section.bool_or("allowInsecurePath", false),
    };
    section.has("path").then_some(Provider::File(file))
}

fn program(section: &Section<'_, '_>) -> Option<Provider> {
    let command = section.field("command").and_then(|field| absolute(&field));
    if !section.has("command") {
        section.fail_missing("command", "the program's absolute path");
    }
    let texts = |key| section.texts(key).unwrap_or_default();
    let trusted = section.list("trustedDirs").unwrap_or_default();
    let passed = section.list("passEnv").unwrap_or_default();
    let program = Program {
        args: texts("args"),
        pass_env: passed.iter().filter_map(Field::text).collect(),
        trusted_dirs: trusted.iter().filter_map(absolute).collect(),
        allow_symlink: section.bool_or("allowSymlinkCommand", false),
        allow_insecure: section.bool_or("allowInsecurePath", false),
        timeout: Duration::from_millis(section.whole_or("timeoutMs", 1, 120_000, 5_000).into()),
        max_bytes: section.whole_or("maxOutputBytes", 1, 20 * MIB, MIB).into(),
        json_only: section.bool_or("jsonOnly", true),
        command: command?,
    };
    section.leave_alone(&["noOutputTimeoutMs"]);
    Some(Provider::Exec(program))
}

fn absolute(field: &Field<'_, '_>) -> Option<std::path::PathBuf> {
    let text = field.text();
    field.declare(|| Kind::Other("an absolute path"));
    let text = text?;
    if !std::path::Path::new(&text).is_absolute() {
        field.refuse("not an absolute path", "as in \"/usr/local/bin/op-read\"");
        return None;
    }
    Some(text.into())
}
