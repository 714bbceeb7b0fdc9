//! The dashboard in a real browser.

use localcord::world::default::{ADA, BEN, BOT_USER};

use crate::{
    audio::INTERRUPT,
    browser::Page,
    scene::{Scene, hears_frames, local_provider, meet},
    soon,
};

#[tokio::test]
#[ignore = "needs a Chromium; `make html-check` runs it"]
async fn a_call_appears_speaks_is_interrupted_and_ends_on_the_page() {
    let scene = Scene::new().await;
    let answer = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/audio/answer.wav");
    let script = format!("{{ atEnd: 'silent', turns: [{{ reply: {{ wav: '{answer}' }} }}] }}");
    std::fs::write(scene.folder.path().join("answer.json5"), script).unwrap();
    let mut agent =
        scene.agent(&local_provider("behaviour: 'script', script: 'answer.json5', speed: 1.2"));
    let mut page = Page::open(&agent.health().await).await;

    let (ada, ben) = (scene.joins(ADA).await, scene.joins(BEN).await);
    meet(&ada, &agent).await;
    meet(&ben, &agent).await;
    page.until(r#"document.querySelector("article")?.dataset.state === "connected""#).await;
    page.until(r#"document.querySelectorAll(".people li").length === 3"#).await;

    let (asked, ()) = tokio::join!(
        soon("a speech", ada.speak(INTERRUPT)),
        page.until(r#"document.querySelector(".people .speaking")?.textContent === "ada""#)
    );
    asked.unwrap();
    page.until(r#"document.querySelector(".people .agent.speaking") !== null"#).await;
    hears_frames(&ada, 0, 60).await;
    soon("an interruption", ben.speak(INTERRUPT)).await.unwrap();
    page.until(r#"document.querySelector("article").innerText.includes("1 interrupted")"#).await;
    page.until(r#"document.querySelector(".lines").innerText.includes("barge-in requested")"#)
        .await;

    // What a person would look at.
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/target");
    std::fs::write(format!("{folder}/dashboard.png"), page.picture().await).unwrap();

    scene.leaves(BOT_USER);
    page.until(r#"document.querySelector("article").dataset.state === "ended""#).await;
    assert_eq!(page.complaints, Vec::<String>::new());
    agent.stop().await;
}
