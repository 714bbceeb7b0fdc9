//! A core for oneself, as far as the system gives it: what is searched for is what one core serves,
//! not what it serves beside whatever else the machine has to do.

use std::io;

/// The nice value that goes before all others.
#[cfg(target_os = "linux")]
const HIGHEST: i32 = -20;
/// The share of the processors that this session has among all sessions (sched(7), "The autogroup
/// feature"): a thread's nice value counts within its session only.
const SESSION: &str = "/proc/self/autogroup";

/// While it lives, this session goes before all others.
#[derive(Debug)]
pub(crate) struct Preference {
    granted: bool,
}

impl Preference {
    /// Takes it if the system allows it.
    pub(crate) fn take() -> Self {
        Self { granted: set_session(-20).is_ok() }
    }
}

impl Drop for Preference {
    fn drop(&mut self) {
        if self.granted
            && let Err(error) = set_session(0)
        {
            eprintln!("this session keeps its preference: {error}");
        }
    }
}

fn set_session(nice: i32) -> io::Result<()> {
    std::fs::write(SESSION, nice.to_string())
}

/// Keeps this thread on one core, and those that it starts, and before the other threads of the
/// session if the system allows it.
#[cfg(target_os = "linux")]
pub(crate) fn pin(core: usize) -> anyhow::Result<()> {
    use anyhow::Context;
    use rustix::{
        process::setpriority_process,
        thread::{CpuSet, sched_setaffinity},
    };
    let cores = std::fs::read_to_string("/proc/cpuinfo")?.matches("processor\t").count().max(1);
    let mut set = CpuSet::new();
    set.set(core % cores);
    sched_setaffinity(None, &set).context("cannot stay on one core")?;
    if let Err(error) = setpriority_process(None, HIGHEST) {
        eprintln!("  with the priority of everybody else: {error}");
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn pin(_: usize) -> anyhow::Result<()> {
    anyhow::bail!("only Linux keeps a thread on one core")
}
