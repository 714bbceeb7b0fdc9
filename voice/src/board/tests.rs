use std::time::Duration;

use clawvoice_session::UserId;

use super::*;
use crate::{
    conversation::{AgentVoice, AnswerDelay},
    session::{Flow, Present},
};

const GUILD: GuildId = GuildId::new(1);
const ROOM: ChannelId = ChannelId::new(5);

fn at(ms: u64) -> SessionTime {
    SessionTime::from_millis(ms)
}

fn line(ms: u64, line: &'static str) -> Record {
    in_channel(ms, line, ROOM)
}

fn in_channel(ms: u64, line: &'static str, channel: ChannelId) -> Record {
    Record::new(at(ms), Level::Info, line)
        .with("guild", GUILD.to_string())
        .with("channel", channel.to_string())
}

fn pulse(delivered: u64, lost: u64) -> Pulse {
    let ada = Present { user: UserId::new(31), label: "Ada".to_owned(), speaking: true };
    Pulse {
        guild: GUILD,
        channel: ROOM,
        present: vec![ada],
        agent: AgentVoice::Speaking,
        answer_delay: None,
        flow: Flow { received: delivered, delivered, lost, ..Flow::default() },
    }
}

fn board(records: &[Record]) -> Board {
    let mut board = Board::default();
    for record in records {
        board.record(record);
    }
    board
}

fn only(board: &Board, ms: u64) -> CallView {
    let [call] = &board.view(at(ms), 0).calls[..] else { panic!("one call") };
    call.clone()
}

#[test]
fn a_call_comes_lives_and_ends() {
    let mut board = board(&[line(10, "joining").with("mode", "bidi")]);
    assert_eq!(only(&board, 10).state, CallState::Joining);
    board.record(&line(200, "joined"));
    board.pulse(at(300), pulse(1, 0));
    let call = only(&board, 300);
    assert_eq!((call.state, call.mode.as_str(), call.began_ms), (CallState::Connected, "bidi", 10));
    assert_eq!((call.present[0].label.as_str(), call.present[0].speaking), ("Ada", true));
    assert_eq!(board.totals().calls, 1);
    board.record(&line(400, "voice connection interrupted").with("message", "resuming"));
    assert_eq!(only(&board, 400).state, CallState::Interrupted { why: "resuming".to_owned() });
    board.record(&line(500, "left").with("reason", "asked to"));
    let call = only(&board, 500);
    assert_eq!(call.state, CallState::Ended { why: "asked to".to_owned() });
    assert!(call.present.is_empty());
    // A late pulse of the old session wakes nothing.
    board.pulse(at(600), pulse(2, 0));
    assert!(only(&board, 600).present.is_empty());
    assert_eq!(board.totals().calls, 0);
}

#[test]
fn every_answers_delay_is_a_point_once() {
    let mut board = board(&[line(0, "joining"), line(1_250, "realtime audio playback started")]);
    let delay = |at_ms, ms| Some(AnswerDelay { at: at(at_ms), delay: Duration::from_millis(ms) });
    for (now, answer_delay) in [
        (500, None),
        (1_500, delay(1_250, 250)),
        (2_000, delay(1_250, 250)),
        (9_000, delay(8_800, 40)),
    ] {
        board.pulse(at(now), Pulse { answer_delay, ..pulse(1, 0) });
    }
    let call = only(&board, 9_000);
    let points: Vec<_> = call.answer_ms.iter().map(|point| (point.at_ms, point.value)).collect();
    assert_eq!(points, [(1_250, 250.0), (8_800, 40.0)]);
    assert_eq!(call.answers, 1);
}

#[test]
fn losses_are_counted_over_two_seconds() {
    let mut board = board(&[line(0, "joining"), line(1, "joined")]);
    board.pulse(at(1_000), pulse(100, 0));
    board.pulse(at(2_000), pulse(140, 5));
    assert!(only(&board, 2_000).loss_percent.is_empty());
    board.pulse(at(3_000), pulse(190, 10));
    assert_eq!(only(&board, 3_000).loss_percent, [Point { at_ms: 3_000, value: 10.0 }]);
    // A new connection counts from nothing; the call's sum goes on.
    board.pulse(at(4_000), pulse(10, 0));
    let call = only(&board, 4_000);
    assert_eq!((call.flow.delivered, call.flow.lost), (200, 10));
    assert!(only(&board, 300_000).loss_percent.is_empty(), "a graph forgets");
}

#[test]
fn words_are_in_nothing_that_is_shown() {
    let said = line(5, "realtime user transcript (6 chars)").saying("secret");
    let warned = Record::new(at(6), Level::Warn, "realtime error").quoting("preview", "secret");
    let board = board(&[line(0, "joining"), said, warned]);
    let shown = serde_json::to_string(&board.view(at(10), 0)).unwrap();
    assert!(shown.contains("realtime user transcript (6 chars)"), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn lines_are_told_once_to_who_asks_for_the_newer_ones() {
    let mut board = board(&[line(0, "joining"), line(1, "joined")]);
    let view = board.view(at(1), 0);
    assert_eq!((view.calls[0].lines.len(), view.seq), (2, 2));
    board.record(&line(1, "realtime error"));
    let newer = board.view(at(1), view.seq);
    assert_eq!(newer.calls[0].lines.iter().map(|line| line.seq).collect::<Vec<_>>(), [3]);
}

#[test]
fn what_is_kept_is_bounded() {
    let mut board = Board::default();
    for n in 0..100_u64 {
        let room = ChannelId::new(100 + n);
        board.record(&in_channel(n * 10, "joining", room));
        for i in 0..300 {
            board.record(&in_channel(n * 10 + i, "realtime error", room));
        }
        board.record(&in_channel(n * 10 + 5, "left", room));
    }
    let view = board.view(at(2_000), 0);
    assert_eq!(view.calls.len(), ENDED_CALLS);
    assert!(view.calls.iter().all(|call| call.lines.len() <= 200));
    assert_eq!(view.calls[0].channel, ChannelId::new(199), "the newest are kept");
}

#[test]
fn a_graph_of_a_call_that_is_joined_again_starts_anew() {
    let mut board = board(&[line(0, "joining"), line(1, "joined")]);
    board.pulse(at(2), pulse(50, 1));
    board.record(&line(100, "left"));
    board.record(&line(5_000, "joining"));
    let call = only(&board, 5_000);
    assert_eq!((call.state, call.began_ms), (CallState::Joining, 5_000));
    assert_eq!(call.flow.delivered, 50, "counters never run backwards");
    assert_eq!(call.lines.len(), 4);
}
