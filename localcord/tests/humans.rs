//! Humans in a call on the voice server: they hear each other, whoever joins or leaves meanwhile,
//! and survive what the server does to them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

use std::{
    future::Future,
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use localcord::{
    authority::Authority,
    fault::{FaultSettings, Faults},
    human::{
        FrameDuration, Human, HumanError, HumanSettings, SpeechApplication, SpeechChannels,
        SpeechCoding, TransportMode, wav,
    },
    journal::Journal,
    similarity::{similarity, similarity_within},
    voice::{Ticket, VoiceInvite, VoiceServer},
};

const ASK: &[u8] = include_bytes!("../../fixtures/audio/ask.wav");
const ANSWER: &[u8] = include_bytes!("../../fixtures/audio/answer.wav");
const INTERRUPT: &[u8] = include_bytes!("../../fixtures/audio/interrupt.wav");

const GUILD: u64 = 41_771_983_423_143_937;
const CHANNEL: u64 = 127_121_515_262_115_840;

/// A voice server with one channel.
struct Call {
    server: VoiceServer,
    faults: Faults,
    dave: bool,
}

impl Call {
    async fn new(dave: bool) -> Self {
        let tls = Authority::generate().unwrap().acceptor().unwrap();
        let faults = Faults::default();
        let bind = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let server =
            VoiceServer::start(bind, tls, Journal::default(), faults.clone()).await.unwrap();
        Self { server, faults, dave }
    }

    async fn join(&self, user_id: u64) -> Human {
        self.join_with(user_id, TransportMode::default()).await
    }

    async fn join_with(&self, user_id: u64, transport_mode: TransportMode) -> Human {
        let invite = self.admit(user_id);
        Human::join_with(invite, HumanSettings { transport_mode, ..HumanSettings::default() })
            .await
            .unwrap()
    }

    fn admit(&self, user_id: u64) -> VoiceInvite {
        let (session_id, token) = (format!("session-{user_id}"), format!("token-{user_id}"));
        self.server.admit(Ticket {
            guild_id: GUILD,
            channel_id: CHANNEL,
            user_id,
            session_id: session_id.clone(),
            token: token.clone(),
            dave: self.dave,
        });
        VoiceInvite {
            guild_id: GUILD,
            channel_id: CHANNEL,
            user_id,
            session_id,
            token,
            endpoint: self.server.endpoint(),
        }
    }
}

/// Nothing here takes this long.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(Duration::from_secs(20), future).await;
    waited.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

/// All of these share an epoch.
async fn together(humans: &[(u64, &Human)]) {
    for (user, human) in humans {
        let others: Vec<u64> =
            humans.iter().map(|(other, _)| *other).filter(|other| other != user).collect();
        soon("a common epoch", human.shares_epoch_with(&others)).await.unwrap();
    }
}

async fn hears(human: &Human, from: u64, frames: u64) {
    let heard = human.wait_until(|stats| {
        stats.senders.get(&from).is_some_and(|sender| sender.frames_decoded >= frames)
    });
    soon("what was said", heard).await.unwrap();
}

fn mono(file: &[u8]) -> Vec<i16> {
    wav::read_stereo_48k(file).unwrap().into_iter().step_by(2).collect()
}

/// A recording starts with the first frame heard.
#[track_caller]
fn assert_same(said: &[i16], heard: &[i16]) {
    let found = similarity_within(said, heard, wav::SAMPLE_RATE, 0..=4800);
    assert!(found.score >= 0.9, "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_humans_hear_each_other_in_both_transport_modes() {
    let call = Call::new(true).await;
    let alice = call.join_with(1, TransportMode::Aes256Gcm).await;
    let bob = call.join_with(2, TransportMode::XChaCha20Poly1305).await;
    together(&[(1, &alice), (2, &bob)]).await;

    let (asked, interrupted) = tokio::join!(alice.speak(ASK), bob.speak(INTERRUPT));
    let (asked, interrupted) = (asked.unwrap(), interrupted.unwrap());
    assert_eq!((asked.frames_unsent, interrupted.frames_unsent), (0, 0));
    let length = Duration::from_millis(20) * (asked.frames - 1);
    assert!(asked.finished_at - asked.started_at + Duration::from_millis(20) >= length);
    hears(&bob, 1, u64::from(asked.frames) + 5).await;
    hears(&alice, 2, u64::from(interrupted.frames) + 5).await;

    assert_same(&mono(ASK), &bob.heard(1).pcm);
    assert_same(&mono(INTERRUPT), &alice.heard(2).pcm);
    for (human, mode) in
        [(&alice, TransportMode::Aes256Gcm), (&bob, TransportMode::XChaCha20Poly1305)]
    {
        let stats = human.stats();
        assert_eq!(stats.transport_mode, Some(mode));
        assert_eq!((stats.dave_protocol_version, stats.current_epoch), (1, Some(1)));
        assert_eq!((stats.undecryptable_before_ready, stats.undecryptable_after_ready), (0, 0));
        assert_eq!((stats.decode_errors, stats.transport_failures, stats.recoveries), (0, 0, 0));
    }
    assert_eq!(bob.heard(1).talkspurts.len(), 1);
    alice.leave().await;
    bob.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_a_third_joins_and_leaves() {
    let call = Call::new(true).await;
    let alice = call.join(1).await;
    let bob = call.join(2).await;
    together(&[(1, &alice), (2, &bob)]).await;

    let visit = async {
        hears(&bob, 1, 50).await;
        let carol = call.join(3).await;
        together(&[(1, &alice), (2, &bob), (3, &carol)]).await;
        hears(&carol, 1, 100).await;
        let heard = carol.heard(1);
        let stats = carol.stats();
        call.server.dismiss(GUILD, 3, 4014);
        let ended = soon("the end of carol's call", carol.wait_ended()).await;
        assert_eq!(ended.code, Some(4014));
        let alone = |stats: &localcord::human::HumanStats| !stats.members.contains(&3);
        soon("an epoch without carol", alice.wait_until(alone)).await.unwrap();
        soon("an epoch without carol", bob.wait_until(alone)).await.unwrap();
        (heard, stats)
    };
    let (answered, (carol_heard, carol_stats)) = tokio::join!(alice.speak(ANSWER), visit);
    let answered = answered.unwrap();
    let before = bob.heard(1).frames.len();
    assert!(before > 0);
    hears(&bob, 1, u64::from(answered.frames) + 5).await;

    let said = mono(ANSWER);
    assert_same(&said, &bob.heard(1).pcm);
    let talkspurt = carol_heard.talkspurts.last().copied().unwrap();
    let found = similarity(carol_heard.talkspurt_pcm(&talkspurt), &said, wav::SAMPLE_RATE);
    assert!(found.score >= 0.9, "{found:?}");
    assert_eq!(carol_stats.undecryptable_after_ready, 0);

    let stats = bob.stats();
    assert_eq!(stats.epochs_seen, 3, "two, three, two members");
    assert_eq!((stats.undecryptable_before_ready, stats.undecryptable_after_ready), (0, 0));
    assert_eq!((stats.recoveries, stats.senders[&1].packets_lost), (0, 0));
    assert_eq!(alice.stats().epochs_seen, 3);
    assert_eq!(answered.frames_unsent, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stays_alone_hears_the_next_one_in_a_new_group() {
    let call = Call::new(true).await;
    let alice = call.join(1).await;
    let bob = call.join(2).await;
    together(&[(1, &alice), (2, &bob)]).await;
    call.server.dismiss(GUILD, 2, 4014);
    let alone = |stats: &localcord::human::HumanStats| stats.members.is_empty() && !stats.can_send;
    soon("being alone", alice.wait_until(alone)).await.unwrap();
    assert_eq!(soon("bob's end", bob.wait_ended()).await.code, Some(4014));

    let bob = call.join(2).await;
    together(&[(1, &alice), (2, &bob)]).await;
    let spoken = alice.speak(INTERRUPT).await.unwrap();
    hears(&bob, 1, u64::from(spoken.frames) + 5).await;
    assert_same(&mono(INTERRUPT), &bob.heard(1).pcm);
    let spoken = bob.speak(INTERRUPT).await.unwrap();
    hears(&alice, 2, u64::from(spoken.frames) + 5).await;
    assert_same(&mono(INTERRUPT), &alice.heard(2).pcm);
    for stats in [alice.stats(), bob.stats()] {
        assert_eq!(stats.undecryptable_after_ready, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_channel_is_not_end_to_end_encrypted() {
    let call = Call::new(false).await;
    let alice = call.join(1).await;
    let bob = call.join(2).await;
    let spoken = alice.speak(INTERRUPT).await.unwrap();
    hears(&bob, 1, u64::from(spoken.frames) + 5).await;
    assert_same(&mono(INTERRUPT), &bob.heard(1).pcm);
    assert_eq!(bob.stats().dave_protocol_version, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn padded_packets_are_heard_like_any_other() {
    let call = Call::new(true).await;
    call.faults.set(FaultSettings { udp_padding_every: 2, ..FaultSettings::default() });
    let alice = call.join(1).await;
    let bob = call.join(2).await;
    together(&[(1, &alice), (2, &bob)]).await;
    let spoken = alice.speak(INTERRUPT).await.unwrap();
    hears(&bob, 1, u64::from(spoken.frames) + 5).await;
    assert_same(&mono(INTERRUPT), &bob.heard(1).pcm);
    let stats = bob.stats();
    assert_eq!((stats.packets_malformed, stats.undecryptable_after_ready), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn alone_in_an_encrypted_call_nothing_is_sent() {
    let call = Call::new(true).await;
    let alice = call.join(1).await;
    let spoken = alice.speak(INTERRUPT).await.unwrap();
    assert_eq!(spoken.frames_unsent, spoken.frames);
    assert_eq!(alice.stats().frames_sent, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_websocket_is_an_end_and_not_a_panic() {
    let call = Call::new(true).await;
    let alice = call.join(1).await;
    let began = Instant::now();
    let (spoken, ()) = tokio::join!(alice.speak(ANSWER), async {
        let speaking = alice.wait_until(|stats| stats.frames_sent + stats.frames_unsent > 5);
        soon("the start of the speech", speaking).await.unwrap();
        call.server.close_websocket(GUILD, 1, 4015);
    });
    let Err(HumanError::Ended(ended)) = spoken else { panic!("spoke to the end") };
    assert_eq!(ended.code, Some(4015));
    assert!(began.elapsed() < Duration::from_secs(8), "did not wait for the end of the speech");
    assert_eq!(alice.ended(), Some(ended));
    assert!(matches!(alice.speak(INTERRUPT).await, Err(HumanError::Ended(_))));
    alice.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_refused() {
    let call = Call::new(true).await;
    let mut invite = call.admit(1);
    invite.token = "another".to_owned();
    let Err(HumanError::Ended(ended)) = Human::join(invite).await else { panic!("was let in") };
    assert_eq!(ended.code, Some(4004));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_at_the_endpoint_and_nonsense_to_say_are_errors() {
    let call = Call::new(true).await;
    let mut invite = call.admit(1);
    let alice = Human::join(invite.clone()).await.unwrap();
    assert!(matches!(alice.speak(b"no WAV").await, Err(HumanError::Wav(_))));
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    invite.endpoint = free.local_addr().unwrap().to_string();
    drop(free);
    assert!(matches!(Human::join(invite).await, Err(HumanError::Connect(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn speech_is_heard_in_whatever_frames_it_comes() {
    let call = Call::new(true).await;
    let alice = call.join(1).await;
    let bob = call.join(2).await;
    together(&[(1, &alice), (2, &bob)]).await;
    let usual = SpeechCoding::default();
    let voip = SpeechCoding {
        application: SpeechApplication::Voip,
        bitrate: 48_000,
        fec: true,
        expected_loss_percent: 10,
        frame: FrameDuration::Ms60,
        channels: SpeechChannels::Mono,
    };
    let cases = [
        SpeechCoding { frame: FrameDuration::Ms2_5, bitrate: 160_000, ..usual },
        SpeechCoding { frame: FrameDuration::Ms120, ..usual },
        voip,
    ];
    let mut frames = 0;
    for (n, coding) in cases.into_iter().enumerate() {
        alice.set_speech_coding(coding).unwrap();
        let spoken = alice.speak(INTERRUPT).await.unwrap();
        frames += u64::from(spoken.frames) + 5;
        hears(&bob, 1, frames).await;
        let heard = bob.heard(1);
        assert_eq!(heard.talkspurts.len(), n + 1, "{coding:?}");
        let last = heard.talkspurts.last().unwrap();
        let samples = usize::from(coding.frame.samples());
        assert_eq!(last.samples, spoken.frames as usize * samples, "{coding:?}");
        // Narrower than the original where SILK codes it, and through its high-pass filter.
        let found = similarity_within(
            &mono(INTERRUPT),
            heard.talkspurt_pcm(last),
            wav::SAMPLE_RATE,
            0..=4800,
        );
        assert!(found.score >= 0.7, "{coding:?} {found:?}");
    }
    assert_eq!(bob.stats().senders[&1].packets_lost, 0);
    let refused = alice.set_speech_coding(SpeechCoding { fec: true, ..usual });
    assert!(matches!(refused, Err(HumanError::Coding(_))));
}
