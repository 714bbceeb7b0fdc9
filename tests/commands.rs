//! `clawvoice config` and `clawvoice init` as programs: what they print, what they leave behind,
//! how they end.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// The application id 123456789012345678 and two parts that mean nothing.
const TOKEN: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4.aaaaaa.not-a-real-token";

/// A user with a home of their own.
struct User {
    home: TempDir,
    token: bool,
}

struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl User {
    fn new() -> Self {
        Self { home: tempfile::tempdir().expect("a temporary folder"), token: true }
    }

    fn with(config: &str) -> Self {
        let user = Self::new();
        fs::create_dir(user.home.path().join(".clawvoice")).expect("the folder is made");
        fs::write(user.file(), config).expect("the file is written");
        user
    }

    fn file(&self) -> PathBuf {
        self.home.path().join(".clawvoice/clawvoice.json5")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).expect("the file is there")
    }

    fn runs(&self, args: &[&str]) -> Ended {
        self.pipes(args, "")
    }

    fn pipes(&self, args: &[&str], stdin: &str) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clawvoice"));
        command.args(args).env_clear().env("HOME", self.home.path());
        if self.token {
            command.env("DISCORD_BOT_TOKEN", TOKEN);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut input = child.stdin.take().expect("stdin is piped");
        // A program that ends without reading is no failure of this.
        let _ = input.write_all(stdin.as_bytes());
        drop(input);
        let output = child.wait_with_output().expect("the program ends");
        let home = self.home.path().display().to_string();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&home, "HOME");
        let ended = Ended {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        };
        assert!(!ended.out.contains(TOKEN) && !ended.err.contains(TOKEN), "the token is shown");
        ended
    }
}

impl Ended {
    #[track_caller]
    fn good(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }

    #[track_caller]
    fn failed(self) -> String {
        assert_eq!(self.code, Some(1), "{}{}", self.out, self.err);
        self.err
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}\n{}", self.out))
    }
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn init_writes_a_private_file_that_check_takes_and_says_what_to_do_next() {
    let user = User::new();
    let out = user.runs(&["init"]).good();
    assert!(out.starts_with("wrote HOME/.clawvoice/clawvoice.json5\n"), "{out}");
    assert!(
        out.contains(
            "https://discord.com/oauth2/authorize?client_id=123456789012345678\
             &scope=bot%20applications.commands&permissions=274881170496"
        ),
        "{out}"
    );
    assert!(out.ends_with("  clawvoice config check\n  clawvoice gateway\n"), "{out}");
    #[cfg(unix)]
    {
        assert_eq!(mode(&user.file()), 0o600);
        assert_eq!(mode(user.file().parent().unwrap()), 0o700);
    }
    assert!(user.runs(&["config", "check"]).good().contains("good; accounts: default"));
}

#[test]
fn init_replaces_nothing_unless_it_is_told_to() {
    let user = User::with("{ session: { mainKey: 'mine' } }");
    let err = user.runs(&["init"]).failed();
    assert!(err.contains("is there already") && err.contains("--force"), "{err}");
    assert!(user.text().contains("mine"));
    user.runs(&["init", "--force"]).good();
    assert!(!user.text().contains("mine"));
    let kept = fs::read_to_string(user.file().with_extension("json5.bak")).unwrap();
    assert!(kept.contains("mine"));
}

#[test]
fn init_without_a_token_asks_for_the_application() {
    let user = User { token: false, ..User::new() };
    let out = user.runs(&["init"]).good();
    assert!(
        out.contains("--application-id") && out.contains("export DISCORD_BOT_TOKEN=…"),
        "{out}"
    );
    let json = user.runs(&["init", "--force", "--application-id", "5", "--json"]).json();
    assert!(json["inviteUrl"].as_str().unwrap().contains("client_id=5&"), "{json}");
    assert_eq!(json["next"][1], "clawvoice gateway");
}

#[test]
fn without_a_configuration_every_command_says_how_to_get_one() {
    let user = User::new();
    for args in [&["gateway"][..], &["config", "check"], &["config", "get", "channels"]] {
        let err = user.runs(args).failed();
        assert!(
            err.contains("there is no configuration") && err.contains("clawvoice init"),
            "{err}"
        );
    }
}

