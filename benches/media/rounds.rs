//! Rounds in which sides take turns, and the processor's clocks.

use std::time::Duration;

use anyhow::ensure;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// One side of a comparison: runs its part of a round and returns what was measured.
pub(crate) type Side<'a> = &'a mut dyn FnMut() -> anyhow::Result<f64>;

/// One round: every side once, and each round begins with another side, so that the machine's moods
/// reach all. Appends what each measured to its list.
pub(crate) fn take_turns<const N: usize>(
    round: usize,
    sides: [Side<'_>; N],
    measured: &mut [Vec<f64>; N],
) -> anyhow::Result<()> {
    let mut values = [0.0; N];
    for turn in 0..N {
        let side = (round + turn) % N;
        values[side] = sides[side]()?;
    }
    for (list, value) in measured.iter_mut().zip(values) {
        ensure!(value > 0.0, "a round took no time");
        list.push(value);
    }
    Ok(())
}

/// Processor time that `work` takes on this thread, µs for each of `count` parts. Other programs do
/// not count.
pub(crate) fn cost_each(
    count: usize,
    work: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<f64> {
    let began = thread_time()?;
    work()?;
    Ok((thread_time()? - began).as_secs_f64() * 1e6 / count as f64)
}

/// Processor time of this thread so far.
fn thread_time() -> anyhow::Result<Duration> {
    duration(clock_gettime(ClockId::ThreadCPUTime))
}

/// The machine's monotonic clock, the same for all processes.
pub(crate) fn monotonic() -> anyhow::Result<Duration> {
    duration(clock_gettime(ClockId::Monotonic))
}

fn duration(time: Timespec) -> anyhow::Result<Duration> {
    Ok(Duration::new(u64::try_from(time.tv_sec)?, u32::try_from(time.tv_nsec)?))
}
