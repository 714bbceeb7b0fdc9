//! The folders from which files are sent.
//!
//! A command line may be an agent's, and its words somebody's on Discord: so it is no way to files
//! that the agent itself may not send.

use std::path::{Path, PathBuf};

use clawvoice_config::Config;
use clawvoice_text::delivery::outgoing_file::{self, FileRefusal, OutgoingFile, OutgoingFiles};

use crate::printer::Failure;

/// The agents' workspaces, and where files that came with messages are kept.
fn approved(config: &Config) -> Vec<PathBuf> {
    let workspaces = config.agents.all.iter().filter_map(|agent| agent.workspace.as_deref());
    outgoing_file::approved(workspaces, &config.session_store)
}

/// The files, if all of them may be sent.
pub(super) fn admitted(config: &Config, asked: &[PathBuf]) -> Result<Vec<OutgoingFile>, Failure> {
    let roots = approved(config);
    let files = OutgoingFiles::new(&roots, config.discord.delivery.media_max_mb);
    let admit = |path: &PathBuf| files.look(path).map_err(|refusal| in_words(&refusal, &roots));
    asked.iter().map(admit).collect()
}

fn in_words(refusal: &FileRefusal, roots: &[PathBuf]) -> Failure {
    let failure = Failure::user(refusal);
    match refusal {
        FileRefusal::Outside(_) => {
            let list: Vec<String> = roots.iter().map(|root| shown(root)).collect();
            failure.hint(format_args!(
                "put it into one of {}, or make its folder an agent's `workspace`",
                list.join(", ")
            ))
        }
        FileRefusal::TooLarge { .. } => {
            failure.hint("raise channels.discord.mediaMaxMb; Discord's own limit stays")
        }
        FileRefusal::Unreadable(_) | FileRefusal::NotAFile(_) => failure,
    }
}

fn shown(root: &Path) -> String {
    root.display().to_string()
}
