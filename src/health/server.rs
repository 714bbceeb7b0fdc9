//! The HTTP side: axum on one listener, read-only.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{
        Html, IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
    routing::get,
};
use futures_util::{Stream, stream};
use serde::Serialize;
use tokio::{net::TcpListener, task::JoinHandle, time::MissedTickBehavior};

use super::{Verdict, Watch, metrics};

/// The page, whole: no build step, nothing fetched from elsewhere.
const PAGE: &str = include_str!("page.html");
/// How often a watcher is told.
const EVERY: Duration = Duration::from_millis(500);
/// Watchers at once; further ones are told to come back.
const MOST_WATCHERS: usize = 16;

/// A listener that is bound and not served yet.
#[derive(Debug)]
pub(crate) struct Door {
    listener: TcpListener,
}

/// A door that is served, until it is dropped.
#[derive(Debug)]
pub(crate) struct Bound {
    /// Where.
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Bound {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Door {
    /// Listens; port 0 takes any that is free.
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await? })
    }

    /// Serves what `watch` knows.
    pub(crate) fn serve(self, watch: Watch) -> io::Result<Bound> {
        let address = self.listener.local_addr()?;
        let shared = Arc::new(Shared { watch, watchers: AtomicUsize::new(0) });
        let router = Router::new()
            .route("/", get(page))
            .route("/healthz", get(health))
            .route("/metrics", get(scrape))
            .route("/api/state", get(state))
            .route("/api/events", get(events))
            .with_state(shared);
        // Only where nobody but this machine can reach it is a foreign name a trick.
        let router = match address.ip().is_loopback() {
            true => router.layer(middleware::from_fn(only_local_names)),
            false => router,
        };
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(self.listener, router).await {
                tracing::warn!("the health port is closed: {error}");
            }
        });
        Ok(Bound { address, task })
    }
}

struct Shared {
    watch: Watch,
    watchers: AtomicUsize,
}

/// What the page is told.
#[derive(Serialize)]
struct Told {
    version: &'static str,
    verdict: Verdict,
    board: clawvoice_voice::board::BoardView,
}

impl Shared {
    fn told(&self, after: u64) -> Told {
        let board = self.watch.view(after);
        let verdict = Verdict::of(self.watch.health(), &board);
        Told { version: env!("CARGO_PKG_VERSION"), verdict, board }
    }
}

/// A page of somewhere else that has made its name point to this machine must not read what we
/// tell: its requests carry that name.
async fn only_local_names(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let name = host.map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name));
    match name {
        Some("127.0.0.1" | "localhost" | "[::1]") => next.run(request).await,
        _ => (StatusCode::FORBIDDEN, "this port answers to localhost only\n").into_response(),
    }
}

async fn page() -> Response {
    let mut response = Html(PAGE).into_response();
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                  connect-src 'self'; img-src data:";
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

async fn health(State(shared): State<Arc<Shared>>) -> Response {
    let verdict = shared.watch.verdict();
    let status = if verdict.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(verdict)).into_response()
}

