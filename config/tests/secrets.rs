//! Secrets that are kept elsewhere: in variables, files and programs; who may be asked, what is
//! said when they have nothing, and that nothing of them is shown.

#![cfg(unix)]

use std::{
    collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command,
    time::Instant,
};

use clawvoice_config::{Config, ConfigErrors, ExecRefs, Warning, check, parse};
use insta::assert_snapshot;
use secrecy::ExposeSecret;
use tempfile::TempDir;

/// A folder with a configuration, files and programs.
struct Scene(TempDir);

impl Scene {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn put(&self, name: &str, text: &str, mode: u32) -> String {
        let path = self.0.path().join(name);
        // Copied by another process: a file that any of ours has open for writing, be it only a
        // child of another test about to begin, cannot be run.
        let beside = self.0.path().join(format!("{name}.new"));
        fs::write(&beside, text).expect("the file is written");
        let copied = Command::new("cp").arg(&beside).arg(&path).status();
        assert!(copied.is_ok_and(|status| status.success()), "{name} is not copied");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("the mode is set");
        path.display().to_string()
    }

    fn read(&self, text: &str) -> Result<Config, ConfigErrors> {
        let env = BTreeMap::from([
            ("ALLOWED".to_owned(), "from.env".to_owned()),
            ("PASSED".to_owned(), "passed.on".to_owned()),
            ("NOT_PASSED".to_owned(), "kept".to_owned()),
        ]);
        parse(text, &self.0.path().join("claw.json5"), &env)
    }

    /// With the token by a reference and one provider named `vault`.
    fn by(&self, source: &str, id: &str, provider: &str) -> Result<String, String> {
        let text = format!(
            "{{ secrets: {{ providers: {{ vault: {{ source: '{source}', {provider} }} }} }},\n  \
             channels: {{ discord: {{\n  token: {{ source: '{source}', provider: 'vault', id: \
             '{id}' }} }} }} }}"
        );
        let folder = self.0.path().display().to_string();
        match self.read(&text) {
            Ok(config) => {
                let token = config.discord.token.clone().expect("the account is on");
                assert!(!format!("{config:?}").contains(token.expose_secret()), "it is shown");
                Ok(token.expose_secret().to_owned())
            }
            Err(errors) => Err(errors.to_string().replace(&folder, "FOLDER")),
        }
    }
}

/// What is wrong, without the place and the advice.
fn why(outcome: Result<String, String>) -> String {
    let told = outcome.expect_err("it was resolved");
    let line = told.lines().next().unwrap_or_default();
    line.rsplit_once("cannot be resolved: ").map_or(line, |(_, why)| why).to_owned()
}

#[test]
fn a_file_of_json_is_pointed_into() {
    let scene = Scene::new();
    let text = r#"{ "discord": { "token": "tok.file", "number": 5 }, "a/b": "slashed", "e": "" }"#;
    scene.put("s.json", text, 0o600);
    let at = |id: &str| scene.by("file", id, "path: 's.json'");
    assert_eq!(at("/discord/token").as_deref(), Ok("tok.file"));
    assert_eq!(at("/a~1b").as_deref(), Ok("slashed"));
    assert_eq!(why(at("/discord/number")), "what stands there is no text");
    assert_eq!(why(at("/nowhere")), "nothing stands there");
    assert_eq!(why(at("/e")), "it is empty");
    assert_snapshot!(at("/nowhere").unwrap_err(), @r#"
    FOLDER/claw.json5:3:10: channels.discord.token: the secret "/nowhere" of secrets.providers.vault cannot be resolved: nothing stands there
    3 |   token: { source: 'file', provider: 'vault', id: '/nowhere' } } } }
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    hint: see `secrets.providers.vault`
    "#);
}

#[test]
fn a_file_can_be_the_secret() {
    let scene = Scene::new();
    scene.put("token", "tok.whole\n", 0o600);
    let at = |id: &str| scene.by("file", id, "path: 'token', mode: 'singleValue'");
    assert_eq!(at("value").as_deref(), Ok("tok.whole"));
    assert_eq!(why(at("/x")), "of a file that is the secret, the id is `value`");
}

#[test]
fn a_file_that_others_can_read_is_refused() {
    let scene = Scene::new();
    scene.put("token", "tok.open", 0o640);
    let provider = "path: 'token', mode: 'singleValue'";
    let told = why(scene.by("file", "value", provider));
    assert_eq!(told, "others may read it; run: chmod 600 FOLDER/token");
    let anyway = format!("{provider}, allowInsecurePath: true");
    assert_eq!(scene.by("file", "value", &anyway).as_deref(), Ok("tok.open"));
}

