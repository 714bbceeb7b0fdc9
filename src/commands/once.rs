//! Async work of a command that is done once and ends.

use std::future::Future;

use crate::printer::Failure;

/// Does the work on this thread.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unexpected(format_args!("no async runtime: {error}")))?;
    Ok(runtime.block_on(work))
}
