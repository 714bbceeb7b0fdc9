//! Speaking: Opus frames at real-time pace, numbered and time-stamped for RTP.

use std::{collections::VecDeque, time::Instant};

use super::{
    coding::{FrameDuration, SpeechCoding, SpeechEncoder},
    echo::{Echo, EchoSettings},
    media::Outgoing,
    recording::Decoded,
};

/// Silence frames sent before a pause, so that no decoder goes on from the last sound.
const TRAILING_SILENCE: u8 = 5;
/// The Opus frame that means silence.
pub(crate) const SILENCE: [u8; 3] = [0xF8, 0xFF, 0xFE];
/// How long it lasts, whatever the speech before it was coded in: its first byte says so (RFC 6716
/// section 3.1).
const SILENCE_FRAME: FrameDuration = FrameDuration::Ms20;

/// A piece of audio that was spoken.
#[derive(Clone, Copy, Debug)]
pub struct Spoken {
    /// When the first frame was sent.
    pub started_at: Instant,
    /// When the last frame of the speech was sent; the silence frames came after.
    pub finished_at: Instant,
    /// Speech frames, as long as the speech coding says, without the silence frames.
    pub frames: u32,
    /// Of these, how many were not sent because the end-to-end encryption had no key: nobody
    /// else was in the channel yet.
    pub frames_unsent: u32,
}

/// A speech, or what is left of it.
pub(crate) struct Unsaid {
    pub(crate) id: u64,
    /// Interleaved 48 kHz stereo.
    pub(crate) pcm: Vec<i16>,
    /// What has been said of it already; none if nothing.
    pub(crate) so_far: Option<Spoken>,
}

/// The sending half of a human's voice: what is being said, what is still to be said.
pub(crate) struct Voice {
    encoder: SpeechEncoder,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// When the last frame was due, and how long it was.
    last: Option<(Instant, FrameDuration)>,
    queue: VecDeque<Speech>,
    echo: Option<Echo>,
    /// Silence frames that still follow an echo, and when the next one is due.
    trailing: Option<(Instant, u8)>,
}

struct Speech {
    id: u64,
    /// Interleaved 48 kHz stereo.
    pcm: Vec<i16>,
    position: usize,
    silence_left: u8,
    /// When the next frame is to be sent; none until its turn has come.
    due: Option<Instant>,
    spoken: Spoken,
}

/// What happens next while speaking.
pub(crate) enum Step {
    /// A frame to encrypt and send.
    Frame { header: Outgoing, opus: Vec<u8> },
    /// The speech with this id is over.
    Finished { id: u64, spoken: Spoken },
    /// There is no echo any more.
    EchoFinished,
}

impl Voice {
    /// Starts numbering at the given sequence number and timestamp; RFC 3550 wants them random.
    ///
    /// # Errors
    /// libopus's.
    pub(crate) fn new(
        ssrc: u32,
        sequence: u16,
        timestamp: u32,
        coding: SpeechCoding,
    ) -> Result<Self, opus2::Error> {
        let encoder = SpeechEncoder::new(coding)?;
        Ok(Self {
            encoder,
            ssrc,
            sequence,
            timestamp,
            last: None,
            queue: VecDeque::new(),
            echo: None,
            trailing: None,
        })
    }

    /// Codes differently from the next frame on, also in the middle of a speech.
    ///
    /// # Errors
    /// libopus's.
    pub(crate) fn set_coding(&mut self, coding: SpeechCoding) -> Result<(), opus2::Error> {
        self.encoder = SpeechEncoder::new(coding)?;
        Ok(())
    }

    /// Opens a microphone beside a loudspeaker, or closes it.
    pub(crate) fn set_echo(&mut self, echo: Option<EchoSettings>) {
        if let Some(due) = self.echo.as_ref().and_then(Echo::poll_timeout) {
            self.trailing = Some((due, TRAILING_SILENCE));
        }
        self.echo = echo.map(Echo::new);
    }

    /// Takes what was heard of a user into the microphone, if it stands beside their loudspeaker;
    /// gives whether it does.
    pub(crate) fn hear(&mut self, at: Instant, of: u64, decoded: &Decoded) -> bool {
        let Some(echo) = self.echo.as_mut().filter(|echo| echo.of() == of) else { return false };
        echo.hear(at, decoded);
        true
    }

