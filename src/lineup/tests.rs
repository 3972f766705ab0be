//! Playlists over real sockets and from real files.

use std::convert::Infallible;
use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ETAG, IF_NONE_MATCH, REFERER};
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::fetch::Timeouts;
use crate::lineup::allowance::Allowance;
use domain::lineup::entry::Flaw;
use domain::lineup::source::SourceUrl;

const INTERVALS: Intervals = Intervals { look: Duration::from_millis(10), retry: Duration::from_millis(10) };

const ONE: &str = "#EXTINF:-1,One\nhttp://a/1\n";
const TWO: &str = "#EXTINF:-1,One\nhttp://a/1\n#EXTINF:-1,Two\nhttp://a/2\n#EXTINF:-1,Three\nplugin://x\n";

/// A provider that gives what it was told to, under an `ETag` of its length, and notes what it was asked.
#[derive(Clone, Default)]
struct Provider(Arc<Mutex<(u16, Bytes, Vec<HeaderMap>)>>);

impl Provider {
    async fn start(self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://me:secret@{}/list.m3u", listener.local_addr().unwrap());
        let service = service_fn(move |request: Request<Incoming>| {
            let mut state = self.0.lock().unwrap();
            state.2.push(request.headers().clone());
            let tag = format!("\"{}\"", state.1.len());
            let known = request.headers().get(IF_NONE_MATCH).is_some_and(|known| known == tag.as_str());
            let (status, body) = if known { (304, Bytes::new()) } else { (state.0, state.1.clone()) };
            let answer = Response::builder().status(status).header(ETAG, tag).body(Full::new(body)).unwrap();
            async move { Ok::<_, Infallible>(answer) }
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone()));
            }
        });
        url
    }

    fn gives(&self, status: u16, body: impl Into<Bytes>) {
        let mut state = self.0.lock().unwrap();
        (state.0, state.1) = (status, body.into());
    }

    fn asked(&self) -> Vec<HeaderMap> {
        self.0.lock().unwrap().2.clone()
    }

    /// Returns when it has been asked `more` times from now on.
    async fn asked_again(&self, more: usize) {
        let before = self.asked().len();
        let asked = async {
            while self.asked().len() < before + more {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        soon(asked).await;
    }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("took too long")
}

fn fetcher() -> Fetcher {
    Fetcher::new(Timeouts { connect: Duration::from_secs(5), response: Duration::from_secs(5) })
}

fn playlist(location: Location) -> Playlist {
    let rules = Rules { headers: vec![("Referer".to_owned(), "http://r/".to_owned())], ..Rules::default() };
    Playlist { location, tuners: 1, reload: Duration::from_millis(20), guide: None, rules }
}

fn start(location: Location, folder: Option<PathBuf>) -> Lineups {
    Lineups::start(vec![playlist(location)], &fetcher(), folder, None, INTERVALS)
}

async fn has(lineups: &Lineups, channels: usize) -> Arc<Lineup> {
    let mut changed = lineups.changed();
    let found = soon(changed.wait_for(|lineup| lineup.channels().len() == channels)).await.unwrap();
    Arc::clone(&found)
}

#[tokio::test]
async fn a_playlist_is_asked_for_again_and_taken_only_if_it_is_new() {
    let provider = Provider::default();
    provider.gives(200, ONE);
    let url = provider.clone().start().await;
    let lineups = start(Location::Url(SourceUrl::new(url)), None);
    has(&lineups, 1).await;
    let changed = lineups.changed();
    provider.asked_again(3).await;
    assert!(!changed.has_changed().unwrap(), "304 is no change");
    assert!(provider.asked().iter().all(|headers| headers[REFERER] == "http://r/"));
    assert!(provider.asked()[1].contains_key(IF_NONE_MATCH));
    provider.gives(200, TWO);
    has(&lineups, 2).await;
}

#[tokio::test]
async fn what_is_known_stays_when_nothing_good_comes() {
    let provider = Provider::default();
    provider.gives(200, TWO);
    let url = provider.clone().start().await;
    let lineups = start(Location::Url(SourceUrl::new(url)), None);
    has(&lineups, 2).await;
    for (status, body) in [(500, TWO.repeat(2)), (200, "<html>sorry</html>".into()), (200, String::new())] {
        provider.gives(status, body);
        provider.asked_again(2).await;
        assert_eq!(lineups.current().channels().len(), 2);
    }
    provider.gives(200, ONE);
    has(&lineups, 1).await;
}

#[tokio::test]
async fn the_last_good_copy_does_for_a_start_without_the_provider() {
    let folder = tempfile::tempdir().unwrap();
    let provider = Provider::default();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(TWO.as_bytes()).unwrap();
    provider.gives(200, packed.finish().unwrap());
    let url = SourceUrl::new(provider.clone().start().await);
    let lineups = start(Location::Url(url.clone()), Some(folder.path().to_owned()));
    has(&lineups, 2).await;
    provider.asked_again(2).await;
    drop(lineups);
    provider.gives(503, "");
    let lineups = start(Location::Url(url), Some(folder.path().to_owned()));
    has(&lineups, 2).await;
    provider.asked_again(2).await;
    assert_eq!(lineups.current().channels().len(), 2);
}

#[tokio::test]
async fn a_file_is_read_again_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.m3u");
    let lineups = start(Location::File(path.clone()), None);
    assert_eq!(lineups.current().channels().len(), 0, "not yet there");
    std::fs::write(&path, ONE).unwrap();
    has(&lineups, 1).await;
    std::fs::write(&path, TWO).unwrap();
    has(&lineups, 2).await;
}

