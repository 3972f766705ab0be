//! The provider's channels as inputs of the gateway: one connection per channel for all viewers and readers, and never more
//! than the provider allows.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use domain::guid;
use domain::lineup::source::SourceUrl;
use domain::lineup::{Override, Rules};
use domain::mpegts::facts::VideoCodec;
use domain::mpegts::packet::Packet;
use domain::mpegts::scan::Scan;
use domain::produce::{Produce, ProductionMethod};
use domain::producer::State;
use domain::reason::Failure;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tempfile::TempDir;
use tokio::process::Command;
use warmgate::body;
use warmgate::config::{ClientRule, ClientSettings, Conditions, Config, Location, Playlist, Secret};

use crate::support::log::Log;
use crate::support::provider::{PICTURE, Provider};
use crate::support::stage::{Stage, all_fetched, is_ours, tune, tune_with};
use crate::support::wait::{eventually, soon};
use crate::support::watch::Watch;

const PATIENCE: Duration = Duration::from_secs(25);
const TOKEN: &str = "t0k-s3cr3t";

/// A stage whose gateway has a lineup of two channels, the origin's first ones.
struct Play {
    stage: Stage,
    folder: TempDir,
}

/// Writes a playlist of the origin's channels, with the URLs from which the origin computes its ids.
pub(crate) fn write_list(folder: &Path, channels: usize) {
    let mut list = "#EXTM3U\n".to_owned();
    for number in 1..=channels {
        let _ = write!(
            list,
            "#EXTINF:-1 tvg-id=\"c{number}\",C {number}\nhttp://127.0.0.1:9981/ch/{number}.ts\n"
        );
    }
    std::fs::write(folder.join("list.m3u"), list).unwrap();
}

impl Play {
    /// Each channel is pulled from all of `providers`, in order.
    async fn before(providers: &[&Provider], tuners: u32, config: impl FnOnce(&mut Config)) -> Self {
        let urls = |number| {
            providers.iter().map(|provider| SourceUrl::new(provider.url(number))).collect::<Vec<_>>()
        };
        Self::with(urls, tuners, config).await
    }

    /// Each channel is pulled from its `urls`.
    async fn with(
        urls: impl Fn(usize) -> Vec<SourceUrl>,
        tuners: u32,
        config: impl FnOnce(&mut Config),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_list(folder.path(), 2);
        let channel = |number: usize| Override {
            channel: format!("c{number}"),
            urls: urls(number),
            user_agent: Some("tv".to_owned()),
            ..Override::default()
        };
        let playlist = Playlist {
            location: Location::File(folder.path().join("list.m3u")),
            tuners,
            reload: Duration::from_millis(50),
            guide: None,
            rules: Rules { overrides: vec![channel(1), channel(2)], ..Rules::default() },
        };
        let stage = Stage::with(
            |_| (),
            |asked| {
                asked.produce.default = Produce::Auto;
                asked.lineup = vec![playlist];
                asked.lineup_server.enabled = true;
                asked.lineup_server.token = Some(Secret::new(TOKEN));
                asked.window.join = Duration::from_secs(3);
                config(asked);
            },
        )
        .await;
        let play = Self { stage, folder };
        eventually("the playlist is read", async || play.head(1).await == 200).await;
        play
    }

    fn uri(&self, number: usize) -> String {
        let id = guid::md5(&format!("warmgate lineup: c{number} #1"));
        format!("{}/lineup/{id}.ts?token={TOKEN}", self.stage.base)
    }

    async fn head(&self, number: usize) -> u16 {
        ask("HEAD", &self.uri(number)).await.0.as_u16()
    }

    /// Opens a channel's raw stream and reads at least `bytes`.
    async fn read(&self, number: usize, bytes: usize) -> Incoming {
        let (status, headers, mut body) = ask("GET", &self.uri(number)).await;
        assert_eq!((status.as_u16(), &headers["content-type"]), (200, &"video/mp2t".parse().unwrap()));
        let (mut came, mut first) = (0, None);
        while came < bytes {
            let data = soon(body.frame()).await.unwrap().unwrap().into_data().unwrap();
            first = first.or(data.first().copied());
            came += data.len();
        }
        assert_eq!(first, Some(0x47));
        body
    }

    fn methods(&self) -> Vec<ProductionMethod> {
        self.stage.snapshot().streams.iter().map(|stream| stream.method).collect()
    }

