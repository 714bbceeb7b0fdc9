//! `clawvoice completions`: a script that completes our commands in a shell.

use std::io::{self, Write as _};

use clap_complete::{Shell, generate};

use crate::printer::Failure;

/// Prints the script. A reader that has gone away is no failure.
pub(crate) fn run(shell: Shell, mut command: clap::Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(shell, &mut command, "clawvoice", &mut script);
    match io::stdout().write_all(&script) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::unexpected(format_args!("cannot print: {error}")))
        }
        _ => Ok(()),
    }
}
