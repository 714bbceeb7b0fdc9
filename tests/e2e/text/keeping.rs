//! What is kept on the disk stays within its budget.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::chat::{Chat, OPEN};

const HOUR: Duration = Duration::from_secs(3_600);

/// A file of noise, which no compression makes smaller, last written to so long ago.
fn noise(path: &Path, bytes: usize, age: Duration) -> PathBuf {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut seed = 1u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed.to_le_bytes()[7]
    })
    .take(bytes)
    .collect();
    fs::write(path, noise).unwrap();
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
    path.to_owned()
}

fn named(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// At the start and once an hour: the oldest of the cheapest goes, what is cold is compressed, and
/// `doctor` tells what is left.
#[tokio::test]
async fn what_is_too_much_is_deleted_oldest_first() {
    let chat = Chat::new().await;
    let state = chat.scene.folder.path().join(".clawvoice/state");
    let media = state.join("media/0123456789abcdef0123456789abcdef-42");
    let timeline = state.join("timeline");
    let picture = noise(&media.join("1-cat.png"), 700_000, 3 * HOUR);
    File::open(&media).unwrap().set_modified(SystemTime::now() - 3 * HOUR).unwrap();
    let oldest = noise(&timeline.join("a.jsonl"), 700_000, 9 * HOUR);
    let older = noise(&timeline.join("b.jsonl"), 700_000, 8 * HOUR);
    let newest = noise(&timeline.join("c.jsonl"), 10_000, 30 * HOUR);
    fs::write(&newest, "{\"a\":1}\n".repeat(1_000)).unwrap();
    let cold = File::options().write(true).open(&newest).unwrap();
    cold.set_modified(SystemTime::now() - 30 * HOUR).unwrap();
    let foreign = noise(&timeline.join("notes.txt"), 10, 900 * HOUR);
    let keys = "session: { maintenance: { maxDiskBytes: '2mb', highWaterBytes: '1mb' } }, \
                commands: { ownerAllowFrom: ['42'] },";
    let mut agent = chat.agent(OPEN, keys).await;
    agent.logs("1 old recordings were compressed").await;
    let told = agent.logs("the disk budget of 2.0 MiB was exceeded").await;
    assert!(told.contains("0 old conversations were deleted"), "{told}");
    assert!(!picture.exists() && !oldest.exists() && older.exists() && foreign.exists());
    // By age it was to go first.
    let cold = named(&newest, ".gz");
    assert!(!newest.exists() && !cold.exists(), "{told}");
    agent.stop().await;
    let told = chat.program(&["doctor", "--offline"]).await;
    let line = told.lines().find(|line| line.contains("state.budget")).unwrap();
    assert!(line.contains("ok") && line.contains("MiB of 2.0 MiB"), "{line}");
}

/// What may not be deleted is told once, and a budget that is raised is in force at once.
#[tokio::test]
async fn what_cannot_be_brought_down_is_told() {
    let chat = Chat::new().await;
    let state = chat.scene.folder.path().join(".clawvoice/state");
    let fresh = noise(&state.join("timeline/a.jsonl"), 700_000, HOUR / 2);
    let keys = "session: { maintenance: { maxDiskBytes: '100kb' } },";
    let mut agent = chat.agent(OPEN, keys).await;
    agent.logs("and nothing more of it may be deleted").await;
    chat.config(OPEN, "session: { maintenance: { maxDiskBytes: '90kb', mode: 'warn' } },");
    agent.logs("the configuration was read again").await;
    assert!(fresh.exists());
    let log = agent.stop().await;
    assert_eq!(log.matches("session.maintenance.maxDiskBytes (").count(), 1, "{log}");
}
