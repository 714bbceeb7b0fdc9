//! What was said while the bot was away.

use super::scene::{ADA, GENERAL, OWN_THREAD, Scene, THREAD, asks, says};
use crate::{
    inbound::{BoundThread, Known},
    message::Message,
};

/// Of the message `900`, which stands for the beginning of Discord's time.
const WRITTEN: u64 = 1_420_070_400_000;

fn late(
    scene: &Scene,
    message: &Message,
    minutes: u64,
    with: impl FnOnce(&mut Known<'_>),
) -> String {
    let now_unix_ms = WRITTEN + minutes * 60_000;
    let mut known = Known { now_unix_ms, after_downtime: true, ..scene.known() };
    with(&mut known);
    scene.outcome_with(message, &known)
}

#[test]
fn what_was_said_among_people_is_not_answered_late() {
    let scene = Scene::new("groupPolicy: 'open'", "agents: { list: [{ id: 'a', name: 'Claw' }] }");
    let hi = says(GENERAL, ADA, "hi");
    assert_eq!(late(&scene, &hi, 15, |_| ()), "no-mention");
    assert_eq!(late(&scene, &hi, 16, |_| ()), "stale-ambient-backlog");
    assert_eq!(late(&scene, &hi, 16, |known| known.after_downtime = false), "no-mention");
    // A thread, or a channel that needs no mention, is the bot's as a whole.
    assert_eq!(late(&scene, &says(THREAD, ADA, "hi"), 60, |_| ()), "no-mention");
    let bound = |known: &mut Known<'_>| known.bound = Some(BoundThread { webhook: None });
    assert_eq!(late(&scene, &hi, 60, bound), "admitted");
    let ungated = "groupPolicy: 'open', guilds: { '*': { requireMention: false } }";
    assert_eq!(late(&Scene::new(ungated, ""), &hi, 60, |_| ()), "admitted");
}

#[test]
fn what_is_to_the_bot_never_expires() {
    let scene = Scene::new("groupPolicy: 'open'", "agents: { list: [{ id: 'a', name: 'Claw' }] }");
    assert_eq!(late(&scene, &asks(GENERAL, ADA, "hi"), 10_000, |_| ()), "admitted");
    assert_eq!(late(&scene, &says(GENERAL, ADA, "hi claw"), 10_000, |_| ()), "admitted");
    // It is looked at when it is whole.
    let raw = says(GENERAL, ADA, "hi <@1>");
    assert_eq!(late(&scene, &raw, 10_000, |_| ()), "needs Hydrate");
    assert_eq!(late(&scene, &says(OWN_THREAD, ADA, "hi"), 10_000, |_| ()), "no-mention");
}
