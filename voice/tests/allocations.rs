//! In steady state a packet and a tick allocate nothing, end-to-end encryption included.
#![allow(unsafe_code, reason = "a global allocator can only be written with unsafe")]

mod room;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use clawvoice_session::{SessionTime, UserId};
use clawvoice_voice::call::{FRAME_SAMPLES, Hear, MAX_DATAGRAM_BYTES};
use room::{ANN, Room};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting per thread.
struct Counting;

// SAFETY: every method hands its arguments to `System` unchanged; counting touches a thread-local
// `Cell` that is const-initialised and so never allocates itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's contract is `System`'s.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract is `System`'s.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's contract is `System`'s.
        unsafe { System.realloc(pointer, layout, bytes) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(run: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    run();
    ALLOCATIONS.get() - before
}

/// Counts samples, keeps nothing.
struct Count(usize);

impl Hear for Count {
    fn speaking_started(&mut self, _now: SessionTime, _user: UserId) {}

    fn audio(&mut self, _now: SessionTime, _user: UserId, pcm: &[i16]) {
        self.0 += pcm.len();
    }

    fn speaking_stopped(&mut self, _now: SessionTime, _user: UserId) {}
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
}

#[test]
fn packets_and_ticks_allocate_nothing() {
    const WARM_UP: usize = 200;
    const MEASURED: usize = 500;
    let mut room = Room::new();
    let mut ann = room.human(ANN);
    room.first_group(&mut ann);
    // Every tenth pair of packets is swapped: reordering is steady state, too.
    let mut packets: Vec<_> = (0..WARM_UP + MEASURED)
        .map(|_| {
            let frame = ann.frame();
            room.packet(&mut ann, &frame)
        })
        .collect();
    for at in (1..packets.len() - 1).step_by(10) {
        packets.swap(at, at + 1);
    }
    let pcm: [i16; FRAME_SAMPLES] = std::array::from_fn(|i| ((i * 331) % 2_000) as i16);
    let mut datagram = [0; MAX_DATAGRAM_BYTES];
    let mut hear = Count(0);
    let mut step = |room: &mut Room, at: usize, packet: &mut [u8]| {
        let now = SessionTime::from_millis(20 * at as u64);
        allocations(|| {
            room.call.handle_datagram(now, packet, &mut hear);
            assert!(room.call.handle_tick(now, Some(&pcm), &mut datagram).is_some());
            let _ = room.call.poll_timeout();
        })
    };
    let mut counted = 0;
    for (at, packet) in packets.iter_mut().enumerate() {
        let made = step(&mut room, at, packet);
        room.drain();
        if at >= WARM_UP {
            counted += made;
        }
    }
    assert_eq!(counted, 0, "allocations in {MEASURED} packets and ticks");
    assert_eq!(hear.0, (WARM_UP + MEASURED) * FRAME_SAMPLES);
}
