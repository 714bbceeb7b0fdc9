//! `clawvoice demo`
use crate::{cli::DemoArgs, printer::Failure};
pub(crate) fn run(_args: &DemoArgs) -> Result<(), Failure> { Ok(()) }
