//! Memory of a call and of a speaker in it.
//!
//! Counted by the C library's allocator: bytes in use before and after, all arenas and mapped blocks,
//! its own overhead included. Rust's allocations go through it and libopus's do, which a counting
//! allocator in Rust would not see. Members and talkers are gone when it is read; what is left is
//! the call.
#![allow(unsafe_code, reason = "the C library's statistics have no safe interface")]

use anyhow::ensure;
use audiopus::{
    Application, Channels, SampleRate,
    coder::{Decoder, Encoder},
};
use clawvoice_session::SessionTime;
use clawvoice_voice::wire::aead::Mode;

use crate::{
    hear::Deaf,
    report::{self, Record},
    room::{self, Room},
    speech::{self, Coding, FRAME_MS},
};

/// Calls of which the mean is taken.
const CALLS: usize = 100;
/// Speakers of which the mean is taken.
const SPEAKERS: usize = 200;
/// Frames that each says.
const FRAMES: usize = 10;
const MODE: Mode = Mode::Aes256Gcm;

/// Measures, prints and writes; nothing where the C library does not count.
pub(crate) fn measure() -> anyhow::Result<()> {
    if in_use().is_none() {
        eprintln!("skipped: memory (glibc's statistics are needed)");
        return Ok(());
    }
    let opus = speech::packets(Coding::Hybrid, 1)?;
    // Whatever is made once and kept is made here.
    drop(Room::new(MODE, 1)?);

    let encoder =
        each(CALLS, || Ok(Encoder::new(SampleRate::Hz24000, Channels::Mono, Application::Audio)?))?;
    let decoder = each(CALLS, || Ok(Decoder::new(SampleRate::Hz24000, Channels::Mono)?))?;
    let idle = each(CALLS, || Ok(Room::new(MODE, 0)?.call))?;

    let before = in_use();
    let mut room = Room::unannounced(SessionTime::ZERO, MODE, SPEAKERS)?;
    let datagrams = (0..SPEAKERS * FRAMES)
        .map(|at| room.packet(at % SPEAKERS, &opus[at / SPEAKERS]))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let announcements: Vec<_> = room.talkers.iter().map(|t| (t.user, t.ssrc)).collect();
    let (mut call, mut now) = (room.call, room.now);
    drop((room.members, room.talkers));
    let kept = bytes_of(&datagrams) + announcements.capacity() * size_of::<(u64, u32)>();
    let silent = (since(before) - kept as f64 - idle) / SPEAKERS as f64;

    let before = in_use();
    for (user, ssrc) in announcements {
        room::announce(&mut call, now, user, ssrc);
    }
    let mut buffer = Vec::with_capacity(2_048);
    for frame in datagrams.chunks(SPEAKERS) {
        now = SessionTime::from_millis(now.as_millis() + FRAME_MS);
        for datagram in frame {
            buffer.clear();
            buffer.extend_from_slice(datagram);
            call.handle_datagram(now, &mut buffer, &mut Deaf);
        }
    }
    ensure!(
        call.stats().total.delivered == datagrams.len() as u64,
        "not everybody was heard: {:?}",
        call.stats().total
    );
    let speaking = since(before) / SPEAKERS as f64;

    let record = |name: &str, bytes: f64| Record::new(name, "KiB", &[bytes / 1024.0]);
    let beside =
        |record: Record, name: &str, bytes: f64| record.beside(name, &[bytes / 1024.0], None);
    let records = vec![
        beside(record("idle call, DAVE group of 3", idle)?, "libopus encoder alone", encoder)?,
        record("each member of the group", silent)?,
        beside(
            record("each who speaks, besides being a member", speaking)?,
            "libopus decoder alone",
            decoder,
        )?,
    ];
    report::print(&Record::table("memory", &records));
    report::write("memory", &records)
}

/// Bytes of one of `count` things.
fn each<T>(count: usize, make: impl Fn() -> anyhow::Result<T>) -> anyhow::Result<f64> {
    let mut things = Vec::with_capacity(count);
    let before = in_use();
    for _ in 0..count {
        things.push(make()?);
    }
    let bytes = since(before) / count as f64 + size_of::<T>() as f64;
    drop(things);
    Ok(bytes)
}

/// What a list of lists takes, as the allocator rounds: to 16 bytes, with 8 of its own.
fn bytes_of(lists: &Vec<Vec<u8>>) -> usize {
    let rounded = |bytes: usize| (bytes + 8).next_multiple_of(16);
    lists.iter().map(|list| rounded(list.capacity())).sum::<usize>()
        + rounded(lists.capacity() * size_of::<Vec<u8>>())
}

/// Bytes more than `before` that are allocated now.
fn since(before: Option<f64>) -> f64 {
    in_use().unwrap_or_default() - before.unwrap_or_default()
}

/// Bytes that are allocated now.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn in_use() -> Option<f64> {
    // SAFETY: it takes nothing and only reads the allocator's own counters.
    let info = unsafe { libc::mallinfo2() };
    Some((info.uordblks + info.hblkhd) as f64)
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn in_use() -> Option<f64> {
    None
}
