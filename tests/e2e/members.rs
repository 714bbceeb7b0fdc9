//! Joins and leaves change everybody's keys; nobody who stays may notice.

use localcord::world::default::{ADA, BEN, BOT_USER, CLEO};

use crate::{
    agent::Agent,
    audio::{ASK, INTERRUPT, SECOND, likeness_24k, likeness_48k, recorded},
    scene::{Scene, hears_frames, local_provider, meet, parrot},
    soon,
};

#[tokio::test]
async fn two_humans_talk_to_the_agent_while_a_third_joins_and_leaves() {
    let scene = Scene::new().await;
    let script = "{ atEnd: 'silent', turns: [{ reply: { stallMs: 1 } }] }";
    std::fs::write(scene.folder.path().join("silent.json5"), script).unwrap();
    let mut agent = scene.agent(&local_provider("behaviour: 'script', script: 'silent.json5'"));
    let (ada, ben) = (scene.joins(ADA).await, scene.joins(BEN).await);
    meet(&ada, &agent).await;
    meet(&ben, &agent).await;
    soon("ada and ben", ada.shares_epoch_with(&[BEN])).await.unwrap();

    let comes_and_goes = async {
        let cleo = scene.joins(CLEO).await;
        soon("cleo's epoch", cleo.shares_epoch_with(&[ADA, BEN, BOT_USER])).await.unwrap();
        scene.leaves(CLEO);
        let gone = ada.wait_until(|stats| !stats.members.contains(&CLEO));
        soon("an epoch without cleo", gone).await.unwrap();
        cleo.wait_ended().await;
    };
    let (asked, also_asked, ()) = tokio::join!(ada.speak(ASK), ben.speak(SECOND), comes_and_goes);
    assert_eq!((asked.unwrap().frames_unsent, also_asked.unwrap().frames_unsent), (0, 0));
    while agent.count("realtime speaker turn closed") < 2 {
        agent.record_from(agent.position(), "").await;
    }
    agent.stop().await;

    let folder = scene.recordings();
    let best = |fixture| {
        let of = |name| likeness_24k(fixture, &recorded(&folder, name));
        of("provider-000-heard.wav").max(of("provider-001-heard.wav"))
    };
    let (first, second) = (best(ASK), best(SECOND));
    assert!(first >= 0.9 && second >= 0.9, "the provider heard {first} and {second}");
    let between = likeness_48k(SECOND, &ada.heard(BEN).pcm);
    assert!(between >= 0.9, "ada heard {between} of ben");
    for human in [&ada, &ben] {
        let stats = human.stats();
        assert_eq!((stats.undecryptable_after_ready, stats.recoveries), (0, 0));
    }
    nothing_was_undecryptable(&agent).await;
    // With ada and ben, with cleo too, without her.
    assert!(agent.count("DAVE epoch ready") >= 3);
}

#[tokio::test]
async fn the_agents_answer_and_its_hearing_survive_a_join_and_a_leave() {
    let scene = Scene::new().await;
    let (ada, ben) = (scene.joins(ADA).await, scene.joins(BEN).await);
    let mut agent = scene.agent(&parrot());
    meet(&ada, &agent).await;
    soon("ada and ben", ada.shares_epoch_with(&[BEN])).await.unwrap();

    soon("a speech", ada.speak(ASK)).await.unwrap();
    hears_frames(&ada, 0, 10).await;
    let cleo = scene.joins(CLEO).await;
    soon("cleo's epoch", cleo.shares_epoch_with(&[ADA, BEN, BOT_USER])).await.unwrap();
    hears_frames(&cleo, 0, 10).await;
    scene.leaves(BEN);
    let without_ben = ada.wait_until(|stats| !stats.members.contains(&BEN));
    soon("an epoch without ben", without_ben).await.unwrap();
    assert_eq!(agent.count("realtime audio playback stopped"), 0, "the answer was still playing");
    agent.record("realtime audio playback stopped").await;
    ben.wait_ended().await;

    let again = agent.position();
    soon("a speech", ada.speak(INTERRUPT)).await.unwrap();
    agent.record_from(again, "realtime audio playback stopped").await;
    agent.stop().await;

    let folder = scene.recordings();
    let heard = recorded(&folder, "provider-000-heard.wav");
    let (first, second) = (likeness_24k(ASK, &heard), likeness_24k(INTERRUPT, &heard));
    assert!(first >= 0.9 && second >= 0.9, "the provider heard {first} and {second}");
    let of_bot = ada.heard(BOT_USER);
    let answer = likeness_48k(ASK, of_bot.talkspurt_pcm(&of_bot.talkspurts[0]));
    assert!(answer >= 0.85, "ada heard {answer} of her own words, coded twice");
    for human in [&ada, &cleo] {
        let stats = human.stats();
        assert_eq!((stats.undecryptable_after_ready, stats.recoveries), (0, 0));
        assert_eq!(stats.senders[&BOT_USER].packets_lost, 0);
    }
    nothing_was_undecryptable(&agent).await;
}

/// The agent opened every frame of its own epochs.
async fn nothing_was_undecryptable(agent: &Agent) {
    let counted = agent.record("voice session statistics").await.fields;
    assert_eq!(counted["undecryptable"], 0, "{counted}");
    assert_eq!(agent.count("DAVE decrypt failures detected"), 0);
}
