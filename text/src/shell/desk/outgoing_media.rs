//! The files that an answer names: which of them are sent with it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::super::media::MediaFiles;
use crate::delivery::{
    media_lines::MediaSource,
    outgoing_file::{OutgoingFiles, approved},
};

/// Files of one message. Source: Discord, "Create Message", `files[n]`.
const MOST_FILES: usize = 10;

/// From where an agent's files are sent.
pub(super) struct OutgoingMedia {
    media: Arc<MediaFiles>,
    workspace: Option<PathBuf>,
    files: OutgoingFiles,
}

impl OutgoingMedia {
    /// Those of an agent with this workspace. `store` is the file of `session.store`.
    pub(super) fn new(
        media: Arc<MediaFiles>,
        workspace: Option<&Path>,
        store: &Path,
        media_max_mb: f64,
    ) -> Self {
        let files = OutgoingFiles::new(&approved(workspace, store), media_max_mb);
        Self { media, workspace: workspace.map(Path::to_owned), files }
    }

    /// The files that may be sent, in order: ten at most, together no larger than one may be. Why
    /// another is not sent stands in the log, and nowhere else: whoever talked the agent into
    /// naming it is to learn nothing of what there is.
    pub(super) async fn admitted(&self, sources: &[MediaSource]) -> Vec<String> {
        let (mut admitted, mut room) = (Vec::new(), self.files.most_bytes());
        for source in sources {
            let looked = match admitted.len() {
                MOST_FILES => Err("more files than go with a message".to_owned()),
                _ => self.look(source).await,
            };
            let fitting = looked.and_then(|(path, bytes)| match room.checked_sub(bytes) {
                Some(left) => Ok((path, left)),
                None => Err("the files are too large together (mediaMaxMb)".to_owned()),
            });
            match fitting {
                Ok((path, left)) => {
                    room = left;
                    admitted.push(path);
                }
                Err(reason) => tracing::warn!("a file of an answer is not sent: {reason}"),
            }
        }
        admitted
    }

    /// Where it is, all links followed, and its size; or why it is not sent.
    async fn look(&self, source: &MediaSource) -> Result<(String, u64), String> {
        let path = match source {
            MediaSource::Path(path) => match &self.workspace {
                // An absolute path stays what it is.
                Some(workspace) => workspace.join(path),
                None => PathBuf::from(path),
            },
            // The address is left out: it may let everybody fetch the file.
            MediaSource::Address(address) => {
                let fetched = self.media.fetch_public(address).await;
                fetched.map_err(|reason| reason.to_string())?.path
            }
        };
        let files = self.files.clone();
        let looked = tokio::task::spawn_blocking(move || files.look(&path)).await;
        let file = looked.map_err(|error| error.to_string())?;
        let file = file.map_err(|refusal| refusal.to_string())?;
        match file.path.to_str() {
            Some(path) => Ok((path.to_owned(), file.bytes)),
            None => Err(format!("{} has a name that is no text", file.path.display())),
        }
    }
}
