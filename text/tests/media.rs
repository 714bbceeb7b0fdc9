//! Files that people send, from a server that means well and from servers that do not.

#![allow(clippy::unwrap_used, reason = "a step that fails is the test's failure")]

use std::{convert::Infallible, io::Write as _, path::Path, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use clawvoice_session::UserId;
use clawvoice_text::{
    media::sniff::MediaKind,
    message::Attachment,
    shell::{
        media::{Fetched, MediaFiles, MediaSettings, SavedFile, Unavailable},
        rest::{DiscordRest, RestSettings},
    },
};
use futures_util::{StreamExt as _, stream};
use tempfile::TempDir;
use tokio::net::TcpListener;

const MAX: u64 = 1000;
const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(60);
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

struct Scene {
    folder: TempDir,
    base: String,
    files: MediaFiles,
}

/// A chunked answer of so many pieces, each after `wait`.
fn pieces(count: usize, size: usize, wait: Duration) -> Body {
    let pieces = stream::iter(0..count).then(move |_| async move {
        tokio::time::sleep(wait).await;
        Ok::<_, Infallible>(Bytes::from(vec![b'x'; size]))
    });
    Body::from_stream(pieces)
}

/// A million zeros, as gzip: a thousand bytes.
fn bomb() -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&vec![0; 900_000]).unwrap();
    gzip.finish().unwrap()
}