    /// Queues a speech behind what is being said.
    pub(crate) fn say(&mut self, now: Instant, Unsaid { id, pcm, so_far }: Unsaid) {
        let nothing = Spoken { started_at: now, finished_at: now, frames: 0, frames_unsent: 0 };
        let spoken = so_far.unwrap_or(nothing);
        let silence_left = TRAILING_SILENCE;
        self.queue.push_back(Speech { id, pcm, position: 0, silence_left, due: None, spoken });
        self.begin_next(now);
    }

    /// Stops, and hands out what has not been said, in order. An echo is not handed out.
    pub(crate) fn take_unsaid(&mut self) -> Vec<Unsaid> {
        self.trailing = None;
        if let Some(echo) = &mut self.echo {
            echo.close();
        }
        let rest = |speech: Speech| Unsaid {
            id: speech.id,
            so_far: (speech.spoken.frames > 0).then_some(speech.spoken),
            pcm: speech.pcm.get(speech.position..).unwrap_or_default().to_vec(),
        };
        self.queue.drain(..).map(rest).collect()
    }

    /// Speech waiting or under way, or an echo.
    pub(crate) fn is_speaking(&self) -> bool {
        !self.queue.is_empty() || self.is_echoing() || self.trailing.is_some()
    }

    fn is_echoing(&self) -> bool {
        self.echo.as_ref().is_some_and(Echo::is_open)
    }

    /// When the next frame is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.queue.front() {
            Some(speech) => speech.due,
            None => {
                let echo = self.echo.as_ref().and_then(Echo::poll_timeout);
                let trailing = self.trailing.map(|(due, _)| due);
                echo.into_iter().chain(trailing).min()
            }
        }
    }

    /// The next step, if it is due. Call until there is none.
    ///
    /// # Errors
    /// libopus's.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<Option<Step>, opus2::Error> {
        let is_echoing = self.is_echoing();
        let Some(speech) = self.queue.front_mut() else { return self.send_back(now) };
        let Some(due) = speech.due.filter(|due| *due <= now) else { return Ok(None) };
        // What follows an echo follows the speech.
        self.trailing = None;
        let (length, opus, audio_level) = if speech.position < speech.pcm.len() {
            let length = self.encoder.frame();
            let samples = 2 * usize::from(length.samples());
            let end = (speech.position + samples).min(speech.pcm.len());
            let mut frame = speech.pcm[speech.position..end].to_vec();
            frame.resize(samples, 0);
            if let Some(echo) = &mut self.echo {
                echo.close_if_silent();
                echo.mix_into(&mut frame, due, length.duration());
            }
            speech.position = end;
            if speech.spoken.frames == 0 {
                speech.spoken.started_at = now;
            }
            speech.spoken.finished_at = now;
            speech.spoken.frames += 1;
            (length, self.encoder.encode(&frame)?, audio_level(&frame))
        } else if speech.silence_left > 0 && !is_echoing {
            speech.silence_left -= 1;
            (SILENCE_FRAME, SILENCE.to_vec(), 127)
        } else {
            let finished = Step::Finished { id: speech.id, spoken: speech.spoken };
            self.queue.pop_front();
            self.begin_next(now);
            return Ok(Some(finished));
        };
        speech.due = Some(due + length.duration());
        Ok(Some(Step::Frame { header: self.stamp(due, length, audio_level), opus }))
    }

    /// The next step of a microphone into which nobody speaks.
    fn send_back(&mut self, now: Instant) -> Result<Option<Step>, opus2::Error> {
        if let Some(echo) = &mut self.echo
            && let Some(due) = echo.poll_timeout().filter(|due| *due <= now)
        {
            if !echo.close_if_silent() {
                self.trailing = None;
                let length = self.encoder.frame();
                let mut frame = vec![0; 2 * usize::from(length.samples())];
                echo.mix_into(&mut frame, due, length.duration());
                let opus = self.encoder.encode(&frame)?;
                let header = self.stamp(due, length, audio_level(&frame));
                return Ok(Some(Step::Frame { header, opus }));
            }
            self.trailing = Some((due, TRAILING_SILENCE));
        }
        let Some((due, left)) = self.trailing.filter(|(due, _)| *due <= now) else {
            return Ok(None);
        };
        if left == 0 {
            self.trailing = None;
            return Ok(Some(Step::EchoFinished));
        }
        self.trailing = Some((due + SILENCE_FRAME.duration(), left - 1));
        let header = self.stamp(due, SILENCE_FRAME, 127);
        Ok(Some(Step::Frame { header, opus: SILENCE.to_vec() }))
    }

    /// Notes that the frame just handed out could not be sent: no packet, so no sequence number.
    pub(crate) fn take_back(&mut self) {
        self.sequence = self.sequence.wrapping_sub(1);
        if let Some(speech) = self.queue.front_mut()
            && speech.silence_left == TRAILING_SILENCE
        {
            speech.spoken.frames_unsent += 1;
        }
    }

    fn begin_next(&mut self, now: Instant) {
        if let Some(speech) = self.queue.front_mut()
            && speech.due.is_none()
        {
            // One frame's length after the announcement, as if it had just been recorded.
            speech.due = Some(now + self.encoder.frame().duration());
        }
    }

    /// Numbers a packet. A pause moves the timestamp on but not the sequence number.
    fn stamp(&mut self, due: Instant, length: FrameDuration, audio_level: u8) -> Outgoing {
        let elapsed = self.last.replace((due, length)).map_or(0, |(last_due, last_length)| {
            let pause = due.saturating_duration_since(last_due);
            let unit = last_length.duration();
            let frames = ((pause + unit / 2).as_micros() / unit.as_micros()).max(1);
            // Wraps, as RTP timestamps do.
            (frames as u32).wrapping_mul(last_length.samples().into())
        });
        self.timestamp = self.timestamp.wrapping_add(elapsed);
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        Outgoing { sequence, timestamp: self.timestamp, ssrc: self.ssrc, audio_level }
    }
}

