//! Request bodies: JSON, or multipart with a `payload_json` part and files ("Uploading Files").
//!
//! The router must disable axum's own body limit: the limit is [`MOST_BYTES`].

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequest, Multipart, Request},
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
};
use serde_json::Value;

use super::error::ApiError;

/// The most a request may carry, in bytes.
pub(crate) const MOST_BYTES: usize = 10 * 1024 * 1024;

/// A file that came with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upload {
    /// Which entry of `attachments` it belongs to: the n of `files[n]`.
    pub(crate) index: u64,
    /// Its name.
    pub(crate) name: String,
    /// What the client says it is.
    pub(crate) content_type: Option<String>,
    /// What is in it.
    pub(crate) bytes: Bytes,
}

/// A body that may bring files along.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MessageBody {
    /// The JSON part; `{}` if there was none.
    pub(crate) json: Value,
    /// The files.
    pub(crate) files: Vec<Upload>,
}

/// A JSON body; `null` if it is empty.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JsonBody(pub(crate) Value);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let body = request.into_body();
        let bytes = to_bytes(body, MOST_BYTES).await.map_err(|_| ApiError::too_large())?;
        if bytes.is_empty() {
            return Ok(Self(Value::Null));
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|_| ApiError::not_json())
    }
}

impl<S: Send + Sync> FromRequest<S> for MessageBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let kind = request.headers().get(CONTENT_TYPE).cloned();
        match kind {
            Some(kind) if starts_with(&kind, "multipart/form-data") => {
                read_parts(request, state).await
            }
            Some(kind) if !starts_with(&kind, "application/json") => Err(wrong_content_type()),
            _ => {
                let JsonBody(json) = JsonBody::from_request(request, state).await?;
                let json = if json.is_null() { Value::Object(Default::default()) } else { json };
                Ok(Self { json, files: Vec::new() })
            }
        }
    }
}

fn starts_with(value: &HeaderValue, wanted: &str) -> bool {
    value.to_str().is_ok_and(|text| text.to_ascii_lowercase().starts_with(wanted))
}

fn wrong_content_type() -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        50_035,
        "Expected \"Content-Type\" header to be one of {'application/json', 'multipart/form-data'}.",
    )
}

async fn read_parts<S: Send + Sync>(request: Request, state: &S) -> Result<MessageBody, ApiError> {
    let (head, body) = request.into_parts();
    let bytes = to_bytes(body, MOST_BYTES).await.map_err(|_| ApiError::too_large())?;
    let whole = Request::from_parts(head, Body::from(bytes));
    let bad = |_| ApiError::not_json();
    let mut parts =
        Multipart::from_request(whole, state).await.map_err(|_| wrong_content_type())?;
    let mut body = MessageBody { json: Value::Object(Default::default()), files: Vec::new() };
    while let Some(part) = parts.next_field().await.map_err(bad)? {
        let name = part.name().unwrap_or_default().to_owned();
        if name == "payload_json" {
            let bytes = part.bytes().await.map_err(bad)?;
            body.json = serde_json::from_slice(&bytes).map_err(|_| ApiError::not_json())?;
        } else if part.file_name().is_some() {
            let index = name.strip_prefix("files[").and_then(|rest| rest.strip_suffix(']'));
            let counted = u64::try_from(body.files.len()).unwrap_or(u64::MAX);
            body.files.push(Upload {
                index: index.and_then(|digits| digits.parse().ok()).unwrap_or(counted),
                name: part.file_name().unwrap_or_default().to_owned(),
                content_type: part.content_type().map(ToOwned::to_owned),
                bytes: part.bytes().await.map_err(bad)?,
            });
        } else {
            let text = part.text().await.map_err(bad)?;
            if let Value::Object(fields) = &mut body.json {
                fields.insert(name, text.into());
            }
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use serde_json::json;

    use super::*;

    async fn body(kind: &str, text: impl Into<Body>) -> Result<MessageBody, u16> {
        let mut request = Request::new(text.into());
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_str(kind).unwrap());
        MessageBody::from_request(request, &())
            .await
            .map_err(|error| error.into_response().status().as_u16())
    }

    #[tokio::test]
    async fn bodies_are_read_or_refused() {
        let read = body("application/json; charset=utf-8", r#"{"content":"hi"}"#).await.unwrap();
        assert_eq!(read.json, json!({ "content": "hi" }));
        assert_eq!(body("application/json", "{").await, Err(400));
        assert_eq!(body("text/plain", "hi").await, Err(400));
        assert_eq!(body("application/json", vec![b' '; MOST_BYTES + 1]).await, Err(413));
        assert_eq!(body("multipart/form-data", "no boundary").await, Err(400));
        assert_eq!(body("multipart/form-data; boundary=x", "garbage").await, Err(400));
    }

    #[tokio::test]
    async fn files_come_beside_the_json() {
        let text = "--x\r\ncontent-disposition: form-data; name=\"payload_json\"\r\n\r\n\
            {\"content\":\"see\"}\r\n--x\r\ncontent-disposition: form-data; name=\"files[3]\"; \
            filename=\"a.txt\"\r\ncontent-type: text/plain\r\n\r\nhello\r\n--x--\r\n";
        let read = body("multipart/form-data; boundary=x", text).await.unwrap();
        assert_eq!(read.json, json!({ "content": "see" }));
        let file = &read.files[0];
        assert_eq!((file.index, file.name.as_str(), &file.bytes[..]), (3, "a.txt", &b"hello"[..]));
        assert_eq!(file.content_type.as_deref(), Some("text/plain"));
    }
}
