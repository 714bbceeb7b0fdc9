use std::time::Duration;

use proptest::prelude::*;
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};

use super::*;
use crate::dsp::level_dbfs;
use crate::realtime::local::read_wav;

const FRAME: usize = 480;

macro_rules! speech {
    ($name:literal) => {
        read_wav(&include_bytes!(concat!("../../../../fixtures/audio/", $name, ".wav"))[..])
            .expect("the fixture is a WAV")
    };
}

/// From the player to the microphone.
#[derive(Clone, Copy, Debug)]
struct Way {
    delay_ms: usize,
    gain_db: f32,
    /// Reflections behind the direct sound; none in a headset's leak.
    reflections: usize,
}

impl Way {
    fn echo(self, played: &[i16], rng: &mut SmallRng) -> Vec<f32> {
        let mut response = vec![(self.delay_ms * 24, 1.0)];
        for _ in 0..self.reflections {
            let ms: f32 = rng.random_range(1.0..120.0);
            // 60 dB in 250 ms, on average 5 dB below the direct sound.
            let strength = 10_f32.powf(-3.0 * ms / 250.0) * rng.random_range(-0.4..0.4);
            response.push((self.delay_ms * 24 + (ms * 24.0) as usize, strength));
        }
        let length = played.len() + response.iter().map(|(at, _)| *at).max().unwrap();
        let mut echo = vec![0.0; length];
        let gain = 10_f32.powf(self.gain_db / 20.0);
        for (at, strength) in response {
            for (echo, sample) in echo[at..].iter_mut().zip(played) {
                *echo += gain * strength * f32::from(*sample);
            }
        }
        echo
    }
}

/// A microphone: echo, a person who begins at a sample, and hiss at -68 dBFS.
fn microphone(echo: &[f32], person: &[i16], at: usize, rng: &mut SmallRng) -> Vec<i16> {
    let length = echo.len().max(at + person.len());
    let mut heard: Vec<f32> = (0..length).map(|_| rng.random_range(-22.0..22.0)).collect();
    heard.iter_mut().zip(echo).for_each(|(heard, echo)| *heard += echo);
    let speaking = heard[at..].iter_mut().zip(person);
    speaking.for_each(|(heard, sample)| *heard += f32::from(*sample));
    heard.into_iter().map(|sample| sample.round() as i16).collect()
}

/// A player and a speaker, whose frames the network brings up to 30 ms late.
struct Room {
    played: Played,
    echo: Echo,
    now: SessionTime,
    rng: SmallRng,
}

impl Room {
    fn new(seed: u64) -> Self {
        Self {
            played: Played::new(),
            echo: Echo::new(),
            now: SessionTime::from_millis(1_000),
            rng: SmallRng::seed_from_u64(seed),
        }
    }

    fn pause(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
    }

    /// Plays and hears at the same time, from the `first` frame on that the speaker sends.
    fn run(&mut self, played: &[i16], heard: &[i16], first: usize) -> Vec<Judged> {
        let mut verdicts = Vec::new();
        for (index, frame) in heard.chunks_exact(FRAME).enumerate() {
            if let Some(frame) = played.as_chunks::<FRAME>().0.get(index) {
                self.played.push(self.now, frame);
            }
            if index >= first {
                let late = Duration::from_millis(self.rng.random_range(0..30));
                let verdict = self.echo.judge(self.now + late, frame, &self.played);
                verdicts.push(Judged { verdict, level_dbfs: level_dbfs(frame) });
            }
            self.now += Duration::from_millis(20);
        }
        verdicts
    }
}

/// A verdict, and how loud what it is about was.
#[derive(Debug)]
struct Judged {
    verdict: EchoVerdict,
    level_dbfs: f32,
}

impl Judged {
    /// Level of what is left once the echo is taken away.
    fn residual_dbfs(&self) -> f32 {
        self.level_dbfs + 10.0 * (1.0 - self.verdict.explained).max(1e-6).log10()
    }
}

fn longest_echo(verdicts: &[Judged]) -> usize {
    verdicts.split(|judged| !judged.verdict.is_echo).map(<[_]>::len).max().unwrap_or(0)
}

fn share(verdicts: &[Judged]) -> f32 {
    let loud = verdicts.iter().filter(|judged| judged.level_dbfs > -50.0);
    let (mut all, mut echo) = (0.0, 0.0);
    loud.for_each(|judged| {
        all += 1.0;
        echo += f32::from(u8::from(judged.verdict.is_echo));
    });
    echo / all
}