/// A frame's loudness as RFC 6464 counts it: 0 for full scale, 127 for silence.
fn audio_level(frame: &[i16]) -> u8 {
    let energy: f64 = frame.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    let rms = (energy / frame.len().max(1) as f64).sqrt() / 32_768.0;
    if rms > 0.0 { (-20.0 * rms.log10()).clamp(0.0, 127.0) as u8 } else { 127 }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const FRAME: Duration = Duration::from_millis(20);

    fn voice(sequence: u16, timestamp: u32) -> Voice {
        Voice::new(7, sequence, timestamp, SpeechCoding::default()).unwrap()
    }

    fn say(voice: &mut Voice, now: Instant, id: u64, pcm: Vec<i16>) {
        voice.say(now, Unsaid { id, pcm, so_far: None });
    }

    /// Runs a voice in virtual time until `id` is finished.
    fn run(voice: &mut Voice, id: u64) -> (Vec<(Instant, Outgoing, Vec<u8>)>, Spoken) {
        let mut packets = Vec::new();
        while let Some(now) = voice.poll_timeout() {
            while let Some(step) = voice.handle_timeout(now).unwrap() {
                match step {
                    Step::Frame { header, opus } => packets.push((now, header, opus)),
                    Step::Finished { id: finished, spoken } if finished == id => {
                        return (packets, spoken);
                    }
                    Step::Finished { .. } | Step::EchoFinished => {}
                }
            }
        }
        panic!("speech {id} never finished");
    }

    #[test]
    fn frames_leave_every_20_ms_and_silence_follows() {
        let now = Instant::now();
        let mut voice = voice(u16::MAX, u32::MAX);
        // Two and a half frames.
        say(&mut voice, now, 1, vec![1000; 960 * 5]);
        let (packets, spoken) = run(&mut voice, 1);
        assert_eq!((spoken.frames, spoken.frames_unsent), (3, 0));
        assert_eq!(spoken.started_at, now + FRAME);
        assert_eq!(spoken.finished_at, now + 3 * FRAME);
        assert_eq!(packets.len(), 8);
        for (n, (at, header, opus)) in packets.iter().enumerate() {
            assert_eq!(*at, now + FRAME * (n as u32 + 1));
            assert_eq!(header.sequence, u16::MAX.wrapping_add(n as u16));
            assert_eq!(header.timestamp, u32::MAX.wrapping_add(960 * n as u32));
            assert_eq!(opus == &SILENCE, n >= 3);
        }
        assert!(!voice.is_speaking());
    }

    #[test]
    fn a_pause_moves_only_the_timestamp() {
        let now = Instant::now();
        let mut voice = voice(100, 0);
        say(&mut voice, now, 1, vec![1000; 1920]);
        let last = run(&mut voice, 1).0.last().map(|(at, header, _)| (*at, *header)).unwrap();
        say(&mut voice, last.0 + Duration::from_secs(2), 2, vec![1000; 1920]);
        let next = run(&mut voice, 2).0[0].1;
        assert_eq!(next.sequence, last.1.sequence + 1);
        assert_eq!(next.timestamp, last.1.timestamp + 48_000 * 2 + 960);
    }

    #[test]
    fn a_late_timer_catches_up() {
        let now = Instant::now();
        let mut voice = voice(0, 0);
        say(&mut voice, now, 1, vec![1000; 1920 * 10]);
        let late = now + FRAME * 4;
        let mut sent = 0;
        while let Some(Step::Frame { .. }) = voice.handle_timeout(late).unwrap() {
            sent += 1;
        }
        assert_eq!(sent, 4);
        assert_eq!(voice.poll_timeout(), Some(now + FRAME * 5));
    }

    #[test]
    fn unsent_frames_use_up_time_but_no_sequence_number() {
        let now = Instant::now();
        let mut voice = voice(50, 0);
        say(&mut voice, now, 1, vec![1000; 1920 * 2]);
        let Ok(Some(Step::Frame { header, .. })) = voice.handle_timeout(now + FRAME) else {
            panic!("no frame");
        };
        assert_eq!((header.sequence, header.timestamp), (50, 0));
        voice.take_back();
        let (packets, spoken) = run(&mut voice, 1);
        assert_eq!((packets[0].1.sequence, packets[0].1.timestamp), (50, 960));
        assert_eq!((spoken.frames, spoken.frames_unsent), (2, 1));
    }

    #[test]
    fn one_speech_waits_for_the_other() {
        let now = Instant::now();
        let mut voice = voice(0, 0);
        say(&mut voice, now, 1, vec![1000; 1920]);
        say(&mut voice, now, 2, vec![1000; 1920]);
        let (first, _) = run(&mut voice, 1);
        let (second, _) = run(&mut voice, 2);
        assert_eq!((first.len(), second.len()), (6, 6));
    }

    #[test]
    fn pace_and_timestamps_follow_the_frame_duration() {
        for frame in FrameDuration::ALL {
            let now = Instant::now();
            let mut voice = voice(0, 0);
            voice.set_coding(SpeechCoding { frame, ..SpeechCoding::default() }).unwrap();
            let (samples, length) = (u32::from(frame.samples()), frame.duration());
            // Two frames and a bit, then silence, then after a pause the same again.
            say(&mut voice, now, 1, vec![1000; 2 * (2 * samples as usize + 10)]);
            let (packets, spoken) = run(&mut voice, 1);
            assert_eq!((spoken.frames, packets.len()), (3, 8), "{frame:?}");
            for (n, (at, header, opus)) in packets.iter().enumerate() {
                let (spoken, silent) = (n.min(3) as u32, n.saturating_sub(3) as u32);
                assert_eq!(*at, now + length * (1 + spoken) + FRAME * silent, "{frame:?}");
                assert_eq!(header.timestamp, samples * spoken + 960 * silent, "{frame:?}");
                let found = opus2::packet::get_nb_samples(opus, 48_000).unwrap();
                assert_eq!(found, if n < 3 { samples as usize } else { 960 }, "{frame:?}");
            }
            let last = packets.last().map(|(at, header, _)| (*at, header.timestamp)).unwrap();
            say(&mut voice, last.0 + Duration::from_secs(1) - length, 2, vec![1000; 200]);
            assert_eq!(run(&mut voice, 2).0[0].1.timestamp, last.1 + 48_000, "{frame:?}");
        }
    }

    #[test]
    fn a_coding_changes_in_the_middle_of_a_speech() {
        let now = Instant::now();
        let mut voice = voice(0, 0);
        say(&mut voice, now, 1, vec![1000; 1920 * 4]);
        assert!(matches!(voice.handle_timeout(now + FRAME), Ok(Some(Step::Frame { .. }))));
        let frame = FrameDuration::Ms60;
        voice.set_coding(SpeechCoding { frame, ..SpeechCoding::default() }).unwrap();
        let (packets, spoken) = run(&mut voice, 1);
        assert_eq!(spoken.frames, 2);
        let timestamps: Vec<_> = packets.iter().map(|packet| packet.1.timestamp).collect();
        assert_eq!(timestamps[..3], [960, 960 + 2880, 960 + 2880 + 960]);
    }

    /// Everything that is sent until there is no echo any more.
    fn echoed(voice: &mut Voice) -> Vec<(Instant, Outgoing, Vec<u8>)> {
        let mut packets = Vec::new();
        while let Some(now) = voice.poll_timeout() {
            while let Some(step) = voice.handle_timeout(now).unwrap() {
                match step {
                    Step::Frame { header, opus } => packets.push((now, header, opus)),
                    Step::Finished { .. } => {}
                    Step::EchoFinished => return packets,
                }
            }
        }
        panic!("the echo never finished");
    }

    fn with_echo(delay_ms: u16) -> Voice {
        let mut voice = voice(0, 0);
        voice.set_echo(Some(EchoSettings { of: 9, delay_ms, gain_db: -6.0 }));
        voice
    }

    /// A frame of the loudspeaker, at this place in frames.
    fn played(frame: u32) -> Decoded {
        Decoded { timestamp: 5_000 + frame * 960, silence: false, stereo: vec![8_000; 1920] }
    }

    #[test]
    fn an_echo_is_one_talkspurt_with_silence_behind_it() {
        let now = Instant::now();
        let mut voice = with_echo(120);
        assert!(!voice.hear(now, 8, &played(0)), "somebody else");
        assert!(!voice.is_speaking());
        for frame in 0..5 {
            assert!(voice.hear(now + FRAME * frame, 9, &played(frame)));
        }
        assert!(voice.is_speaking());
        let packets = echoed(&mut voice);
        // Five frames of sound, ten for which the microphone is held open less the last one's own,
        // five of silence.
        assert_eq!(packets.len(), 5 + 9 + 5);
        for (n, (at, header, opus)) in packets.iter().enumerate() {
            assert_eq!(*at, now + Duration::from_millis(120) + FRAME * n as u32);
            assert_eq!((header.sequence, header.timestamp), (n as u16, 960 * n as u32));
            assert_eq!(opus == &SILENCE, n >= 14, "{n}");
        }
        let levels: Vec<u8> = packets.iter().map(|packet| packet.1.audio_level).collect();
        assert_eq!(levels[..5], [18; 5], "8000 of 32768 is -12 dB, and 6 dB less");
        assert!(levels[5..14].iter().all(|level| *level > 70), "an open microphone: {levels:?}");
        assert_eq!(levels[14..], [127; 5]);
        assert!(!voice.is_speaking() && voice.poll_timeout().is_none());
    }

    #[test]
    fn who_speaks_beside_the_loudspeaker_is_heard_with_it() {
        let now = Instant::now();
        let mut voice = with_echo(20);
        voice.hear(now, 9, &played(0));
        voice.hear(now, 9, &played(1));
        say(&mut voice, now, 1, vec![4_000; 1920 * 3]);
        let packets = echoed(&mut voice);
        let levels: Vec<u8> = packets.iter().map(|packet| packet.1.audio_level).collect();
        // Both together, the speech alone, the open microphone, silence.
        assert_eq!(levels[..3], [12, 12, 18]);
        assert!((70..127).contains(&levels[3]), "{levels:?}");
        let silent = packets.iter().filter(|packet| packet.2 == SILENCE).count();
        assert_eq!(silent, 5, "once, at the end of both");
        for (n, (_, header, _)) in packets.iter().enumerate() {
            assert_eq!((header.sequence, header.timestamp), (n as u16, 960 * n as u32));
        }
    }

    #[test]
    fn an_echo_that_is_switched_off_ends_in_order() {
        let now = Instant::now();
        let mut voice = with_echo(40);
        for frame in 0..10 {
            voice.hear(now, 9, &played(frame));
        }
        assert!(matches!(voice.handle_timeout(now + FRAME * 2), Ok(Some(Step::Frame { .. }))));
        voice.set_echo(None);
        let packets = echoed(&mut voice);
        assert!(packets.len() == 5 && packets.iter().all(|packet| packet.2 == SILENCE));
        assert!(!voice.hear(now, 9, &played(10)) && !voice.is_speaking());
    }

    #[test]
    fn another_voice_says_the_rest() {
        let now = Instant::now();
        let (mut first, mut second) = (voice(0, 0), voice(100, 0));
        say(&mut first, now, 1, vec![1000; 1920 * 5]);
        say(&mut first, now, 2, vec![1000; 1920]);
        for n in 1..=2 {
            assert!(matches!(first.handle_timeout(now + FRAME * n), Ok(Some(Step::Frame { .. }))));
        }
        let later = now + Duration::from_secs(3);
        for (unsaid, left) in first.take_unsaid().into_iter().zip([3, 1]) {
            assert_eq!(unsaid.pcm.len(), 1920 * left);
            second.say(later, unsaid);
        }
        assert!(!first.is_speaking() && first.poll_timeout().is_none());
        let (packets, spoken) = run(&mut second, 1);
        assert_eq!((packets.len(), packets[0].1.sequence), (3 + 5, 100));
        assert_eq!((spoken.frames, spoken.started_at), (5, now + FRAME));
        assert_eq!(spoken.finished_at, later + FRAME * 3);
        assert_eq!(run(&mut second, 2).1.frames, 1);
    }
}