#[test]
fn check_tells_every_mistake_and_its_place() {
    let user = User::with("{ channels: { discord: {\n  historyLimit: -1,\n  stremaing: {} } } }");
    let err = user.runs(&["config", "check"]).failed();
    assert!(err.contains("HOME/.clawvoice/clawvoice.json5:2:17: channels.discord.historyLimit"));
    assert!(err.contains("hint: did you mean `streaming`?"), "{err}");
    let ended = user.runs(&["config", "check", "--json"]);
    let json = ended.json();
    assert_eq!((ended.code, &json["ok"]), (Some(1), &false.into()));
    assert_eq!(json["errors"][0]["path"], "channels.discord.historyLimit");
    assert_eq!((&json["errors"][0]["line"], &json["errors"][1]["column"]), (&2.into(), &3.into()));
}

#[test]
fn check_takes_every_example() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/config");
    let mut tried = 0;
    for entry in fs::read_dir(folder).expect("the examples are there") {
        let example = entry.expect("an entry").path();
        let text = fs::read_to_string(&example).expect("an example");
        // What the examples name is not set here, and programs are not run.
        let text = text.replace("${OPENAI_API_KEY}", "k").replace("${CODING_BOT_TOKEN}", "x.y.z");
        let user = User::with(&text);
        let out = user.runs(&["config", "check"]).good();
        assert!(out.contains("good; accounts: "), "{}: {out}", example.display());
        let out = user.runs(&["config", "explain", "channels.discord.voice.mode"]).good();
        assert!(out.contains("  from     "), "{}: {out}", example.display());
        tried += 1;
    }
    assert!(tried >= 8, "only {tried} examples");
}

#[test]
fn explain_tells_value_source_default_and_bounds() {
    let user = User::with("{ channels: { discord: {\n  voice: { connectTimeoutMs: 5 } } } }");
    let out = user.runs(&["config", "explain", "channels.discord.voice.connectTimeoutMs"]).good();
    assert_eq!(
        out,
        "channels.discord.voice.connectTimeoutMs\n  value    5\n  from     \
         HOME/.clawvoice/clawvoice.json5:2:30\n  default  30000\n  takes    a whole number, 1 to \
         120000\n"
    );
    let out = user.runs(&["config", "explain", "channels.discord.token"]).good();
    assert!(out.contains("value    (secret)\n  from     env DISCORD_BOT_TOKEN\n"), "{out}");
    let out = user.runs(&["config", "explain"]).good();
    assert!(out.contains("channels.discord.replyToMode = \"off\"  (default)\n"), "{out}");
    let err = user.runs(&["config", "explain", "channels.discord.voice.conectTimeoutMs"]).failed();
    assert!(err.contains("did you mean `channels.discord.voice.connectTimeoutMs`?"), "{err}");
    let json = user.runs(&["config", "explain", "channels.discord.voice.mode", "--json"]).json();
    assert_eq!((&json[0]["value"], &json[0]["source"]), (&"agent-proxy".into(), &"default".into()));
}

