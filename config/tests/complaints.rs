//! Every kind of complaint, letter for letter as a person reads it.

use std::{collections::BTreeMap, path::Path};

use clawvoice_config::{ConfigErrors, Problem, load, parse};
use insta::assert_snapshot;

fn env() -> BTreeMap<String, String> {
    BTreeMap::from([("DISCORD_BOT_TOKEN".to_owned(), "from.the.environment".to_owned())])
}

fn complaint(text: &str) -> ConfigErrors {
    parse(text, Path::new("claw.json5"), &env()).expect_err("the file was taken")
}

/// Complaints about the body of `channels.discord.voice`.
fn voice(body: &str) -> ConfigErrors {
    complaint(&format!("{{ channels: {{ discord: {{ voice: {{\n  {body}\n}} }} }} }}"))
}

#[test]
fn a_missing_file() {
    let error = load(Path::new("/nowhere/claw.json5"), &env()).expect_err("there is no such file");
    assert_snapshot!(error, @r"
    /nowhere/claw.json5: there is no such file

    hint: name your file with --config, or run `clawvoice init` to write one
    ");
}

#[test]
fn an_unreadable_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let error = load(folder.path(), &env()).expect_err("a folder is no file");
    let text = error.to_string().replace(&folder.path().display().to_string(), "FOLDER");
    assert_snapshot!(text, @r"
    FOLDER: the file cannot be read: it is a folder

    hint: name the file in it
    ");
}

#[test]
fn a_file_that_is_not_utf8() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("latin1.json5");
    std::fs::write(&path, b"{\n  a: \"\xe9\" }").expect("the file is written");
    let error = load(&path, &env()).expect_err("Latin-1 is not UTF-8");
    let text = error.to_string().replace(&folder.path().display().to_string(), "FOLDER");
    assert_snapshot!(text, @r#"
    FOLDER/latin1.json5:2:7: the file is not UTF-8 text: byte 0xe9 at offset 8
    2 |   a: "
      |       ^

    hint: save the file as UTF-8
    "#);
}

#[test]
fn an_empty_file() {
    assert_snapshot!(complaint("// nothing\n"), @r"
    claw.json5:1:1: the file is empty, expected an object
    1 | // nothing
      | ^

    hint: the smallest file is `{ channels: { discord: { voice: {} } } }`
    ");
}

#[test]
fn a_missing_comma() {
    assert_snapshot!(complaint("{\n  a: 1\n  b: 2\n}"), @r"
    claw.json5:2:7: not valid JSON5: expected comma
    2 |   a: 1
      |       ^

    hint: put a comma between this and the next
    ");
}

#[test]
fn an_open_brace() {
    assert_snapshot!(complaint("{ channels: {"), @r"
    claw.json5:1:13: not valid JSON5: unterminated object
    1 | { channels: {
      |             ^

    hint: the `{` that opens here is never closed
    ");
}

#[test]
fn a_top_that_is_no_object() {
    assert_snapshot!(complaint("[1]"), @r"
    claw.json5:1:1: expected an object `{ … }` at the top
    1 | [1]
      | ^^^
    ");
}

#[test]
fn a_wrong_type() {
    assert_snapshot!(voice("connectTimeoutMs: \"30s\","), @r#"
    claw.json5:2:21: channels.discord.voice.connectTimeoutMs: expected a whole number, got a string
    2 |   connectTimeoutMs: "30s",
      |                     ^^^^^
    "#);
}

#[test]
fn a_fraction_where_whole_numbers_belong() {
    assert_snapshot!(voice("captureSilenceGraceMs: 2.5,"), @r"
    claw.json5:2:26: channels.discord.voice.captureSilenceGraceMs: expected a whole number, got a fraction
    2 |   captureSilenceGraceMs: 2.5,
      |                          ^^^
    ");
}

#[test]
fn out_of_bounds() {
    assert_snapshot!(voice("realtime: { minBargeInAudioEndMs: 20000 },"), @r"
    claw.json5:2:37: channels.discord.voice.realtime.minBargeInAudioEndMs: must be between 0 and 10000, got 20000
    2 |   realtime: { minBargeInAudioEndMs: 20000 },
      |                                     ^^^^^
    ");
}

#[test]
fn an_empty_text() {
    assert_snapshot!(voice("model: \" \","), @r#"
    claw.json5:2:10: channels.discord.voice.model: must not be empty
    2 |   model: " ",
      |          ^^^

    hint: write a value, or leave the key out
    "#);
}

#[test]
fn an_unknown_word() {
    assert_snapshot!(voice("mode: \"bidy\","), @r#"
    claw.json5:2:9: channels.discord.voice.mode: expected one of agent-proxy, bidi, stt-tts, got "bidy"
    2 |   mode: "bidy",
      |         ^^^^^^

    hint: did you mean "bidi"?
    "#);
}

#[test]
fn an_unknown_key_with_a_near_name() {
    assert_snapshot!(voice("realtime: { minBargeInAudioMs: 0 },"), @r"
    claw.json5:2:15: channels.discord.voice.realtime.minBargeInAudioMs: unknown key
    2 |   realtime: { minBargeInAudioMs: 0 },
      |               ^^^^^^^^^^^^^^^^^

    hint: did you mean `minBargeInAudioEndMs`?
    ");
}

#[test]
fn an_unknown_key_that_belongs_elsewhere() {
    assert_snapshot!(voice("bargeIn: true,"), @r"
    claw.json5:2:3: channels.discord.voice.bargeIn: unknown key
    2 |   bargeIn: true,
      |   ^^^^^^^

    hint: `bargeIn` belongs under `channels.discord.voice.realtime`
    ");
}

#[test]
fn a_key_given_twice() {
    assert_snapshot!(voice("mode: \"bidi\", mode: \"stt-tts\","), @r#"
    claw.json5:2:17: channels.discord.voice.mode: this key is given twice
    2 |   mode: "bidi", mode: "stt-tts",
      |                 ^^^^

    hint: keep one of the two
    "#);
}

#[test]
fn a_missing_key() {
    assert_snapshot!(voice("autoJoin: [{ guildId: \"7\" }],"), @r#"
    claw.json5:2:14: channels.discord.voice.autoJoin[0].channelId: is required
    2 |   autoJoin: [{ guildId: "7" }],
      |              ^

    hint: write `{ guildId: "…", channelId: "…" }`
    "#);
}

#[test]
fn an_id_too_large_for_a_number() {
    assert_snapshot!(voice("followUsers: [81384788765712384],"), @r#"
    claw.json5:2:17: channels.discord.voice.followUsers[0]: this number is too large to be kept exactly
    2 |   followUsers: [81384788765712384],
      |                 ^^^^^^^^^^^^^^^^^

    hint: put the id in quotes: "81384788765712384"
    "#);
}

#[test]
fn a_token_that_is_an_application_id_is_not_printed() {
    let error = complaint("{ channels: { discord: { token: \"123456789012345678\" } } }");
    assert_snapshot!(error, @r#"
    claw.json5:1:33: channels.discord.token: this is an application id, not a bot token
    1 | { channels: { discord: { token: "******************" } } }
      |                                 ^^^^^^^^^^^^^^^^^^^^

    hint: copy the token from the Bot page of your application
    "#);
}

#[test]
fn a_reference_to_an_unset_variable_does_not_fall_through() {
    let error = complaint("{ channels: { discord: { token: \"${MY_TOKEN}\" } } }");
    assert_eq!(
        error.iter().next().map(|error| &error.problem),
        Some(&Problem::UnsetVariable("MY_TOKEN".to_owned()))
    );
    assert_snapshot!(error.to_string().lines().last().unwrap_or_default(), @"hint: set it before starting: export MY_TOKEN=…");
}

#[test]
fn no_token_anywhere() {
    let error = parse("{ channels: { discord: {} } }", Path::new("claw.json5"), &BTreeMap::new())
        .expect_err("no token");
    assert_snapshot!(error, @r#"
    claw.json5:1:24: channels.discord.token: is required
    1 | { channels: { discord: {} } }
      |                        ^

    hint: set DISCORD_BOT_TOKEN, or write `token: "${DISCORD_BOT_TOKEN}"`; the token is on the Bot page of your application at https://discord.com/developers/applications
    "#);
}

#[test]
fn an_address_without_a_host() {
    let error = complaint("{ channels: { discord: { apiBaseUrl: \"localhost\" } } }");
    assert_snapshot!(error, @r#"
    claw.json5:1:38: channels.discord.apiBaseUrl: not the base URL of a Discord API
    1 | { channels: { discord: { apiBaseUrl: "localhost" } } }
      |                                      ^^^^^^^^^^^

    hint: scheme, host and port, as in "http://127.0.0.1:8080"
    "#);
}

#[test]
fn all_complaints_come_at_once_in_file_order() {
    let errors = voice("mode: 1, realtime: { bargeIn: 0, voice: \"\" }, modle: \"x\"");
    let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "channels.discord.voice.mode",
            "channels.discord.voice.realtime.bargeIn",
            "channels.discord.voice.realtime.voice",
            "channels.discord.voice.modle",
        ]
    );
}

#[test]
fn a_model_without_a_name() {
    assert_snapshot!(complaint("{ agents: { defaults: { model: { primary: \"openai/\" } } } }"), @r#"
    claw.json5:1:43: agents.defaults.model.primary: not a model's name
    1 | { agents: { defaults: { model: { primary: "openai/" } } } }
      |                                           ^^^^^^^^^

    hint: provider and model, as in "openai/gpt-5.5"
    "#);
    assert_snapshot!(complaint("{ agents: { defaults: { model: { fallbacks: [] } } } }"), @r#"
    claw.json5:1:32: agents.defaults.model.primary: is required
    1 | { agents: { defaults: { model: { fallbacks: [] } } } }
      |                                ^

    hint: the model to ask first, as in "openai/gpt-5.5"
    "#);
    assert_snapshot!(complaint("{ agents: { defaults: { model: 5 } } }"), @r"
    claw.json5:1:32: agents.defaults.model: expected a model's name, or `{ primary, fallbacks }`, got a number
    1 | { agents: { defaults: { model: 5 } } }
      |                                ^
    ");
}

#[test]
fn a_model_provider_with_mistakes() {
    assert_snapshot!(
        complaint(
            "{ models: { providers: { r: {\n  baseUrl: \"r.example\",\n  apiKey: \"${R_KEY}\",\n  \
             models: [{ name: \"x\", cost: { input: -1 } }] } } } }"
        ),
        @r#"
    claw.json5:2:12: models.providers.r.baseUrl: not the base URL of an API
    2 |   baseUrl: "r.example",
      |            ^^^^^^^^^^^

    hint: scheme, host and path, as in "https://api.openai.com/v1"

    claw.json5:3:11: models.providers.r.apiKey: environment variable R_KEY is not set
    3 |   apiKey: "********",
      |           ^^^^^^^^^^

    hint: set it before starting: export R_KEY=…

    claw.json5:4:12: models.providers.r.models[0].id: is required
    4 |   models: [{ name: "x", cost: { input: -1 } }] } } } }
      |            ^

    hint: the model's name at the provider, as in `id: "gpt-5.5"`

    claw.json5:4:40: models.providers.r.models[0].cost.input: must be between 0 and 1000000, got -1
    4 |   models: [{ name: "x", cost: { input: -1 } }] } } } }
      |                                        ^^
    "#
    );
}

#[test]
fn everybody_as_owner() {
    assert_snapshot!(complaint("{ commands: { ownerAllowFrom: [\"*\"] } }"), @r#"
    claw.json5:1:32: commands.ownerAllowFrom[0]: everybody cannot be an owner
    1 | { commands: { ownerAllowFrom: ["*"] } }
      |                                ^^^

    hint: list the owners' Discord ids
    "#);
}