#[test]
fn a_file_that_is_too_large_missing_or_no_file_is_refused() {
    let scene = Scene::new();
    scene.put("token", &"x".repeat(11), 0o600);
    let provider = "mode: 'singleValue', maxBytes: 10, path:";
    assert_eq!(
        why(scene.by("file", "value", &format!("{provider} 'token'"))),
        "it is larger than 10 bytes"
    );
    assert_eq!(why(scene.by("file", "value", &format!("{provider} '.'"))), "it is no file");
    assert!(why(scene.by("file", "value", &format!("{provider} 'gone'"))).contains("No such file"));
}

#[test]
fn bad_json_is_not_quoted() {
    let scene = Scene::new();
    scene.put("s.json", "{\n\"token\": tok-secret }", 0o600);
    let told = scene.by("file", "/token", "path: 's.json'").unwrap_err();
    assert!(told.contains("line 2 of the file is not JSON") && !told.contains("tok-secret"));
}

#[test]
fn an_allowlist_names_the_variables() {
    let scene = Scene::new();
    assert_eq!(scene.by("env", "ALLOWED", "allowlist: ['ALLOWED']").as_deref(), Ok("from.env"));
    assert_eq!(
        why(scene.by("env", "PASSED", "allowlist: ['ALLOWED']")),
        "the provider's allowlist does not name it"
    );
}

#[test]
fn a_provider_must_be_there_and_of_the_source() {
    let scene = Scene::new();
    let told = |source: &str, provider: &str, id: &str| {
        let text = format!(
            "{{ secrets: {{ providers: {{ vault: {{ source: 'env' }} }} }}, channels: {{ discord: \
             {{ token: {{ source: '{source}', provider: '{provider}', id: '{id}' }} }} }} }}"
        );
        why(scene.read(&text).map(|_| String::new()).map_err(|errors| errors.to_string()))
    };
    assert_eq!(told("env", "other", "X"), "there is no such provider");
    assert_eq!(told("file", "vault", "/x"), "the provider is not of source \"file\"");
    assert!(told("env", "Vault!", "X").ends_with("not the name of a provider"));
    assert!(told("exec", "vault", "../x").ends_with("not an id for a program"));
}

/// Answers with the id in capitals, the arguments and the environment.
const PROGRAM: &str = r#"#!/bin/sh
request=$(cat)
case "$request" in *'"protocolVersion":1'*) ;; *) exit 9 ;; esac
case "$request" in *'"provider":"vault"'*) ;; *) exit 8 ;; esac
printf '{"values":{"op://a/b":"%s-%s-%s"}}' "$1" "$PASSED" "$NOT_PASSED"
"#;

#[test]
fn a_program_is_asked_in_json_without_a_shell_and_with_no_more_of_the_environment() {
    let scene = Scene::new();
    let program = scene.put("op", PROGRAM, 0o700);
    let provider = format!("command: '{program}', args: ['$(x)'], passEnv: ['PASSED']");
    assert_eq!(scene.by("exec", "op://a/b", &provider).as_deref(), Ok("$(x)-passed.on-"));
    let told = why(scene.by("exec", "op://a/c", &provider));
    assert_eq!(told, "the program's answer does not hold it");
}

#[test]
fn a_program_is_asked_once_a_secret() {
    let scene = Scene::new();
    let log = scene.0.path().join("log");
    let text = format!(
        "#!/bin/sh\necho x >> '{}'\nprintf '{{\"values\":{{\"a\":\"key.op\"}}}}'\n",
        log.display()
    );
    let program = scene.put("op", &text, 0o700);
    let reference = "{ source: 'exec', provider: 'vault', id: 'a' }";
    let text = format!(
        "{{ secrets: {{ providers: {{ vault: {{ source: 'exec', command: '{program}' }} }} }}, \
         channels: {{ discord: {{ token: {reference}, accounts: {{ a: {{}}, b: {{}} }}, voice: {{ \
         realtime: {{ providers: {{ openai: {{ apiKey: {reference} }} }} }} }} }} }} }}"
    );
    scene.read(&text).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(fs::read_to_string(log).unwrap(), "x\n");
}

#[test]
fn a_program_that_fails_says_so_but_not_what_it_wrote() {
    let scene = Scene::new();
    for (body, told) in [
        ("echo tok-secret; exit 3", "the program failed (exit status: 3)"),
        ("echo tok-secret", "its answer is not JSON"),
        ("printf '{\"errors\":{\"a\":{\"message\":\"locked\"}}}'", "the program says: locked"),
        ("printf '{\"values\":{\"a\":\"\"}}'", "the program's answer does not hold it"),
        ("head -c 200 /dev/zero", "its answer is larger than 100 bytes"),
    ] {
        let program = scene.put("op", &format!("#!/bin/sh\n{body}\n"), 0o700);
        let provider = format!("command: '{program}', maxOutputBytes: 100");
        let outcome = scene.by("exec", "a", &provider);
        assert!(!outcome.clone().unwrap_err().contains("tok-secret"), "{body}");
        assert_eq!(why(outcome), told, "{body}");
    }
    let program = scene.put("op", "#!/bin/sh\necho plain\n", 0o700);
    let provider = format!("command: '{program}', jsonOnly: false");
    assert_eq!(scene.by("exec", "a", &provider).as_deref(), Ok("plain"));
}