#[test]
fn schema_needs_no_file() {
    let json = User::new().runs(&["config", "schema"]).json();
    assert_eq!(json["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

#[test]
fn values_are_set_and_unset_and_comments_stay() {
    let user = User::with("{\n  // Kept.\n  channels: { discord: {} }, // this too\n}\n");
    let out = user.runs(&["config", "set", "channels.discord.replyToMode", "all"]).good();
    assert_eq!(out, "HOME/.clawvoice/clawvoice.json5: 1 value changed\n");
    // A number where an id belongs is a text, so that no digit of it is lost.
    user.runs(&["config", "set", "channels.discord.applicationId", "123456789012345678"]).good();
    let text = user.text();
    assert!(text.contains("// Kept.") && text.contains("// this too"), "{text}");
    assert_eq!(user.runs(&["config", "get", "channels.discord.replyToMode"]).good(), "all\n");
    let json = user.runs(&["config", "get", "channels.discord", "--json"]).json();
    assert_eq!(json["applicationId"], "123456789012345678");
    user.runs(&["config", "unset", "channels.discord.replyToMode"]).good();
    let err = user.runs(&["config", "get", "channels.discord.replyToMode"]).failed();
    assert!(err.contains("config explain"), "{err}");
    let err = user.runs(&["config", "unset", "channels.discord.replyToMode"]).failed();
    assert!(err.contains("there is nothing at channels.discord.replyToMode"), "{err}");
}

#[test]
fn what_would_not_be_good_is_not_written() {
    let user = User::with("{ channels: { discord: {} } }");
    let err = user.runs(&["config", "set", "channels.discord.historyLimit", "-1"]).failed();
    assert!(err.contains("must be between 0 and 10000") && err.contains(".rejected."), "{err}");
    assert_eq!(user.text(), "{ channels: { discord: {} } }");
}

#[test]
fn a_secret_does_not_go_over_the_command_line_and_does_not_come_back() {
    let user = User::with("{ channels: { discord: {} } }");
    for (path, value) in [
        ("channels.discord.token", "some.bot.token"),
        ("channels.discord", "{ token: 'some.bot.token' }"),
        ("channels.discord.proxy", "http://me:word@h:1"),
    ] {
        let err = user.runs(&["config", "set", path, value]).failed();
        assert!(err.contains("seen by everybody") && !err.contains("some.bot.token"), "{err}");
    }
    user.runs(&["config", "set", "channels.discord.token", "${DISCORD_BOT_TOKEN}"]).good();
    let patch = "{ channels: { discord: { token: 'some.bot.token' } } }";
    user.pipes(&["config", "patch", "--stdin"], patch).good();
    assert!(user.text().contains("some.bot.token"));
    assert_eq!(user.runs(&["config", "get", "channels.discord.token"]).good(), "(secret)\n");
    assert!(!user.runs(&["config", "get", "channels"]).good().contains("some.bot.token"));
    assert!(!user.runs(&["config", "explain"]).good().contains("some.bot.token"));
}

#[test]
fn a_patch_is_tried_first_and_then_applied() {
    let user = User::with("{ channels: { discord: { historyLimit: 1, allowFrom: ['1'] } } }");
    let before = user.text();
    let patch = "{ channels: { discord: { historyLimit: null, allowFrom: ['2'] } } }";
    let dry = user.pipes(&["config", "patch", "--stdin", "--dry-run", "--json"], patch).json();
    assert_eq!((&dry["ok"], &dry["operations"]), (&true.into(), &2.into()));
    assert_eq!(user.text(), before);
    let file = user.home.path().join("patch.json5");
    fs::write(&file, patch).unwrap();
    user.runs(&["config", "patch", "--file", file.to_str().unwrap()]).good();
    let json = user.runs(&["config", "get", "channels.discord", "--json"]).json();
    assert_eq!(json, serde_json::json!({ "allowFrom": ["2"] }));
    let bad = "{ channels: { discord: { hystory: 1 } } }";
    let dry = user.pipes(&["config", "patch", "--stdin", "--dry-run", "--json"], bad);
    assert_eq!((dry.code, &dry.json()["errors"][0]["kind"]), (Some(1), &"schema".into()));
    // Programs are run by a trial only.
    let err = user.pipes(&["config", "patch", "--stdin", "--allow-exec"], patch).failed();
    assert!(err.contains("--dry-run"), "{err}");
}

#[test]
fn a_user_is_not_forgotten_by_mistake() {
    let user = User::with("{ channels: { discord: {} } }");
    let asked = user.runs(&["forget", "42"]);
    assert_eq!(asked.code, Some(1));
    assert!(asked.err.contains("keeps of user 42, for good"), "{}", asked.err);
    assert!(asked.err.contains("--yes"), "{}", asked.err);
    assert!(!user.home.path().join(".clawvoice/state").exists());
    let done = user.runs(&["forget", "42", "--yes"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(done.out.starts_with("of user 42 was deleted:\n       0  messages"), "{}", done.out);
    assert_eq!(user.runs(&["forget", "ada", "--yes"]).code, Some(1));
}

#[test]
fn a_compressed_recording_is_shown_as_the_plain_one() {
    let user = User::with("{ channels: { discord: {} } }");
    let folder = user.home.path().join(".clawvoice/state/timeline");
    fs::create_dir_all(&folder).expect("the folder is made");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/timeline/interrupted.jsonl");
    let plain = fs::read(&fixture).expect("the recording is there");
    let gzip = Command::new("gzip").arg("-c").arg(&fixture).output().expect("gzip runs");
    fs::write(folder.join("call.jsonl.gz"), gzip.stdout).expect("it is written");
    fs::write(folder.join("same.jsonl"), plain).expect("it is written");
    let listed = user.runs(&["timeline"]);
    assert_eq!(listed.code, Some(0), "{}", listed.err);
    assert!(listed.out.contains("call") && !listed.out.contains(".gz"), "{}", listed.out);
    let (plain, compressed) =
        (user.runs(&["timeline", "same", "--json"]), user.runs(&["timeline", "call", "--json"]));
    assert_eq!(plain.code, Some(0), "{}", plain.err);
    assert_eq!((plain.out, compressed.code), (compressed.out, Some(0)), "{}", compressed.err);
    fs::write(folder.join("cut.jsonl.gz"), [0x1f, 0x8b, 8, 0]).expect("it is written");
    let cut = user.runs(&["timeline", "cut"]);
    assert_eq!(cut.code, Some(1));
    assert!(cut.err.contains("cut.jsonl.gz cannot be read"), "{}", cut.err);
}
