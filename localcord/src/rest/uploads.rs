//! Files that are uploaded before their message is posted: a place is asked for, the bytes are put
//! there, and the message names the file as `uploaded_filename`.
//!
//! Source: what Discord's clients do, as voice messages of bots rely on it; code 50146 is in
//! "JSON Error Codes". The storage is not Discord's API: it has no token and no rate limit.

use std::collections::VecDeque;

use axum::{
    Extension, Json,
    body::{Body, Bytes, to_bytes},
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};

use super::{
    Rest,
    body::{JsonBody, MOST_BYTES, Upload},
    error::{ApiError, Form},
    gate::{Caller, failed},
    messages::may_write,
    snowflake,
};

/// Places kept; the oldest go first.
const MOST_PLACES: usize = 256;
/// Files that can be asked for at once.
const MOST_FILES: usize = 10;

/// Places to upload to, and what was uploaded and not posted yet.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    places: VecDeque<Place>,
}

#[derive(Clone, Debug)]
struct Place {
    /// What stands in its address; nobody can guess it.
    key: String,
    bot: u64,
    channel: u64,
    /// As the message will name it.
    name: String,
    /// The announced size in bytes.
    size: usize,
    uploaded: Option<Uploaded>,
}

#[derive(Clone, Debug)]
struct Uploaded {
    content_type: Option<String>,
    bytes: Bytes,
}

impl Uploads {
    fn open(&mut self, place: Place) {
        self.places.push_back(place);
        while self.places.len() > MOST_PLACES {
            self.places.pop_front();
        }
    }

    fn at(&mut self, key: &str) -> Option<&mut Place> {
        self.places.iter_mut().find(|place| place.key == key)
    }

    fn named(&self, bot: u64, channel: u64, name: &str) -> Option<&Uploaded> {
        let same =
            |place: &&Place| place.bot == bot && place.channel == channel && place.name == name;
        self.places.iter().find(same)?.uploaded.as_ref()
    }

    /// A posted file cannot be posted again.
    fn forget(&mut self, name: &str) {
        self.places.retain(|place| place.name != name);
    }
}

/// `POST /channels/{channel}/attachments`
pub(super) async fn reserve(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(channel): Path<String>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    let channel = snowflake("channel_id", &channel)?;
    let files = wanted(&body)?;
    rest.world.read(|state| may_write(state, caller.bot_id, channel, true))?;
    let mut answers = Vec::new();
    for file in files {
        let key = format!("{:032x}", rand::random::<u128>());
        let name = format!("{:032x}/{}", rand::random::<u128>(), file.name);
        answers.push(json!({
            "id": file.id,
            "upload_url": format!("{}/upload/{key}", rest.inner.base_url),
            "upload_filename": name,
        }));
        let bot = caller.bot_id;
        rest.uploads().open(Place { key, bot, channel, name, size: file.size, uploaded: None });
    }
    Ok(Json(json!({ "attachments": answers })))
}

struct Wanted {
    id: u64,
    name: String,
    size: usize,
}

/// The files of a request.
fn wanted(body: &Value) -> Result<Vec<Wanted>, ApiError> {
    let Some(files) = body.get("files").and_then(Value::as_array) else {
        return Err(Form::missing("files"));
    };
    let mut form = Form::default();
    if !(1..=MOST_FILES).contains(&files.len()) {
        let message = format!("Must be between 1 and {MOST_FILES} in length.");
        form.wrong("files", "BASE_TYPE_BAD_LENGTH", message);
    }
    let mut wanted = Vec::new();
    for (at, file) in files.iter().enumerate() {
        let name = file.get("filename").and_then(Value::as_str).unwrap_or_default();
        if name.is_empty() {
            form.required(&format!("files.{at}.filename"));
        }
        let size = file.get("file_size").and_then(Value::as_u64).filter(|size| *size > 0);
        if size.is_none() {
            form.required(&format!("files.{at}.file_size"));
        }
        let id = file.get("id").and_then(|id| id.as_u64().or_else(|| id.as_str()?.parse().ok()));
        wanted.push(Wanted {
            id: id.unwrap_or_else(|| u64::try_from(at).unwrap_or_default()),
            name: name.to_owned(),
            size: size.and_then(|size| usize::try_from(size).ok()).unwrap_or(usize::MAX),
        });
    }
    form.finish()?;
    if wanted.iter().any(|file| file.size > MOST_BYTES) {
        return Err(ApiError::too_large());
    }
    Ok(wanted)
}