    /// How often the gateway requested a raw stream of the origin.
    fn taps(&self) -> usize {
        let own = |agent: &String| agent.starts_with("warmgate");
        let asked = self.stage.asked("/stream.ts");
        asked.iter().filter(|seen| seen.user_agent.as_ref().is_some_and(own)).count()
    }
}

async fn ask(method: &str, uri: &str) -> (StatusCode, HeaderMap, Incoming) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::builder().method(method).uri(uri).body(body::empty()).unwrap();
    let (head, body) = soon(client.request(request)).await.unwrap().into_parts();
    (head.status, head.headers, body)
}

#[test]
fn one_connection_serves_every_profile_and_every_reader() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let dispatch = tracing::Dispatch::new(subscriber);
    // A default for the whole process would record the other tests too.
    let _default = tracing::dispatcher::set_default(&dispatch);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .on_thread_start(move || std::mem::forget(tracing::dispatcher::set_default(&dispatch)))
        .build()
        .unwrap();
    runtime.block_on(serve_every_profile_and_every_reader());
    let logged = log.text();
    assert!(logged.contains("connected"));
    let told: Vec<_> =
        logged.lines().filter(|line| line.contains("s3cr3t") && line.contains("warmgate")).collect();
    assert!(told.is_empty(), "{told:?}");
}

async fn serve_every_profile_and_every_reader() {
    let provider = Provider::start().await;
    // Of a playlist that limits connections, an open channel takes no second one.
    let play = Play::before(&[&provider], 1, |_| ()).await;
    let readers = (play.read(1, 100_000).await, play.read(1, 100_000).await);
    let mut watched = Vec::new();
    for (user, length) in [(0, 1), (1, 2), (0, 3)] {
        let viewer = play.stage.viewer(user, &format!("tv-{length}"));
        let (playback, answer) =
            tune_with(&viewer, &play.stage.channel(1), &format!("&SegmentLength={length}")).await;
        all_fetched(&viewer, &answer).await;
        watched.push((viewer, playback));
    }
    assert_eq!(play.methods(), [ProductionMethod::Own; 3]);
    assert_eq!((provider.asked().len(), provider.most(), play.taps()), (1, 1, 0));
    let asked = provider.asked().remove(0).to_lowercase();
    assert!(
        asked.starts_with("get /live/s3cr3t/1.ts?key=s3cr3t ") && asked.contains("user-agent: tv"),
        "{asked}"
    );
    drop(readers);
    play.stage.shut_down().await;
    eventually("nothing is connected", async || provider.open() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_is_pulled_where_it_counts_no_connections() {
    let provider = Provider::start().await;
    let play = Play::before(&[&provider], 0, |config| {
        config.warm.encode = Duration::from_millis(500);
        config.warm.feed = Duration::from_millis(500);
    })
    .await;
    let viewer = play.stage.viewer(0, "tv");
    let (playback, answer) = tune(&viewer, &play.stage.channel(1)).await;
    assert!(is_ours(&answer), "{}", answer.field("cache-status"));
    assert_eq!((play.methods(), provider.asked().len(), play.taps()), (vec![ProductionMethod::Own], 1, 0));
    soon(viewer.leave(&playback)).await.unwrap();
    eventually("it is let go", async || provider.open() == 0).await;
}

/// Nothing stays warm for those who have left.
fn let_go_at_once(config: &mut Config) {
    config.viewers.goodbye = Duration::ZERO;
    config.warm.encode = Duration::from_millis(50);
    config.warm.feed = Duration::from_millis(50);
}

/// FFmpeg is started before the source has shown what it carries, for what it carried the last time.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_channel_carries_is_remembered() {
    let provider = Provider::start().await;
    let play = Play::before(&[&provider], 0, let_go_at_once).await;
    let watched = async |device: &str, encoders: usize| {
        let viewer = play.stage.viewer(0, device);
        let (playback, _) = tune_with(&viewer, &play.stage.channel(1), "&MaxHeight=90").await;
        eventually("as many run", async || play.stage.encoders().len() == encoders).await;
        assert_eq!(play.methods(), [ProductionMethod::Own]);
        soon(viewer.leave(&playback)).await.unwrap();
    };
    watched("tv", 1).await;
    eventually("nothing runs", async || play.stage.encoders().is_empty()).await;
    eventually("nothing is connected", async || provider.open() == 0).await;
    provider.keep(true);
    let early = async {
        eventually("FFmpeg is started", async || play.stage.encoders().len() == 1).await;
        provider.keep(false);
    };
    tokio::join!(watched("phone", 1), early);
    eventually("nothing runs", async || play.stage.encoders().is_empty()).await;
    // Now the channel carries something else, and FFmpeg was started for the wrong thing.
    eventually("nothing is connected", async || provider.open() == 0).await;
    provider.show("640x80");
    watched("tablet", 0).await;
}

/// Although FFmpeg was started already, a channel that turns out scrambled is left to the server at once.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_scrambled_by_now_is_left_to_the_server_at_once() {
    let provider = Provider::start().await;
    let play = Play::before(&[&provider], 0, let_go_at_once).await;
    for method in [ProductionMethod::Own, ProductionMethod::Adopted] {
        let viewer = play.stage.viewer(0, "tv");
        let (playback, _) = tune_with(&viewer, &play.stage.channel(1), "&MaxHeight=90").await;
        assert_eq!(play.methods(), [method]);
        soon(viewer.leave(&playback)).await.unwrap();
        eventually("nothing is connected", async || provider.open() == 0).await;
        provider.scramble();
    }
    assert_eq!(play.stage.snapshot().tally.failures, [(Failure::Unsuitable, 1)].into());
}

