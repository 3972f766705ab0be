//! A stage: the origin, the gateway in front of it, and viewers of either.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use domain::pool::Snapshot;
use domain::produce::Produce;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use jellyfin_alike::viewer::{Answer, Playback, Viewer};
use jellyfin_alike::{LoggedRequest, Origin, Settings, Token, User, Version};
use rustix::process::Pid;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use warmgate::app::App;
use warmgate::app::changes::Changes;
use warmgate::config::{Config, Secret};
use warmgate::lineup::Lineups;
use warmgate::supervisor::Supervisor;
use warmgate::supervisor::vital_tasks::Died;

use crate::support::wait::{eventually, soon};

/// Whether tests are to take their time: `WARMGATE_LONG` is set.
pub(crate) fn is_long() -> bool {
    std::env::var_os("WARMGATE_LONG").is_some()
}

/// How long a test watches a stream: `usual` seconds, or `long` ones.
pub(crate) fn watching(usual: u64, long: u64) -> Duration {
    Duration::from_secs(if is_long() { long } else { usual })
}

/// An origin and a gateway. Dropping it ends both.
pub(crate) struct Stage {
    origin: Option<Origin>,
    pub(crate) base: String,
    /// Where it is shown what goes on inside, if it is.
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) supervisor: Supervisor,
    pub(crate) lineups: Option<Lineups>,
    changes: Changes,
    config: Config,
    users: Vec<User>,
    stop: CancellationToken,
    serving: Mutex<Option<JoinHandle<Result<(), Died>>>>,
}

impl Stage {
    /// A quick origin, and a gateway that adopts all its streams and lets viewers go soon after their goodbye.
    pub(crate) async fn quick() -> Self {
        Self::with(|_| (), |_| ()).await
    }

    /// The same with other settings and configuration.
    pub(crate) async fn with(settings: impl FnOnce(&mut Settings), config: impl FnOnce(&mut Config)) -> Self {
        let mut asked = Settings::quick();
        settings(&mut asked);
        let origin = Origin::start(asked.clone()).await.unwrap();
        let upstream = origin.addr().to_string();
        Self::before(origin, &asked, &upstream, config).await
    }

    /// A gateway that reaches the origin through `upstream`.
    pub(crate) async fn before(
        origin: Origin,
        settings: &Settings,
        upstream: &str,
        config: impl FnOnce(&mut Config),
    ) -> Self {
        let mut asked = Config::for_upstream(&format!("http://{upstream}")).unwrap();
        asked.listen = "127.0.0.1:0".parse().unwrap();
        asked.admin.enabled = false;
        asked.admin.listen = "127.0.0.1:0".parse().unwrap();
        asked.viewers.goodbye = Duration::from_millis(200);
        asked.produce.default = Produce::Adopt;
        config(&mut asked);
        let app = App::bind(asked.clone()).await.unwrap();
        let base = format!("http://{}{}", app.local_addr(), settings.base_path);
        let (supervisor, lineups, stop) = (app.supervisor(), app.lineups(), CancellationToken::new());
        let (changes, admin) = (app.changes(), app.admin_addr());
        let serving = Mutex::new(Some(tokio::spawn(app.serve(stop.clone()))));
        let (origin, users) = (Some(origin), settings.users.clone());
        Self { origin, base, admin, supervisor, lineups, changes, config: asked, users, stop, serving }
    }

    /// Starts another gateway before the same origin, once this one has been shut down.
    pub(crate) async fn again(mut self, config: impl FnOnce(&mut Config)) -> Self {
        let origin = self.origin.take().expect("the origin is down");
        let settings = Settings { users: self.users.clone(), ..Settings::quick() };
        let upstream = origin.addr().to_string();
        Self::before(origin, &settings, &upstream, config).await
    }

