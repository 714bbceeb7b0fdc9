//! The agent as voice and text see it: ask it something, follow the run, steer it.
//!
//! One session runs one turn at a time; further turns wait in order. What the asker is told comes
//! back through a bounded channel, in order, and the run waits for a slow reader.

mod door;
pub mod queue;
pub(crate) mod surroundings;

pub use door::{
    Agent, AgentEvent, Ask, AskedBy, Control, ControlOutcome, ControlRefusal, NotWritten,
    RunActivity, RunId, RunReport, SpentToday, ToolGrant, ToolScope, Usage,
};
