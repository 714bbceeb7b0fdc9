//! Files that came with messages, and where they can be fetched again.

use std::collections::VecDeque;

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    Rest,
    body::{MessageBody, Upload},
    error::ApiError,
};

/// Bytes kept; the oldest files go first.
const MOST_BYTES_KEPT: usize = 64 * 1024 * 1024;

/// The files of all messages.
#[derive(Debug, Default)]
pub(super) struct Files {
    kept: VecDeque<File>,
    bytes: usize,
}

#[derive(Debug)]
struct File {
    id: u64,
    content_type: String,
    bytes: Bytes,
}

impl Files {
    fn keep(&mut self, file: File) {
        self.bytes += file.bytes.len();
        self.kept.push_back(file);
        while self.bytes > MOST_BYTES_KEPT {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.bytes -= oldest.bytes.len();
        }
    }
}

/// What a body's `attachments` say about the file of an index.
fn about(index: u64, described: Option<&[Value]>) -> Option<&Value> {
    let text = index.to_string();
    described.into_iter().flatten().find(|about| {
        let id = &about["id"];
        id.as_str() == Some(&text) || id.as_u64() == Some(index)
    })
}

/// A file's name as it stands in its address.
pub(super) fn stored_name(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    name.chars().map(|c| if plain(c) { c } else { '_' }).collect()
}

/// The stored names of the files that a body brings along, or has uploaded before.
pub(super) fn stored_names(body: &MessageBody) -> Vec<String> {
    let described = body.json.get("attachments").and_then(Value::as_array).map(Vec::as_slice);
    let beside = body.files.iter().map(|file| {
        let given = about(file.index, described).and_then(|about| about["filename"].as_str());
        stored_name(given.unwrap_or(&file.name))
    });
    let before = described.into_iter().flatten().filter_map(|about| {
        let uploaded = about["uploaded_filename"].as_str()?;
        let own = about["filename"].as_str();
        Some(stored_name(own.unwrap_or_else(|| uploaded.rsplit('/').next().unwrap_or(uploaded))))
    });
    beside.chain(before).collect()
}

impl Rest {
    /// Keeps the files of a message; its attachment objects. `described` is the body's
    /// `attachments`, whose `id` is a file's index.
    pub(crate) fn keep_files(
        &self,
        channel: u64,
        uploads: Vec<Upload>,
        described: Option<&Value>,
    ) -> Vec<Value> {
        let described = described.and_then(Value::as_array).map(Vec::as_slice);
        uploads
            .into_iter()
            .map(|upload| {
                let about = about(upload.index, described);
                self.keep_file(channel, upload, about)
            })
            .collect()
    }

    fn keep_file(&self, channel: u64, upload: Upload, about: Option<&Value>) -> Value {
        let id = self.world.write(crate::world::State::next_id);
        let text = |field: &str| about.and_then(|about| about.get(field)?.as_str());
        let name = stored_name(text("filename").unwrap_or(&upload.name));
        let url = format!("{}/attachments/{channel}/{id}/{name}", self.inner.base_url);
        let content_type =
            upload.content_type.unwrap_or_else(|| "application/octet-stream".to_owned());
        let object = json!({
            "id": id.to_string(),
            "filename": name,
            "description": text("description"),
            "content_type": content_type,
            "size": upload.bytes.len(),
            "url": url,
            "proxy_url": url,
        });
        self.files().keep(File { id, content_type, bytes: upload.bytes });
        object
    }
}

/// `GET /attachments/{channel}/{id}/{name}`
pub(super) async fn fetch(
    State(rest): State<Rest>,
    Path((_, id, _)): Path<(String, u64, String)>,
) -> Result<Response, ApiError> {
    let files = rest.files();
    let file = files.kept.iter().find(|file| file.id == id);
    let file = file.ok_or_else(|| ApiError::plain(axum::http::StatusCode::NOT_FOUND))?;
    let headers = [
        (CONTENT_TYPE, file.content_type.clone()),
        // The sender chose the type: nothing here is to be run by a browser.
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    Ok((headers, file.bytes.clone()).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_files_make_room() {
        let mut files = Files::default();
        let file = |id, len| File {
            id,
            content_type: "text/plain".into(),
            bytes: Bytes::from(vec![0; len]),
        };
        files.keep(file(1, 40 * 1024 * 1024));
        files.keep(file(2, 20 * 1024 * 1024));
        assert_eq!(files.kept.len(), 2);
        files.keep(file(3, 10 * 1024 * 1024));
        assert_eq!(files.kept.iter().map(|file| file.id).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(files.bytes, 30 * 1024 * 1024);
    }
}