#[test]
fn a_program_that_hangs_is_ended() {
    let scene = Scene::new();
    let program = scene.put("op", "#!/bin/sh\nexec sleep 600\n", 0o700);
    let started = Instant::now();
    let told = why(scene.by("exec", "a", &format!("command: '{program}', timeoutMs: 50")));
    assert_eq!(told, "the program took longer than 50 ms");
    assert!(started.elapsed().as_secs() < 300, "it was waited for");
}

#[test]
fn a_program_must_be_where_and_what_it_is_said_to_be() {
    let scene = Scene::new();
    let program = scene.put("op", "#!/bin/sh\nprintf '{\"values\":{\"a\":\"key.op\"}}'\n", 0o700);
    let link = scene.0.path().join("link");
    std::os::unix::fs::symlink(&program, &link).expect("a link");
    let link = link.display();
    let folder = scene.0.path().display();
    let by = |provider: &str| scene.by("exec", "a", provider);
    assert_eq!(
        why(by(&format!("command: '{link}'"))),
        "FOLDER/link is a symbolic link; see `allowSymlinkCommand`"
    );
    assert_eq!(
        by(&format!("command: '{link}', allowSymlinkCommand: true")).as_deref(),
        Ok("key.op")
    );
    let elsewhere = "allowSymlinkCommand: true, trustedDirs: ['/usr/local/nowhere']";
    assert_eq!(
        why(by(&format!("command: '{link}', {elsewhere}"))),
        "FOLDER/op is in none of `trustedDirs`"
    );
    assert_eq!(
        by(&format!("command: '{program}', trustedDirs: ['{folder}']")).as_deref(),
        Ok("key.op")
    );
    assert!(by("command: 'op'").unwrap_err().contains("not an absolute path"));
    let open = scene.put("open", "#!/bin/sh\n", 0o777);
    assert_eq!(
        why(by(&format!("command: '{open}'"))),
        "others may change it; run: chmod go-w FOLDER/open"
    );
}

#[test]
fn references_where_nothing_is_used_are_left_alone_with_a_warning() {
    let scene = Scene::new();
    let reference = "{ source: 'env', id: 'UNSET' }";
    for off in [
        format!("enabled: false, token: {reference}"),
        format!("token: 'a', pluralkit: {{ token: {reference} }}"),
        format!("token: 'a', accounts: {{ a: {{}}, b: {{ enabled: false, token: {reference} }} }}"),
        format!(
            "token: 'a', voice: {{ enabled: false, realtime: {{ providers: {{ openai: {{ apiKey: \
             {reference} }} }} }} }}"
        ),
    ] {
        let config = scene.read(&format!("{{ channels: {{ discord: {{ {off} }} }} }}"));
        let config = config.unwrap_or_else(|errors| panic!("{off}\n{errors}"));
        let told: Vec<String> = config.warnings.iter().map(Warning::to_string).collect();
        assert_eq!(told.len(), 1, "{off}: {told:?}");
        assert!(told[0].contains("SECRETS_REF_IGNORED_INACTIVE_SURFACE"), "{told:?}");
    }
    // A root's token that every account replaces is used by nobody.
    let text = format!(
        "{{ channels: {{ discord: {{ token: {reference}, accounts: {{ a: {{ token: 'x' }} }} }} }} }}"
    );
    assert!(scene.read(&text).is_ok());
}

#[test]
fn a_token_that_cannot_be_resolved_does_not_fall_through() {
    let env = BTreeMap::from([("DISCORD_BOT_TOKEN".to_owned(), "env.t".to_owned())]);
    let text = "{ channels: { discord: { token: { source: 'env', id: 'UNSET' } } } }";
    let errors = parse(text, Path::new("c"), &env).unwrap_err();
    assert!(errors.to_string().contains("environment variable UNSET is not set"), "{errors}");
    assert!(errors.iter().all(|error| error.problem.is_resolvability()));
}

#[test]
fn programs_can_be_left_alone_and_are_counted() {
    let text = "{ secrets: { providers: { vault: { source: 'exec', command: '/nowhere/op' } } }, \
                channels: { discord: { token: { source: 'exec', provider: 'vault', id: 'a' } } } }";
    let nothing: BTreeMap<String, String> = BTreeMap::new();
    let checked = check(text, Path::new("c"), &nothing, ExecRefs::Skip);
    assert!(checked.outcome.is_ok());
    assert_eq!((checked.refs_checked, checked.refs_skipped), (1, 1));
    assert!(parse(text, Path::new("c"), &nothing).is_err());
}