async fn scrape(State(shared): State<Arc<Shared>>) -> Response {
    let watch = &shared.watch;
    let text = metrics::text(&watch.totals(), &watch.health(), watch.uptime());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

async fn state(State(shared): State<Arc<Shared>>) -> Response {
    Json(shared.told(0)).into_response()
}

async fn events(State(shared): State<Arc<Shared>>) -> Response {
    let Some(seat) = Seat::take(&shared) else {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return (status, "too many watch already; close a page\n").into_response();
    };
    Sse::new(told(seat)).keep_alive(KeepAlive::default()).into_response()
}

/// One watcher's place, given back when they leave.
struct Seat {
    shared: Arc<Shared>,
}

impl Seat {
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        let before = shared.watchers.fetch_add(1, Ordering::Relaxed);
        let seat = Self { shared: Arc::clone(shared) };
        (before < MOST_WATCHERS).then_some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shared.watchers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Everything at first, then what is new, again and again.
fn told(seat: Seat) -> impl Stream<Item = Result<Event, Infallible>> {
    let mut pace = tokio::time::interval(EVERY);
    pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
    stream::unfold((seat, pace, 0), |(seat, mut pace, after)| async move {
        pace.tick().await;
        let told = seat.shared.told(after);
        let next = told.board.seq;
        // Plain data: it always serialises.
        let event = Event::default().json_data(&told).unwrap_or_default();
        Some((Ok(event), (seat, pace, next)))
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use clawvoice_session::{
        SessionTime,
        timeline::{Level, Record},
    };
    use clawvoice_voice::shell::clock::SessionClock;
    use futures_util::StreamExt as _;

    use super::{
        super::{GatewayHealth, Health},
        *,
    };

    async fn served(connected: bool) -> (Watch, Bound) {
        let watch = Watch::new(SessionClock::start(), move || Health {
            gateway: GatewayHealth {
                connected,
                heartbeats_answered: connected,
                ..GatewayHealth::default()
            },
            ..Health::default()
        });
        let door = Door::open((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let bound = door.serve(watch.clone()).unwrap();
        (watch, bound)
    }

    async fn get(bound: &Bound, path: &str) -> reqwest::Response {
        reqwest::get(format!("http://{}{path}", bound.address)).await.unwrap()
    }

    #[tokio::test]
    async fn health_is_a_status_and_a_reason() {
        let (_watch, well) = served(true).await;
        assert_eq!(get(&well, "/healthz").await.status(), 200);
        let (_watch, ill) = served(false).await;
        let answer = get(&ill, "/healthz").await;
        assert_eq!(answer.status(), 503);
        let verdict: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(verdict["problems"][0], "not connected to Discord");
    }

    #[tokio::test]
    async fn metrics_and_state_tell_of_calls() {
        let (watch, bound) = served(true).await;
        let joined = Record::new(SessionTime::from_millis(1), Level::Info, "joined")
            .with("guild", "1")
            .with("channel", "5");
        watch.record(&joined);
        let metrics = get(&bound, "/metrics").await.text().await.unwrap();
        assert!(metrics.contains("\nclawvoice_joins_total 1\n"), "{metrics}");
        assert!(metrics.contains("\nclawvoice_calls 1\n"), "{metrics}");
        let state: serde_json::Value = get(&bound, "/api/state").await.json().await.unwrap();
        assert_eq!(state["board"]["calls"][0]["channel"], "5");
        let page = get(&bound, "/").await;
        assert!(page.headers().contains_key("content-security-policy"));
        assert!(page.text().await.unwrap().starts_with("<!doctype html>"));
    }

    #[tokio::test]
    async fn events_tell_everything_and_then_what_is_new() {
        let (watch, bound) = served(true).await;
        let line = |ms, line: &'static str| {
            Record::new(SessionTime::from_millis(ms), Level::Info, line)
                .with("guild", "1")
                .with("channel", "5")
        };
        watch.record(&line(1, "joined"));
        let mut stream = get(&bound, "/api/events").await.bytes_stream();
        let mut next = async || {
            let bytes = stream.next().await.unwrap().unwrap();
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            let told: serde_json::Value =
                serde_json::from_str(text.trim().strip_prefix("data: ").unwrap()).unwrap();
            let lines = told["board"]["calls"][0]["lines"].as_array().unwrap();
            lines.iter().map(|line| line["text"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(next().await, ["joined guild=1 channel=5"]);
        assert!(next().await.is_empty());
        watch.record(&line(2, "realtime error"));
        assert_eq!(next().await, ["realtime error guild=1 channel=5"]);
    }

    #[tokio::test]
    async fn a_foreign_name_for_this_machine_is_refused() {
        let (_watch, bound) = served(true).await;
        let asked = reqwest::Client::new()
            .get(format!("http://{}/api/state", bound.address))
            .header("host", "evil.example");
        assert_eq!(asked.send().await.unwrap().status(), 403);
    }

    #[tokio::test]
    async fn watchers_are_counted_and_their_places_given_back() {
        let (_watch, bound) = served(true).await;
        let mut open = Vec::new();
        for _ in 0..MOST_WATCHERS {
            open.push(get(&bound, "/api/events").await);
        }
        assert_eq!(get(&bound, "/api/events").await.status(), 503);
        open.clear();
        // The server notices a watcher that left at its next event.
        let again = async {
            while get(&bound, "/api/events").await.status() != 200 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), again).await.unwrap();
    }
}
