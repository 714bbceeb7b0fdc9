//! The upgrade request: who is let in, and how others are refused.

use secrecy::{ExposeSecret, SecretString};
use tokio_tungstenite::tungstenite::{
    handshake::server::{ErrorResponse, Request, Response},
    http::{HeaderValue, StatusCode, header},
};

/// Path of the websocket, as at OpenAI.
pub(super) const PATH: &str = "/v1/realtime";

/// Checks path, model and key of an upgrade request; gives the model.
#[expect(clippy::result_large_err, reason = "the websocket library fixes the error's type")]
pub(super) fn admit(
    request: &Request,
    mut response: Response,
    api_key: &SecretString,
) -> Result<(Response, String), ErrorResponse> {
    if request.uri().path() != PATH {
        return Err(refuse(StatusCode::NOT_FOUND, "invalid_url", "Not found: use /v1/realtime."));
    }
    let text =
        |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let protocols: Vec<&str> =
        text(header::SEC_WEBSOCKET_PROTOCOL).unwrap_or("").split(',').map(str::trim).collect();
    let bearer = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let given = bearer.or_else(|| {
        protocols.iter().find_map(|name| name.strip_prefix("openai-insecure-api-key."))
    });
    if given.map(str::trim) != Some(api_key.expose_secret()) {
        let message = "Incorrect API key provided.";
        return Err(refuse(StatusCode::UNAUTHORIZED, "invalid_api_key", message));
    }
    let model = request
        .uri()
        .query()
        .unwrap_or("")
        .split('&')
        .find_map(|pair| pair.strip_prefix("model="))
        .filter(|model| !model.is_empty());
    let Some(model) = model else {
        let message = "You must provide a model parameter.";
        return Err(refuse(StatusCode::BAD_REQUEST, "missing_model", message));
    };
    if protocols.contains(&"realtime") {
        let headers = response.headers_mut();
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("realtime"));
    }
    Ok((response, model.to_owned()))
}

/// The refusal that a script wants for a connection.
pub(super) fn scripted_refusal(status: u16, retry_after: Option<u32>) -> ErrorResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let (code, message) = match status.as_u16() {
        401 => ("invalid_api_key", "Incorrect API key provided."),
        429 => ("rate_limit_exceeded", "Rate limit reached."),
        _ => ("server_error", "As the script wants it."),
    };
    let mut response = refuse(status, code, message);
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn refuse(status: StatusCode, code: &str, message: &str) -> ErrorResponse {
    let body = serde_json::json!({
        "error": { "type": "invalid_request_error", "code": code, "message": message, "param": null },
    });
    let mut response = ErrorResponse::new(Some(body.to_string()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