/// `PUT /upload/{key}`: the storage.
pub(super) async fn put(
    State(rest): State<Rest>,
    Path(key): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let fault = rest.faults.take_rest("/upload/").and_then(|fault| failed(&fault.outcome()));
    let response = match fault {
        Some(refusal) => refusal,
        None => match store(&rest, &key, &headers, body).await {
            Ok(()) => StatusCode::OK.into_response(),
            Err((status, why)) => (status, why).into_response(),
        },
    };
    // The key lets anybody upload: it stays out of the journal.
    let status = response.status().as_u16();
    rest.journal.record("rest", "PUT /upload", json!({ "status": status }));
    response
}

async fn store(
    rest: &Rest,
    key: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<(), (StatusCode, &'static str)> {
    // The address is the right to upload; a bot's token has no business at a storage.
    if headers.contains_key(header::AUTHORIZATION) {
        return Err((StatusCode::UNAUTHORIZED, "the address takes no other authorization"));
    }
    let too_large = (StatusCode::PAYLOAD_TOO_LARGE, "too large");
    let bytes = to_bytes(body, MOST_BYTES).await.map_err(|_| too_large)?;
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let uploaded = Uploaded { content_type: content_type.map(ToOwned::to_owned), bytes };
    let mut uploads = rest.uploads();
    let place = uploads.at(key).ok_or((StatusCode::NOT_FOUND, "no such upload"))?;
    if uploaded.bytes.len() != place.size {
        return Err((StatusCode::BAD_REQUEST, "not the announced size"));
    }
    place.uploaded = Some(uploaded);
    Ok(())
}

impl Rest {
    /// The files that a message names as `uploaded_filename`, beside those that came with it.
    ///
    /// # Errors
    /// 50146: the bot uploaded no such file for this channel.
    pub(super) fn uploaded_files(
        &self,
        bot: u64,
        channel: u64,
        body: &Value,
    ) -> Result<Vec<Upload>, ApiError> {
        let uploads = self.uploads();
        let named = names(body).map(|(at, about, name)| {
            let found = uploads.named(bot, channel, name).cloned().ok_or_else(|| {
                let why = "The uploaded file was not found";
                ApiError::new(StatusCode::BAD_REQUEST, 50_146, why)
            })?;
            let id = &about["id"];
            let index = id.as_u64().or_else(|| id.as_str()?.parse().ok()).unwrap_or(at);
            let file = name.rsplit('/').next().unwrap_or(name).to_owned();
            let Uploaded { content_type, bytes } = found;
            Ok(Upload { index, name: file, content_type, bytes })
        });
        named.collect()
    }

    /// The message with these files was posted.
    pub(super) fn forget_uploads(&self, body: &Value) {
        let mut uploads = self.uploads();
        names(body).for_each(|(_, _, name)| uploads.forget(name));
    }
}

/// The attachments of a body that name an uploaded file, with their positions.
fn names(body: &Value) -> impl Iterator<Item = (u64, &Value, &str)> {
    let listed = body.get("attachments").and_then(Value::as_array);
    (0..)
        .zip(listed.into_iter().flatten())
        .filter_map(|(at, about)| Some((at, about, about.get("uploaded_filename")?.as_str()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_cannot_be_uploaded_are_refused() {
        let file = json!({ "filename": "a.ogg", "file_size": 5, "id": "3" });
        let good = wanted(&json!({ "files": [file] })).ok().unwrap();
        assert_eq!((good[0].id, good[0].name.as_str(), good[0].size), (3, "a.ogg", 5));
        let cases = [
            json!({}),
            json!({ "files": [] }),
            json!({ "files": vec![file.clone(); 11] }),
            json!({ "files": [{ "file_size": 5 }] }),
            json!({ "files": [{ "filename": "a.ogg" }] }),
            json!({ "files": [{ "filename": "a.ogg", "file_size": 0 }] }),
            json!({ "files": [{ "filename": "a.ogg", "file_size": MOST_BYTES + 1 }] }),
        ];
        for case in cases {
            assert!(wanted(&case).is_err(), "{case}");
        }
    }

    #[test]
    fn places_belong_to_a_bot_and_a_channel_and_the_oldest_go() {
        let mut uploads = Uploads::default();
        for at in 0..=MOST_PLACES {
            let uploaded = Some(Uploaded { content_type: None, bytes: Bytes::from_static(b"x") });
            let (key, name) = (format!("k{at}"), format!("n{at}"));
            uploads.open(Place { key, bot: 1, channel: 2, name, size: 1, uploaded });
        }
        assert!(uploads.at("k0").is_none() && uploads.at("k1").is_some());
        assert!(uploads.named(1, 2, "n1").is_some());
        assert!(uploads.named(9, 2, "n1").is_none() && uploads.named(1, 9, "n1").is_none());
        uploads.forget("n1");
        assert!(uploads.named(1, 2, "n1").is_none());
    }
}