async fn serve(uri: Uri) -> Response {
    let moved = |to: &str| (StatusCode::FOUND, [(header::LOCATION, to)]).into_response();
    match uri.path() {
        "/cat.png" => ([(header::CONTENT_TYPE, "text/html")], PNG).into_response(),
        "/hello.txt" => "hello\nthere".into_response(),
        "/bomb" => ([(header::CONTENT_ENCODING, "gzip")], bomb()).into_response(),
        "/exact" => vec![b'x'; 1000].into_response(),
        "/large" => vec![b'x'; 1001].into_response(),
        "/endless" => pieces(usize::MAX, 400, Duration::ZERO).into_response(),
        "/silent" => std::future::pending().await,
        "/stalled" => pieces(2, 1, Duration::from_secs(3600)).into_response(),
        "/dripping" => pieces(usize::MAX, 1, Duration::from_millis(10)).into_response(),
        "/moved" => moved("/cat.png"),
        "/circle" => moved("circle"),
        "/inside" => moved("http://169.254.169.254/latest/meta-data"),
        "/port" => moved("http://127.0.0.1:1/cat.png"),
        "/file" => moved("file:///etc/passwd"),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn scene() -> Scene {
    patient(LONG, LONG).await
}

/// Waits so long for something, and so long for all.
async fn patient(idle: Duration, total: Duration) -> Scene {
    let app = Router::new().fallback(get(serve));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let folder = tempfile::tempdir().unwrap();
    let token = "secret".to_owned().into();
    let discord = DiscordRest::new(&token, Some(&base), None, &RestSettings::default()).unwrap();
    let settings =
        MediaSettings { max_bytes: MAX, max_files: 3, idle, total, ..MediaSettings::default() };
    let files = MediaFiles::new(folder.path().join("media"), &discord, None, settings);
    Scene { folder, base, files }
}

impl Scene {
    fn attachment(&self, path: &str, kind: &str) -> Attachment {
        Attachment {
            filename: format!("../{}", path.trim_start_matches('/')),
            content_type: Some(kind.to_owned()),
            size: 1,
            url: format!("{}{path}", self.base),
            duration_secs: None,
        }
    }

    async fn fetch(&self, path: &str, kind: &str) -> Result<SavedFile, Unavailable> {
        let fetched = self.files.fetch(UserId::new(7), &[self.attachment(path, kind)]).await;
        match <[Fetched; 1]>::try_from(fetched).unwrap() {
            [Fetched::Saved(saved)] => Ok(saved),
            [Fetched::Unavailable(reason)] => Err(reason),
        }
    }

    /// Files and folders that were left behind.
    fn left(&self) -> usize {
        std::fs::read_dir(self.folder.path().join("media")).unwrap().count()
    }
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn files_are_kept_for_their_owner_and_are_what_their_bytes_say() {
    let scene = scene().await;
    let cat = scene.fetch("/cat.png", "text/html").await.unwrap();
    assert_eq!((cat.kind, cat.bytes, &cat.text), (MediaKind::Png, PNG.len() as u64, &None));
    assert_eq!(std::fs::read(&cat.path).unwrap(), PNG);
    assert_eq!(cat.path.file_name().unwrap(), "1-_cat.png");
    assert!(cat.path.starts_with(scene.folder.path().join("media")));
    #[cfg(unix)]
    assert_eq!((mode(&cat.path), mode(cat.path.parent().unwrap())), (0o600, 0o700));
    let hello = scene.fetch("/hello.txt", "text/plain").await.unwrap();
    assert_eq!((hello.kind, hello.text.as_deref()), (MediaKind::Text, Some("hello\nthere")));
    assert_eq!(scene.fetch("/exact", "text/plain").await.unwrap().bytes, MAX);
}

/// Pictures of what was said before are nobody's in the folder of files, so that nothing of them may
/// stay there; what came with the question does.
#[tokio::test]
async fn what_was_only_looked_at_leaves_nothing() {
    let scene = scene().await;
    scene.fetch("/hello.txt", "text/plain").await.unwrap();
    let two = ["/cat.png", "/exact"].map(|path| scene.attachment(path, "image/png"));
    let fetched = scene.files.fetch_within(&two, LONG, LONG).await;
    let looked_at: Vec<SavedFile> = fetched.into_iter().filter_map(Fetched::saved).collect();
    assert_eq!((looked_at.len(), scene.left()), (2, 2));
    scene.files.discard(&looked_at).await;
    assert_eq!(scene.left(), 1);
}

/// Scenario 57 of the text scenarios.
#[tokio::test]
async fn an_address_inside_is_refused_directly_and_by_redirect() {
    let scene = scene().await;
    assert!(scene.fetch("/moved", "image/png").await.is_ok());
    for path in ["/inside", "/port", "/file"] {
        assert_eq!(scene.fetch(path, "image/png").await, Err(Unavailable::NotAllowed), "{path}");
    }
    let circle = scene.fetch("/circle", "image/png").await;
    assert_eq!(circle, Err(Unavailable::Unreachable("it moves on and on".to_owned())));
    for url in ["http://127.0.0.1:1/a", "http://localhost/a", "https://[::1]/a", ""] {
        let attachment = Attachment { url: url.to_owned(), ..scene.attachment("/a", "") };
        let fetched = scene.files.fetch(UserId::new(7), &[attachment]).await;
        assert_eq!(fetched, [Fetched::Unavailable(Unavailable::NotAllowed)], "{url}");
    }
    assert_eq!(scene.fetch("/gone", "").await, Err(Unavailable::Status(404)));
    assert_eq!(scene.left(), 1, "the one that was moved");
}

#[tokio::test]
async fn what_is_too_large_is_cut_off_whatever_it_claims() {
    let scene = scene().await;
    let too_large = Err(Unavailable::TooLarge(MAX));
    assert_eq!(scene.fetch("/large", "").await, too_large);
    assert_eq!(scene.fetch("/endless", "").await, too_large);
    let claimed = Attachment { size: MAX + 1, ..scene.attachment("/cat.png", "") };
    let fetched = scene.files.fetch(UserId::new(7), &[claimed]).await;
    assert_eq!(fetched, [Fetched::Unavailable(Unavailable::TooLarge(MAX))]);
    assert_eq!(scene.left(), 0);
}

#[tokio::test]
async fn nothing_is_unpacked() {
    let scene = scene().await;
    let bomb = scene.fetch("/bomb", "application/zip").await.unwrap();
    assert_eq!((bomb.kind, bomb.text), (MediaKind::Other, None));
    assert_eq!(std::fs::read(&bomb.path).unwrap(), self::bomb());
    assert!(bomb.bytes < MAX);
}

#[tokio::test]
async fn nobody_is_waited_for_longer_than_allowed() {
    let scene = patient(SHORT, LONG).await;
    for path in ["/silent", "/stalled"] {
        assert_eq!(scene.fetch(path, "").await, Err(Unavailable::Stalled(SHORT)), "{path}");
    }
    assert_eq!(scene.left(), 0);
    let scene = patient(LONG, SHORT).await;
    assert_eq!(scene.fetch("/dripping", "").await, Err(Unavailable::Slow(SHORT)));
    assert_eq!(scene.left(), 0);
}

#[tokio::test]
async fn each_file_of_a_message_has_its_own_end() {
    let scene = scene().await;
    let paths = ["/gone", "/cat.png", "/hello.txt", "/cat.png"];
    let attachments = paths.map(|path| scene.attachment(path, "text/plain"));
    let fetched = scene.files.fetch(UserId::new(7), &attachments).await;
    let [
        Fetched::Unavailable(gone),
        Fetched::Saved(cat),
        Fetched::Saved(hello),
        Fetched::Unavailable(more),
    ] = fetched.as_slice()
    else {
        panic!("{fetched:?}")
    };
    assert_eq!((gone, more), (&Unavailable::Status(404), &Unavailable::TooMany));
    assert_eq!(cat.path.parent(), hello.path.parent());
    assert_eq!(hello.path.file_name().unwrap(), "3-_hello.txt");
    assert_eq!(scene.files.fetch(UserId::new(7), &[]).await, []);
    assert_eq!(scene.left(), 1);
}