/// The server tunes at the provider, and has a connection for the channel already.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_provider_that_counts_connections_no_second_one_is_taken() {
    let provider = Provider::start().await;
    let play = Play::before(&[&provider], 1, |_| ()).await;
    let (_, answer) = tune(&play.stage.viewer(0, "tv"), &play.stage.channel(1)).await;
    assert!(is_ours(&answer));
    assert_eq!((play.methods(), provider.asked().len(), play.taps()), (vec![ProductionMethod::Own], 0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_source_takes_over_while_a_player_goes_on() {
    let (first, second) = (Provider::start().await, Provider::start().await);
    let play = Play::before(&[&first, &second], 0, |_| ()).await;
    let mut watch = Watch::begin(play.stage.viewer(0, "tv"), &play.stage.channel(1)).await;
    first.fail();
    watch.resume(PATIENCE).await;
    assert_eq!((second.asked().len(), second.open(), play.taps()), (1, 1, 0));
    assert_eq!(play.stage.origin().counts().jobs_started, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_left_without_a_connection_is_told_so() {
    let provider = Provider::start().await;
    let play = Play::before(&[&provider], 1, |_| ()).await;
    assert_eq!(ask("GET", &play.uri(7)).await.0, 404);
    assert_eq!(ask("GET", &play.uri(1).replace(TOKEN, "other")).await.0, 403);
    assert_eq!((play.head(2).await, play.head(7).await), (200, 404));
    assert!(provider.asked().is_empty(), "nobody has asked for a stream");
    let reader = play.read(1, 10_000).await;
    let (status, headers, _) = ask("GET", &play.uri(2)).await;
    assert_eq!((status.as_u16(), &headers["retry-after"]), (503, &"5".parse().unwrap()));
    // The server's shared raw stream of the channel needs no connection of the lineup.
    let (_, answer) = tune(&play.stage.viewer(0, "tv"), &play.stage.channel(2)).await;
    assert!(is_ours(&answer));
    assert_eq!((provider.asked().len(), play.taps()), (1, 1));
    // A reader that comes back soon finds the input still open.
    drop(reader);
    let reader = play.read(1, 10_000).await;
    assert_eq!(provider.asked().len(), 1);
    drop(reader);
    eventually("the other channel is read", async || ask("GET", &play.uri(2)).await.0 == 200).await;
    assert_eq!(provider.asked().len(), 2);
    eventually("the first one is let go", async || provider.open() < 2).await;
}

/// A stream that nobody watches gives its connection to a reader.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_stream_gives_its_connection_to_a_reader() {
    let provider = Provider::start().await;
    let play = Play::before(&[&provider], 1, |_| ()).await;
    let reader = play.read(1, 10_000).await;
    let viewer = play.stage.viewer(0, "tv");
    let (playback, _) = tune(&viewer, &play.stage.channel(1)).await;
    drop(reader);
    assert_eq!(ask("GET", &play.uri(2)).await.0, 503, "somebody watches");
    soon(viewer.leave(&playback)).await.unwrap();
    play.stage.deserted().await;
    let _reader = play.read(2, 10_000).await;
    assert_eq!(provider.asked().len(), 2);
    eventually("the first one is let go", async || provider.open() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lineup_that_changes_cuts_nobody_off() {
    let provider = Provider::start().await;
    let play = Play::before(&[&provider], 0, |_| ()).await;
    let mut watch = Watch::begin(play.stage.viewer(0, "tv"), &play.stage.channel(1)).await;
    let mut reader = play.read(1, 10_000).await;
    write_list(play.folder.path(), 0);
    std::fs::write(
        play.folder.path().join("list.m3u"),
        "#EXTM3U\n#EXTINF:-1,Other\nhttp://127.0.0.1:9/x.ts\n",
    )
    .unwrap();
    eventually("it is gone", async || play.head(1).await == 404).await;
    let last = watch.look().await.segments().last().cloned();
    eventually("it goes on", async || watch.look().await.segments().last().cloned() != last).await;
    assert!(soon(reader.frame()).await.unwrap().is_ok());
    write_list(play.folder.path(), 2);
    eventually("it is back", async || play.head(1).await == 200).await;
    let _again = play.read(1, 10_000).await;
    assert_eq!((provider.asked().len(), provider.open()), (1, 1));
}

/// A source that is no transport stream over HTTP is fetched by an FFmpeg, which takes a connection too.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_played_by_ffmpeg() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s3cr3t.ts");
    let picture = PICTURE.replace("-re ", "").replace("pipe:1", "-t 30");
    let made = Command::new("ffmpeg")
        .args(picture.split_whitespace())
        .arg(&path)
        .stdin(Stdio::null())
        .status()
        .await
        .unwrap();
    assert!(made.success());
    let play = Play::with(|_| vec![SourceUrl::new(path.to_str().unwrap())], 0, |_| ()).await;
    let (_, answer) = tune(&play.stage.viewer(0, "tv"), &play.stage.channel(1)).await;
    assert!(is_ours(&answer), "{}", answer.field("cache-status"));
    let _reader = play.read(1, 100_000).await;
    assert_eq!((play.methods(), play.taps()), (vec![ProductionMethod::Own], 0));
    play.stage.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_for_one_player_is_its_own() {
    let provider = Provider::start().await;
    let play = Play::before(&[&provider], 0, |config| {
        let conditions = Conditions { device: vec!["old-tv".to_owned()], ..Conditions::default() };
        let set = ClientSettings { produce: Some(Produce::Adopt), ..ClientSettings::default() };
        config.clients.rules = vec![ClientRule { conditions, set }];
    })
    .await;
    tune(&play.stage.viewer(0, "tv"), &play.stage.channel(1)).await;
    tune(&play.stage.viewer(1, "old-tv"), &play.stage.channel(1)).await;
    assert_eq!(play.methods(), [ProductionMethod::Own, ProductionMethod::Adopted]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_may_wish() {
    for (trusted, method) in [(true, ProductionMethod::Adopted), (false, ProductionMethod::Own)] {
        let provider = Provider::start().await;
        let play = Play::before(&[&provider], 0, |config| {
            config.trusted_proxies = if trusted { vec!["127.0.0.1/32".parse().unwrap()] } else { Vec::new() };
        })
        .await;
        let playback = soon(play.stage.viewer(0, "tv").open(&play.stage.channel(1))).await.unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http();
        let request = Request::get(format!("{}{}", play.stage.base, playback.playlist))
            .header("Warmgate-Produce", "adopt")
            .body(body::empty())
            .unwrap();
        assert_eq!(soon(client.request(request)).await.unwrap().status(), 200);
        assert_eq!(play.methods(), [method], "{trusted}");
    }
}

/// A provider that sends nothing is the reason for a failure, not the way the stream is made.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_gone_is_what_its_streams_fail_for() {
    let provider = Provider::start().await;
    let play = Play::before(&[&provider], 0, |config| config.feed.attempts = 100).await;
    let _watch = Watch::begin(play.stage.viewer(0, "tv"), &play.stage.channel(1)).await;
    provider.fail();
    let failures = || play.stage.snapshot().tally.failures;
    eventually("it is noticed", async || !failures().is_empty()).await;
    assert_eq!(failures(), [(Failure::Refused, 1)].into());
}

/// The provider changes to a picture of another size and clock on the same connection.
#[tokio::test(flavor = "multi_thread")]
async fn another_picture_in_mid_stream_is_a_discontinuity() {
    let provider = Provider::start().await;
    let play = Play::before(&[&provider], 0, |_| ()).await;
    let mut watch = Watch::begin(play.stage.viewer(0, "tv"), &play.stage.channel(1)).await;
    provider.show("640x360");
    watch.resume(PATIENCE).await;
    assert_eq!((provider.asked().len(), provider.open()), (1, 1));
    assert_eq!(play.stage.origin().counts().jobs_started, 0);
}

/// Most of what is broadcast in 1080i and 576i: the player's profile asks for whole pictures.
#[tokio::test(flavor = "multi_thread")]
async fn interlaced_pictures_are_made_whole() {
    let provider = Provider::start().await;
    provider.show_interlaced();
    let play = Play::before(&[&provider], 0, |_| ()).await;
    let watch =
        Watch::begin_with(play.stage.viewer(0, "tv"), &play.stage.channel(1), "&h264-deinterlace=true").await;
    assert_eq!(play.methods(), [ProductionMethod::Own]);
    let list = format!("{}{}", play.stage.base, watch.playback.playlist);
    let read = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-show_entries", "frame=interlaced_frame"])
        .args(["-of", "csv=p=0", "-read_intervals", "%+#50", &list])
        .kill_on_drop(true)
        .output();
    let read =
        String::from_utf8(tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap().stdout).unwrap();
    let is_interlaced: Vec<_> = read.split(['\n', ',']).filter(|flag| !flag.is_empty()).collect();
    assert!(is_interlaced.len() >= 25 && is_interlaced.iter().all(|flag| *flag == "0"), "{read}");
    assert_eq!(play.stage.origin().counts().jobs_started, 0);
}

/// The provider changes to an interlaced picture, which is deinterlaced from then on.
#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_becomes_interlaced_goes_on() {
    for more in ["&h264-deinterlace=true", "&h264-deinterlace=true&MaxHeight=90"] {
        let provider = Provider::start().await;
        let play = Play::before(&[&provider], 0, |_| ()).await;
        let mut watch = Watch::begin_with(play.stage.viewer(0, "tv"), &play.stage.channel(1), more).await;
        provider.show_interlaced();
        watch.resume(PATIENCE).await;
        assert_eq!(play.methods(), [ProductionMethod::Own], "{more}");
        assert_eq!(play.stage.snapshot().tally.failures.len(), 0);
    }
}

/// The provider changes to a clock that is hours behind, and the stream goes on at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_is_followed_at_once() {
    for more in ["", "&MaxHeight=90"] {
        let provider = Provider::start().await;
        provider.show_at(20_000);
        let play = Play::before(&[&provider], 0, |_| ()).await;
        let mut watch = Watch::begin_with(play.stage.viewer(0, "tv"), &play.stage.channel(1), more).await;
        provider.show_at(10);
        watch.resume(PATIENCE).await;
        assert_eq!(play.methods(), [ProductionMethod::Own], "{more}");
        assert_eq!(play.stage.snapshot().tally.failures.len(), 0);
    }
}

/// The provider changes to another codec, which has to be encoded, and back.
#[tokio::test(flavor = "multi_thread")]
async fn another_codec_in_mid_stream_is_encoded_from_then_on() {
    let provider = Provider::start().await;
    let play = Play::before(&[&provider], 0, |_| ()).await;
    let mut watch = Watch::begin(play.stage.viewer(0, "tv"), &play.stage.channel(1)).await;
    eventually("none runs, not even to be tried", async || play.stage.encoders().is_empty()).await;
    provider.show_mpeg2();
    watch.resume(PATIENCE).await;
    assert_eq!((play.methods(), play.stage.encoders().len()), (vec![ProductionMethod::Own], 1));
    provider.show("320x180");
    eventually("it is copied again", async || {
        watch.look().await;
        play.stage.encoders().is_empty()
    })
    .await;
    watch.resume(PATIENCE).await;
    assert_eq!((play.methods(), provider.asked().len()), (vec![ProductionMethod::Own], 1));
    assert_eq!(play.stage.snapshot().tally.failures.len(), 0);
}

/// The next generation begins before the source has shown itself, with another codec on a new connection.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_shown_before_is_not_taken_for_what_comes() {
    let providers = [Provider::start().await, Provider::start().await];
    let [first, second] = &providers;
    second.show_mpeg2();
    second.keep(true);
    let play = Play::before(&[first, second], 0, |config| config.feed.attempts = 1).await;
    let mut watch = Watch::begin(play.stage.viewer(0, "tv"), &play.stage.channel(1)).await;
    first.fail();
    let failures = || play.stage.snapshot().tally.failures.values().sum::<u64>();
    eventually("nothing comes", async || failures() > 0).await;
    eventually("it begins anew", async || play.stage.snapshot().streams[0].state == State::Starting).await;
    second.keep(false);
    watch.resume(PATIENCE).await;
    let last = watch.last.segments().pop().unwrap();
    let segment = soon(watch.viewer.segment(&watch.playback, &last)).await.unwrap();
    let mut scan = Scan::default();
    for packet in Packet::all(&segment.body) {
        scan.read(packet);
    }
    let codec = scan.facts().unwrap().video.as_ref().map(|video| video.codec);
    assert_eq!((play.methods(), codec), (vec![ProductionMethod::Own], Some(VideoCodec::H264)));
}

/// An encoded stream goes on when the provider changes to another codec or size, with a new FFmpeg each time.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_encoded_may_be_another_picture_in_mid_stream() {
    let changes: [fn(&Provider); 2] = [Provider::show_mpeg2, |provider| provider.show("800x450")];
    for change in changes {
        let provider = Provider::start().await;
        // The old FFmpeg ends before the new one starts.
        let play = Play::before(&[&provider], 0, |config| config.ffmpeg.encodes = 1).await;
        let viewer = play.stage.viewer(0, "tv");
        let mut watch = Watch::begin_with(viewer, &play.stage.channel(1), "&MaxHeight=90").await;
        change(&provider);
        watch.resume(PATIENCE).await;
        assert_eq!((play.methods(), provider.asked().len()), (vec![ProductionMethod::Own], 1));
        assert_eq!(play.stage.snapshot().tally.failures, BTreeMap::new());
    }
}

/// An encoded stream goes on when the provider moves it to other PIDs, with the same FFmpeg.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_encoded_may_move_to_other_pids() {
    let provider = Provider::start().await;
    let play = Play::before(&[&provider], 0, |_| ()).await;
    let viewer = play.stage.viewer(0, "tv");
    let mut watch = Watch::begin_with(viewer, &play.stage.channel(1), "&MaxHeight=90").await;
    provider.move_pids();
    let before = watch.last.segments().len();
    eventually("eight segments later", async || watch.look().await.segments().len() >= before + 8).await;
    assert_eq!(play.stage.snapshot().tally.failures, BTreeMap::new());
    let last = watch.last.segments().pop().unwrap();
    let segment = soon(watch.viewer.segment(&watch.playback, &last)).await.unwrap();
    let mut scan = Scan::default();
    for packet in Packet::all(&segment.body) {
        scan.read(packet);
    }
    assert!(scan.is_settled(), "picture and sound are there: {:?}", scan.facts());
}

/// A megabyte that is no transport stream, but has sync bytes here and there.
#[tokio::test(flavor = "multi_thread")]
async fn garbage_in_mid_stream_is_passed_over() {
    let provider = Provider::start().await;
    let play = Play::before(&[&provider], 0, |_| ()).await;
    for (nth, more) in ["", "&MaxHeight=90"].into_iter().enumerate() {
        let mut watch = Watch::begin_with(play.stage.viewer(0, "tv"), &play.stage.channel(1), more).await;
        provider
            .interject((0_u32..1 << 20).map(|nth| (nth.wrapping_mul(2_654_435_761) >> 24) as u8).collect());
        let last = watch.last.segments().pop().unwrap();
        eventually("three segments later", async || {
            let listed = watch.look().await.segments();
            listed.iter().position(|listed| *listed == last).is_some_and(|at| listed.len() - at > 3)
        })
        .await;
        all_fetched(&watch.viewer, &watch.last).await;
        assert_eq!((play.methods(), provider.asked().len()), (vec![ProductionMethod::Own; 1 + nth], 1));
        assert_eq!(
            (play.stage.origin().counts().jobs_started, play.stage.snapshot().tally.failures.len()),
            (0, 0)
        );
        soon(watch.viewer.leave(&watch.playback)).await.unwrap();
    }
}