/// Whoever is asked over a network has no say in what is read from this machine's disk.
#[tokio::test]
async fn only_a_file_names_files() {
    const FILES: &str = "#EXTINF:-1,One\nhttp://a/1\n#EXTINF:-1,Two\n/etc/passwd\n#EXTINF:-1,Three\nFILE:///etc/group\n\
        #KODIPROP:inputstream.adaptive.manifest_type=hls\n#EXTINF:-1,Four\n/etc/hosts\n";
    let (folder, provider) = (tempfile::tempdir().unwrap(), Provider::default());
    let path = folder.path().join("list.m3u");
    std::fs::write(&path, FILES).unwrap();
    has(&start(Location::File(path), None), 4).await;
    provider.gives(200, FILES);
    let there = playlist(Location::Url(SourceUrl::new(provider.clone().start().await)));
    let got = fetch_all(std::slice::from_ref(&there), &fetcher()).await.remove(0).unwrap();
    assert_eq!(got.entries.iter().map(|entry| &entry.name).collect::<Vec<_>>(), ["One"]);
    let said: Vec<_> = got.complaints.iter().map(|complaint| (complaint.line, complaint.flaw)).collect();
    assert_eq!(said, [(4, Flaw::File), (6, Flaw::File), (9, Flaw::File)]);
    has(&start(there.location, None), 1).await;
}

#[tokio::test]
async fn a_guide_has_the_programmes_of_our_channels() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.m3u");
    let provider = Provider::default();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    let guide = "<tv><programme channel=\"one\"><title>Now</title></programme><programme channel=\"two\"></programme></tv>";
    packed.write_all(guide.as_bytes()).unwrap();
    provider.gives(200, packed.finish().unwrap());
    let url = provider.clone().start().await;
    std::fs::write(&path, format!("#EXTM3U url-tvg=\"{url}\"\n#EXTINF:-1 tvg-id=\"one\",One\nhttp://a/1\n"))
        .unwrap();
    let lineups = start(Location::File(path), None);
    has(&lineups, 1).await;
    let guide = soon(lineups.guide()).await;
    assert!(guide.contains("<title>Now</title></programme>") && !guide.contains("two"), "{guide}");
    assert_eq!(provider.asked()[0][REFERER], "http://r/");
    provider.gives(500, "");
    assert!(soon(lineups.guide()).await.contains("<channel id=\"one\">"), "without programmes, but a guide");
}

#[tokio::test]
async fn once_tells_why_there_is_none() {
    let provider = Provider::default();
    provider.gives(403, "");
    let url = provider.start().await;
    let locations = [Location::Url(SourceUrl::new(url)), Location::File("/no/such/list".into())];
    let got = fetch_all(&locations.map(playlist), &fetcher()).await;
    let said: Vec<_> = got.into_iter().map(|got| got.unwrap_err().to_string()).collect();
    assert_eq!(said, ["its server answers 403 Forbidden", "it cannot be read"]);
}

/// Asks a device at `url` how many channels it can have open; the receiver has what it tells.
fn ask_device(url: &str, reload: Duration) -> (AbortOnDropHandle<()>, mpsc::UnboundedReceiver<Option<u32>>) {
    let url = url.replace("/list.m3u", "/lineup.m3u");
    let playlist = Playlist { reload, ..playlist(Location::Url(SourceUrl::new(url))) };
    let (tell, told) = mpsc::unbounded_channel();
    let tell = move |limit: Option<TunerLimit>| tell.send(limit.map(|limit| limit.count)).unwrap();
    let asking = Allowance::of(&playlist, &fetcher()).unwrap().run(INTERVALS.retry, tell);
    (AbortOnDropHandle::new(tokio::spawn(asking)), told)
}

#[tokio::test]
async fn a_provider_that_is_busy_is_soon_asked_again_for_its_limit() {
    for status in [408, 429, 500, 503] {
        let provider = Provider::default();
        provider.gives(status, "");
        let url = provider.clone().start().await;
        let (_asking, mut told) = ask_device(&url, Duration::from_secs(3600));
        provider.asked_again(1).await;
        provider.gives(200, r#"{"TunerCount":2}"#);
        assert_eq!(soon(told.recv()).await, Some(Some(2)), "{status}");
    }
}

#[tokio::test]
async fn a_limit_holds_until_another_answer_is_understood() {
    let provider = Provider::default();
    provider.gives(200, r#"{"TunerCount":2}"#);
    let url = provider.clone().start().await;
    let (_asking, mut told) = ask_device(&url, INTERVALS.retry);
    assert_eq!(soon(told.recv()).await, Some(Some(2)));
    for (status, other) in [(200, "<html>sign in</html>"), (200, "{}"), (200, ""), (404, ""), (503, "")] {
        provider.gives(status, other);
        provider.asked_again(2).await;
    }
    assert!(told.try_recv().is_err(), "nothing has been told");
    provider.gives(200, r#"{"TunerCount":0}"#);
    assert_eq!(soon(told.recv()).await, Some(None));
    provider.gives(200, r#"{"TunerCount":3}"#);
    assert_eq!(soon(told.recv()).await, Some(Some(3)));
}