fn louder(pcm: &[i16], db: f32) -> Vec<i16> {
    let gain = 10_f32.powf(db / 20.0);
    pcm.iter().map(|sample| (gain * f32::from(*sample)) as i16).collect()
}

#[test]
fn what_was_played_is_recognised_at_every_delay_and_loudness() {
    let speech = [speech!("answer"), speech!("clothes"), speech!("listening")];
    let mut seed = 0;
    for delay_ms in [20, 90, 215, 340, 390] {
        for (gain_db, reflections) in [(0.0, 0), (-6.0, 60), (-12.0, 25), (-20.0, 60)] {
            seed += 1;
            let mut room = Room::new(seed);
            let way = Way { delay_ms, gain_db, reflections };
            let played = &speech[seed as usize % 3][..FRAME * 50];
            let echo = way.echo(played, &mut room.rng);
            let heard = microphone(&echo, &[], 0, &mut room.rng);
            let verdicts = room.run(played, &heard, 0);
            let loud = verdicts.iter().position(|judged| judged.level_dbfs > -50.0).unwrap();
            let known =
                verdicts.iter().position(|judged| judged.verdict.is_echo).expect("recognised");
            let after = known + 1 - loud;
            assert!(after <= 12, "{way:?}: after {after} frames");
            let share = share(&verdicts[known..]);
            assert!(share > 0.85, "{way:?}: {share}");
            let found = verdicts[verdicts.len() - 1].verdict.delay_ms.unwrap();
            // The first frame may have come 30 ms late.
            let range = delay_ms.saturating_sub(10)..=delay_ms + 40;
            assert!(range.contains(&found.into()), "{way:?}: {found} ms");
        }
    }
}

#[test]
fn people_who_speak_while_the_bot_speaks_are_no_echo_of_it() {
    let bots = [speech!("answer"), speech!("clothes"), speech!("listening")];
    let people = [speech!("ask"), speech!("interrupt"), speech!("second"), speech!("answer")];
    for (seed, bot) in bots.iter().enumerate() {
        for (index, person) in people.iter().enumerate() {
            let mut room = Room::new(seed as u64);
            let person = &person[..person.len().min(FRAME * 60)];
            let at = FRAME * (10 + 7 * index);
            let heard = microphone(&[], &louder(person, -6.0), at, &mut room.rng);
            let verdicts = room.run(&bot[FRAME * 20..], &heard, 0);
            let longest = longest_echo(&verdicts);
            assert!(longest <= 1, "bot {seed}, person {index}: {longest} frames");
        }
    }
}

#[test]
fn a_person_who_talks_over_the_echo_is_heard() {
    let (bot, person) = (speech!("listening"), speech!("interrupt"));
    for (gain_db, person_db) in [(-6.0, -6.0), (-12.0, -6.0), (-20.0, -12.0)] {
        let mut room = Room::new(11);
        let way = Way { delay_ms: 170, gain_db, reflections: 40 };
        let echo = way.echo(&bot[..FRAME * 200], &mut room.rng);
        let person = louder(&person, person_db);
        let at = FRAME * 60;
        let heard = microphone(&echo, &person, at, &mut room.rng);
        let verdicts = room.run(&bot[..FRAME * 200], &heard, 0);
        assert!(share(&verdicts[20..60]) > 0.9, "{way:?}");
        let spoken = &verdicts[60..60 + person.len() / FRAME];
        // A tenth of a second of the person within the first 300 ms.
        let early =
            spoken[..15].iter().filter(|v| !v.verdict.is_echo && v.level_dbfs > -50.0).count();
        assert!(early >= 5, "{way:?}: {early} frames");
        let loudest = spoken.iter().map(|v| v.residual_dbfs()).fold(-100.0, f32::max);
        let alone = person.chunks_exact(FRAME).map(level_dbfs).fold(-100.0, f32::max);
        assert!((loudest - alone).abs() < 3.0, "{way:?}: {loudest}, the person {alone} dBFS");
        // The path is not unlearned by it.
        assert!(share(&verdicts[60 + person.len() / FRAME + 2..200]) > 0.85, "{way:?}");
    }
}