    /// Changes the configuration of the running gateway; what had changed before stays. Returns what needs a restart.
    pub(crate) fn change(&mut self, config: impl FnOnce(&mut Config)) -> Vec<&'static str> {
        config(&mut self.config);
        self.changes.apply(self.config.clone())
    }

    pub(crate) fn origin(&self) -> &Origin {
        self.origin.as_ref().expect("the origin is down")
    }

    /// Ends the origin as a crash does.
    pub(crate) async fn kill_origin(&mut self) -> Settings {
        self.origin.take().expect("the origin is down").kill().await
    }

    /// Starts the origin again.
    pub(crate) async fn restart_origin(&mut self, settings: Settings) {
        self.origin = Some(Origin::start(settings).await.unwrap());
    }

    /// The item of the channel with this number, counted from 1.
    pub(crate) fn channel(&self, number: usize) -> String {
        self.origin().channels()[number - 1].item_id.clone()
    }

    /// A viewer of the gateway.
    pub(crate) fn viewer(&self, user: usize, device: &str) -> Viewer {
        let user = &self.users[user];
        Viewer::new(&self.base, user.token(), &user.id, device)
    }

    /// A viewer of the origin, past the gateway.
    pub(crate) fn direct(&self, user: usize, device: &str) -> Viewer {
        let user = &self.users[user];
        let path = self.base.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap_or_default();
        Viewer::new(format!("http://{}{path}", self.origin().addr()), user.token(), &user.id, device)
    }

    pub(crate) fn token(&self, user: usize) -> String {
        self.users[user].token().to_owned()
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.supervisor.snapshot()
    }

    /// The origin's requests whose path has this ending, in any letter case, without the gateway's warm-up request.
    pub(crate) fn asked(&self, ending: &str) -> Vec<LoggedRequest> {
        let ending = ending.to_ascii_lowercase();
        let log = self.origin().requests().into_iter();
        let nobody = "0".repeat(32);
        log.filter(|seen| seen.path.to_ascii_lowercase().ends_with(&ending) && !seen.path.contains(&nobody))
            .collect()
    }

    /// How often each segment of a job was requested.
    pub(crate) fn fetched(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for seen in self.asked(".ts").into_iter().filter(|seen| seen.path.contains("/hls/")) {
            *counts.entry(seen.path).or_default() += 1;
        }
        counts
    }

    /// The play sessions of the gateway, from the origin's requests.
    pub(crate) fn own_play_sessions(&self) -> Vec<String> {
        let own = |seen: &LoggedRequest| {
            seen.user_agent.as_deref().is_some_and(|agent| agent.starts_with("warmgate"))
        };
        let starts = self.asked("/live.m3u8").into_iter().filter(own);
        starts.filter_map(|seen| parameter(&seen.query, "PlaySessionId")).collect()
    }

    /// The FFmpegs of this gateway, by the mark in their environment.
    pub(crate) fn encoders(&self) -> Vec<Pid> {
        let mark = format!("WARMGATE_OWNER={}:", self.base.trim_start_matches("http://"));
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let marked = |pid: &i32| {
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            String::from_utf8_lossy(&environment).contains(&mark)
        };
        pids.filter(marked).filter_map(Pid::from_raw).collect()
    }

    /// Waits until no consumer is present.
    pub(crate) async fn deserted(&self) {
        eventually("everybody has left", async || self.snapshot().present() == 0).await;
    }

    /// Waits until the origin has no live stream and no job.
    pub(crate) async fn nothing_open(&self) {
        eventually("nothing is open at the origin", async || {
            let counts = self.origin().counts();
            counts.tuners_open == 0 && counts.jobs == 0
        })
        .await;
    }

    /// Ends the gateway as a signal does, and waits.
    pub(crate) async fn shut_down(&self) {
        self.stop.cancel();
        assert_eq!(self.ended().await, Ok(()));
    }

    /// Waits until the gateway has ended.
    pub(crate) async fn ended(&self) -> Result<(), Died> {
        let serving = self.serving.lock().unwrap().take();
        match serving {
            Some(serving) => soon(serving).await.unwrap(),
            None => Ok(()),
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Ok(Some(serving)) = self.serving.get_mut() {
            serving.abort();
        }
    }
}

/// Opens a channel and gets its playlist.
pub(crate) async fn tune(viewer: &Viewer, item: &str) -> (Playback, Answer) {
    let playback = soon(viewer.open(item)).await.unwrap();
    let answer = soon(viewer.poll(&playback)).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    (playback, answer)
}

/// A viewer zaps through the first channels, and leaves: all are warm. It reports as jellyfin-web does.
pub(crate) async fn warm(stage: &Stage, channels: usize) {
    let viewer = stage.viewer(0, "tv");
    for channel in 1..=channels {
        let (playback, _) = tune(&viewer, &stage.channel(channel)).await;
        soon(viewer.report(&playback, "Playing")).await.unwrap();
        soon(viewer.leave(&playback)).await.unwrap();
    }
    stage.deserted().await;
    eventually("all of them are warm", async || {
        stage.snapshot().tuners.idle == channels && stage.origin().counts().tuners_open == channels
    })
    .await;
}

