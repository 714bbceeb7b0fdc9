//! What the fuzz targets share: how the fuzzer's bytes become inputs, and the worlds that a
//! machine is driven in.
//!
//! Each target is one parser or one machine. A machine is asked for more than not to panic: time
//! must move it forward (what is due at `now` is not due again after `handle_timeout(now)`), what
//! it puts out must be bounded, and what it tells must make sense.

mod call_bench;
mod ear;
mod input;
mod member;

pub use call_bench::CallBench;
pub use ear::Ear;
pub use input::{Input, steps};
pub use member::{Member, Sent, damaged};