#[test]
fn a_known_echo_is_recognised_from_the_first_frame_after_a_pause() {
    let (one, two) = (speech!("answer"), speech!("listening"));
    for seed in 0..6 {
        let mut room = Room::new(seed);
        let way = Way { delay_ms: 60 + 40 * seed as usize, gain_db: -8.0, reflections: 30 };
        let heard = way.echo(&one[..FRAME * 60], &mut SmallRng::seed_from_u64(seed));
        let heard = microphone(&heard, &[], 0, &mut room.rng);
        room.run(&one[..FRAME * 60], &heard, 0);
        room.pause(4_000);
        let heard = way.echo(&two[..FRAME * 30], &mut SmallRng::seed_from_u64(seed));
        let heard = microphone(&heard, &[], 0, &mut room.rng);
        // The client sends nothing until its microphone hears something.
        let first = heard.chunks_exact(FRAME).position(|frame| level_dbfs(frame) > -35.0).unwrap();
        let verdicts = room.run(&two[..FRAME * 30], &heard, first);
        assert!(verdicts[0].verdict.is_echo, "{way:?}: {:?}", verdicts[0]);
        let share = share(&verdicts);
        assert!(share > 0.85, "{way:?}: {share}");
    }
}

#[test]
fn an_echo_that_moves_is_found_again() {
    let bot = speech!("clothes");
    let mut room = Room::new(5);
    let mut heard = Way { delay_ms: 80, gain_db: -6.0, reflections: 20 }
        .echo(&bot[..FRAME * 60], &mut room.rng);
    heard.truncate(FRAME * 60);
    let far = Way { delay_ms: 310, gain_db: -10.0, reflections: 20 }
        .echo(&bot[..FRAME * 110], &mut room.rng);
    heard.extend(&far[FRAME * 60..]);
    let heard = microphone(&heard, &[], 0, &mut room.rng);
    let verdicts = room.run(&bot[..FRAME * 110], &heard, 0);
    let share = share(&verdicts[72..]);
    assert!(share > 0.85, "{share}");
    let found = verdicts[100].verdict.delay_ms.unwrap();
    assert!((300..=350).contains(&found), "{found} ms");
}

#[test]
fn a_clipped_microphone_is_still_an_echo() {
    let bot = speech!("answer");
    let mut room = Room::new(3);
    let way = Way { delay_ms: 120, gain_db: 16.0, reflections: 20 };
    let echo = way.echo(&bot[..FRAME * 60], &mut room.rng);
    let heard = microphone(&echo, &[], 0, &mut room.rng);
    assert!(heard.iter().filter(|sample| sample.unsigned_abs() > 32_000).count() > 200);
    let share = share(&room.run(&bot[..FRAME * 60], &heard, 0)[20..]);
    assert!(share > 0.7, "{share}");
}

#[test]
fn silence_is_nothing() {
    let mut room = Room::new(1);
    let quiet = EchoVerdict { explained: 0.0, delay_ms: None, is_echo: false };
    assert_eq!(room.echo.judge(room.now, &[], &room.played), quiet);
    assert!(room.played.is_silent(room.now));
    let bot = speech!("ask");
    assert!(room.run(&bot, &vec![0; bot.len()], 0).iter().all(|judged| judged.verdict == quiet));
    assert!(!room.played.is_silent(room.now));
    room.pause(1_100);
    assert!(room.played.is_silent(room.now));
    room.played.push(room.now, &[20; FRAME]);
    assert!(room.played.is_silent(room.now), "hiss is not audible");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn whatever_comes_is_judged_in_bounds(
        seed: u64,
        pieces in prop::collection::vec((0_u64..700, 0_usize..1_500, 0_u8..4), 1..24),
    ) {
        let mut rng = SmallRng::seed_from_u64(seed);
        let (mut played, mut echo) = (Played::new(), Echo::new());
        let mut now = SessionTime::ZERO;
        for (later, length, kind) in pieces {
            let mut sample = |at: usize| match kind {
                0 => rng.random(),
                1 => if (at / 40).is_multiple_of(2) { i16::MAX } else { i16::MIN },
                2 => i16::MIN,
                _ => 0,
            };
            let frame: [i16; FRAME] = std::array::from_fn(&mut sample);
            let heard: Vec<i16> = (0..length).map(sample).collect();
            played.push(now, &frame);
            let verdict = echo.judge(now, &heard, &played);
            prop_assert!((0.0..=1.0).contains(&verdict.explained), "{verdict:?}");
            now += Duration::from_millis(later);
        }
    }
}