/// The same as [`tune`] with more parameters, and with a playlist that has to be the gateway's.
pub(crate) async fn tune_with(viewer: &Viewer, item: &str, more: &str) -> (Playback, Answer) {
    let mut playback = soon(viewer.open(item)).await.unwrap();
    playback.playlist += more;
    let answer = poll(viewer, &playback).await;
    assert!(is_ours(&answer), "{} {}", answer.status, answer.field("cache-status"));
    (playback, answer)
}

/// A playback with segments of 1 s, which shortens all that the gateway waits for.
pub(crate) fn short(playback: Playback) -> Playback {
    Playback { playlist: format!("{}&SegmentLength=1", playback.playlist), ..playback }
}

pub(crate) async fn poll(viewer: &Viewer, playback: &Playback) -> Answer {
    soon(viewer.poll(playback)).await.unwrap()
}

/// Gets every segment of a playlist, each of which has to be MPEG-TS.
pub(crate) async fn all_fetched(viewer: &Viewer, answer: &Answer) {
    assert!(!answer.segments().is_empty(), "{}", answer.text());
    for uri in answer.segments() {
        let segment = soon(viewer.listed(answer, &uri)).await.unwrap();
        assert_eq!(segment.status, 200, "{uri}");
        assert_eq!(segment.body.first(), Some(&0x47), "{uri}");
    }
}

pub(crate) fn is_hit(answer: &Answer) -> bool {
    answer.field("cache-status").contains("; hit")
}

pub(crate) fn is_ours(answer: &Answer) -> bool {
    let is_number = |uri: &String| uri.strip_suffix(".ts").is_some_and(|name| name.parse::<u64>().is_ok());
    !answer.segments().is_empty() && answer.segments().iter().all(is_number)
}

/// The gateway's own time for a response (`total;dur` of `Server-Timing`), in milliseconds.
pub(crate) fn at_the_gateway(answer: &Answer) -> f64 {
    let (_, dur) = answer.field("server-timing").split_once("total;dur=").expect("no Server-Timing");
    dur.split(',').next().unwrap().parse().unwrap()
}

/// The path of a playlist as the server knows it, without the viewer's folder.
pub(crate) fn at_the_server(path: &str) -> String {
    match path.split_once("/hls/wg").and_then(|(before, rest)| Some((before, rest.split_once('/')?.1))) {
        Some((before, rest)) => format!("{before}/{rest}"),
        None => path.to_owned(),
    }
}

/// A parameter of a query.
pub(crate) fn parameter(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.eq_ignore_ascii_case(name).then(|| value.to_owned())
    })
}

/// A user with a device for each of `tokens`.
pub(crate) fn household(name: &str, tokens: &[&str]) -> User {
    let device = |token: &&str| Token {
        value: (*token).to_owned(),
        client: "Test".to_owned(),
        device_id: format!("device-{token}"),
    };
    User { tokens: tokens.iter().map(device).collect(), ..User::new(name) }
}

pub(crate) fn with_key(config: &mut Config, settings: &Settings) {
    config.upstream.api_key = Some(Secret::new(&settings.api_key));
}

pub(crate) const VERSIONS: [Version; 2] = [Version::V12, Version::V10_11];

/// A proxy of `origin` that delays requests whose path ends with `slow` (in lower case), for as long as `delay` says.
pub(crate) async fn delaying(
    origin: SocketAddr,
    slow: &'static str,
    delay: impl Fn() -> Duration + Clone + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // Otherwise small responses would also wait for an acknowledgement.
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<HttpConnector, Incoming> = Client::builder(TokioExecutor::new()).build(connector);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let client = client.clone();
        let delay = request.uri().path().to_ascii_lowercase().ends_with(slow).then(&delay);
        async move {
            if let Some(delay) = delay {
                tokio::time::sleep(delay).await;
            }
            let target = format!("http://{origin}{}", request.uri().path_and_query().unwrap());
            *request.uri_mut() = target.parse().unwrap();
            client.request(request).await
        }
    });
    // Ends with the test's runtime.
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
            tokio::spawn(async move { drop(connection.await) });
        }
    });
    address
}

/// A server that answers 503 to everything, as Jellyfin does while it starts.
pub(crate) async fn unavailable(address: SocketAddr) -> JoinHandle<()> {
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(|_: Request<Incoming>| async {
                let answer = Response::builder().status(503).header("connection", "close");
                answer.body(http_body_util::Empty::<bytes::Bytes>::new())
            });
            connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    })
}
