//! The `clawvoice` binary.
fn main() {}
