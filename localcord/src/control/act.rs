//! Humans do what Discord's REST lets users do, by its own routes: edit, delete and forward
//! messages, react, pin, type, open and archive threads, make webhooks, start direct messages.

use axum::{
    extract::{Request, State},
    http::{StatusCode, Uri},
    response::{IntoResponse as _, Response},
};
use tower::ServiceExt as _;

use super::{Control, Refusal, humans::Who};
use crate::rest::gate::Caller;

/// What stands in a path before Discord's own: `/humans/{human}/api`.
const OWN_PARTS: usize = 3;

/// `ANY humans/{human}/api/…`: Discord's route of that path, with this human's permissions and
/// without rate limits and faults.
pub(super) async fn act(
    State(control): State<Control>,
    Who(human): Who,
    request: Request,
) -> Response {
    let Some(uri) = route_of(request.uri()) else {
        return Refusal::new(StatusCode::NOT_FOUND, "no such route").into_response();
    };
    let (parts, body) = request.into_parts();
    // A request of its own: the path's parts of the outer one must not be in it.
    let mut inner = Request::new(body);
    *inner.method_mut() = parts.method;
    *inner.uri_mut() = uri;
    *inner.headers_mut() = parts.headers;
    inner.extensions_mut().insert(Caller { bot_id: human, application_id: 0 });
    let Ok(answer) = control.as_users.clone().oneshot(inner).await;
    answer
}

/// Discord's own part of a path, with its query.
fn route_of(uri: &Uri) -> Option<Uri> {
    let whole = uri.path_and_query()?.as_str();
    let mut slashes = whole.match_indices('/').map(|(at, _)| at);
    whole[slashes.nth(OWN_PARTS)?..].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_the_path_is_discords() {
        for (whole, expected) in [
            ("/humans/5/api/channels/1?x=/y", Some("/channels/1?x=/y")),
            ("/humans/5/api/a/%F0%9F%91%8D/@me", Some("/a/%F0%9F%91%8D/@me")),
            ("/humans/5/api/", Some("/")),
            ("/humans/5/api", None),
        ] {
            let found = route_of(&whole.parse().unwrap()).map(|uri| uri.to_string());
            assert_eq!(found.as_deref(), expected, "{whole}");
        }
    }
}
