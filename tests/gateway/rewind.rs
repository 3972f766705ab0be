//! Pause and go back: the list of a viewer begins where the viewer joined, and grows; old pieces lie on disk.

use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use domain::window::{Listing, ListingChoice, StartChoice};
use flate2::read::GzDecoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, LOCATION};
use jellyfin_alike::viewer::{Answer, Playback, Viewer};
use jellyfin_alike::{Origin, Programme, Settings};
use warmgate::config::{ClientRule, ClientSettings, Conditions, Config};

use crate::support::program::Program;
use crate::support::servers::{fetch, get, http};
use crate::support::stage::{Stage, all_fetched, is_hit, is_ours, poll, short, tune};
use crate::support::wait::{eventually, soon};

const EVENT: &str = "#EXT-X-PLAYLIST-TYPE:EVENT";

/// What is older than six seconds is old.
fn rewinding(folder: &Path) -> impl FnOnce(&mut Config) {
    let folder = folder.to_owned();
    move |config| {
        config.window.length = Duration::from_secs(6);
        config.rewind.dir = Some(folder);
    }
}

/// How much of the stream a list names.
fn length(answer: &Answer) -> Duration {
    let text = answer.text();
    let told = text.lines().filter_map(|line| line.strip_prefix("#EXTINF:")?.strip_suffix(','));
    let seconds = told.filter_map(|told| told.parse::<f64>().ok());
    Duration::from_secs_f64(seconds.sum())
}

/// Polls as a paused player does, until the list is as long as this. Returns it.
async fn paused_for(viewer: &Viewer, playback: &Playback, span: Duration) -> Answer {
    let mut answer = poll(viewer, playback).await;
    let mut known = answer.segments();
    while length(&answer) < span {
        eventually("the list goes on", async || {
            answer = poll(viewer, playback).await;
            answer.segments().len() > known.len()
        })
        .await;
        assert!(answer.segments().starts_with(&known), "a list that only grows: {}", answer.text());
        known = answer.segments();
    }
    answer
}

/// A viewer can go back as far as one of the server's own list, which tuned in at the same moment.
#[tokio::test(flavor = "multi_thread")]
async fn a_paused_viewer_goes_on_with_the_same_picture() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::with(|_| (), rewinding(folder.path())).await;
    let bare = stage.direct(1, "bare");
    let at_server = short(soon(bare.open(&stage.channel(2))).await.unwrap());
    poll(&bare, &at_server).await;
    let viewer = stage.viewer(0, "tv");
    let playback = short(soon(viewer.open(&stage.channel(1))).await.unwrap());
    let first = poll(&viewer, &playback).await;
    assert!(is_ours(&first) && first.text().contains(EVENT), "{}", first.text());
    let fetched = soon(viewer.segment(&playback, &first.segments()[0])).await.unwrap();

    let answer = paused_for(&viewer, &playback, Duration::from_secs(15)).await;
    assert!(answer.text().contains(EVENT));
    assert_eq!(answer.segments()[0], first.segments()[0]);
    let (ours, theirs) = (length(&answer), length(&poll(&bare, &at_server).await));
    assert!(ours + Duration::from_secs(2) >= theirs, "{ours:?} {theirs:?}");
    all_fetched(&viewer, &answer).await;
    let again = soon(viewer.segment(&playback, &first.segments()[0])).await.unwrap();
    assert_eq!(again.body, fetched.body, "from disk, the same as it was");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a crash leaves nothing behind");

    // A newcomer's list begins near live.
    let bob = stage.viewer(1, "tablet");
    let theirs = poll(&bob, &short(soon(bob.open(&stage.channel(1))).await.unwrap())).await;
    assert!(is_hit(&theirs) && length(&theirs) < Duration::from_secs(8), "{}", theirs.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_end_of_its_reach_a_list_slides() {
    let folder = tempfile::tempdir().unwrap();
    let reach = |config: &mut Config| config.rewind.length = Duration::from_secs(9);
    let rewinding = rewinding(folder.path());
    let stage = Stage::with(|_| (), |config| (rewinding(config), reach(config)).0).await;
    let viewer = stage.viewer(0, "tv");
    let playback = short(soon(viewer.open(&stage.channel(1))).await.unwrap());
    let first = poll(&viewer, &playback).await;
    let mut answer = first.clone();
    eventually("it slides", async || {
        answer = poll(&viewer, &playback).await;
        answer.segments()[0] != first.segments()[0]
    })
    .await;
    assert!(!answer.text().contains(EVENT), "{}", answer.text());
    assert!(length(&answer) >= Duration::from_secs(9), "{}", answer.text());
    all_fetched(&viewer, &answer).await;
    let dropped = soon(viewer.segment(&playback, &first.segments()[0])).await.unwrap();
    assert_eq!(dropped.status, 200, "what the list has dropped can be had for a while");
    // A player that asks for what is long gone would be destroyed by an error.
    let gone = soon(viewer.segment(&playback, "1.ts")).await.unwrap();
    assert_eq!((gone.status.as_u16(), gone.body.first()), (200, Some(&0x47)));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_to_starts_the_programme_over() {
    let folder = tempfile::tempdir().unwrap();
    let rewinding = rewinding(folder.path());
    let began = SystemTime::now() + Duration::from_secs(4);
    let programme = |channel, start| Programme { channel, start, end: start + Duration::from_secs(3600) };
    let stage = Stage::with(
        |server| server.programmes = vec![programme(1, began), programme(2, SystemTime::UNIX_EPOCH)],
        |config| {
            rewinding(config);
            let conditions = Conditions { user: vec!["bob".to_owned()], ..Conditions::default() };
            let set = ClientSettings { start: Some(StartChoice::Programme), ..ClientSettings::default() };
            config.clients.rules = vec![ClientRule { conditions, set }];
        },
    )
    .await;
    let alice = stage.viewer(0, "tv");
    let playback = short(soon(alice.open(&stage.channel(1))).await.unwrap());
    paused_for(&alice, &playback, Duration::from_secs(18)).await;

    let bob = stage.viewer(1, "tablet");
    let tunes = async |viewer: &Viewer, channel| {
        poll(viewer, &short(soon(viewer.open(&stage.channel(channel))).await.unwrap())).await
    };
    let theirs = tunes(&bob, 1).await;
    let text = theirs.text();
    let date = text.lines().find_map(|line| line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:")).unwrap();
    let begins = SystemTime::from(date.parse::<jiff::Timestamp>().unwrap());
    let before = began.duration_since(begins).unwrap();
    assert!(before < Duration::from_secs(3), "by a key frame: {before:?} {text}");
    assert!(is_hit(&theirs) && text.contains("#EXT-X-START:TIME-OFFSET=0") && text.contains(EVENT), "{text}");
    all_fetched(&bob, &theirs).await;
    let again = tunes(&bob, 1).await;
    assert_eq!(again.segments()[0], theirs.segments()[0], "also at the next tune");
    assert_eq!(stage.asked("/LiveTv/Programs").len(), 1, "the guide is remembered");

    let newcomers = tunes(&stage.viewer(0, "phone"), 1).await;
    assert!(length(&newcomers) < Duration::from_secs(8), "others begin near live: {}", newcomers.text());
    // A programme that began before the gateway did, on a channel that nobody watches.
    let cold = tunes(&bob, 2).await;
    assert!(is_ours(&cold), "{}", cold.field("cache-status"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_spool_lists_slide() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let stage = Stage::with(|_| (), rewinding(&file.path().join("no-folder"))).await;
    let (_, answer) = tune(&stage.viewer(0, "tv"), &stage.channel(1)).await;
    assert!(is_ours(&answer) && !answer.text().contains("PLAYLIST-TYPE"), "{}", answer.text());
}

/// A full disk, a quota, a broken one: whatever a write to the spool fails for.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_nothing_shortens_the_reach_and_harms_nobody_near_live() {
    let settings = Settings::quick();
    let origin = Origin::start(settings.clone()).await.unwrap();
    let state = tempfile::tempdir().unwrap();
    // The system refuses to make a file longer than this.
    let limits = "trap '' XFSZ; ulimit -f 64";
    let environment = [("WARMGATE__WINDOW__LENGTH", "6s")];
    let gateway = Program::start_limited(limits, state.path(), &origin, &environment).await;
    let viewer = gateway.viewer(&settings, "tv");
    let (playback, first) = tune(&viewer, &origin.channels()[0].item_id).await;
    let mut answer = first.clone();
    eventually("the list slides", async || {
        answer = poll(&viewer, &playback).await;
        assert!(is_ours(&answer), "{}", answer.field("cache-status"));
        let newest = answer.segments().last().cloned().unwrap();
        let segment = soon(viewer.segment(&playback, &newest)).await.unwrap();
        assert_eq!((segment.status.as_u16(), segment.body.first()), (200, Some(&0x47)));
        answer.segments()[0] != first.segments()[0]
    })
    .await;
    assert!(!answer.text().contains(EVENT) && length(&answer) >= Duration::from_secs(6), "{}", answer.text());
    all_fetched(&viewer, &answer).await;
    let told = gateway.log.text().matches("the spool cannot be written").count();
    assert_eq!(told, 1, "{}", gateway.log.text());
}

/// jellyfin-web on iOS asks for `live.m3u8` itself, and Kodi does.
#[tokio::test(flavor = "multi_thread")]
async fn a_player_that_asks_for_the_list_itself_is_sent_to_its_own() {
    let stage = Stage::quick().await;
    let viewer = stage.viewer(0, "tv");
    let mut playback = soon(viewer.open(&stage.channel(1))).await.unwrap();
    let (before, rest) = playback.playlist.split_once("/hls/wg").unwrap();
    let (_, list) = rest.split_once('/').unwrap();
    let direct = format!("{before}/{list}");
    let answer = soon(viewer.get(&direct)).await.unwrap();
    assert_eq!(answer.status, 302);
    let location = answer.headers[LOCATION].to_str().unwrap().to_owned();
    playback.playlist = format!("{before}/{location}");
    let answer = poll(&viewer, &playback).await;
    assert!(is_ours(&answer), "{} {}", answer.status, answer.text());
    all_fetched(&viewer, &answer).await;
    // The same viewer is always sent to the same place.
    assert_eq!(soon(viewer.get(&direct)).await.unwrap().headers[LOCATION], location);

    // A token that is another viewer's is worth nothing.
    let bob = stage.viewer(1, "tablet");
    let theirs = soon(bob.open(&stage.channel(1))).await.unwrap();
    let (_, query) = theirs.playlist.split_once('?').unwrap();
    let (path, _) = playback.playlist.split_once('?').unwrap();
    let answer = soon(bob.get(&format!("{path}?{query}"))).await.unwrap();
    assert_eq!(answer.status, 302, "{}", answer.text());
    assert!(answer.headers[LOCATION].to_str().unwrap().starts_with("../../hls/wg"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_lists_is_found_in_a_viewers_folder() {
    let stage = Stage::quick().await;
    let viewer = stage.viewer(0, "tv");
    let mut playback = short(soon(viewer.open(&stage.channel(1))).await.unwrap());
    assert!(playback.playlist.contains("/hls/wg"), "{}", playback.playlist);
    // No stream of ours begins in the past.
    playback.playlist += "&StartTimeTicks=600000000";
    let answer = poll(&viewer, &playback).await;
    assert!(answer.status == 200 && !is_ours(&answer), "{} {}", answer.status, answer.text());
    all_fetched(&viewer, &answer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_is_compressed_for_those_who_take_that() {
    let folder = tempfile::tempdir().unwrap();
    let rewinding = rewinding(folder.path());
    let fine = |config: &mut Config| config.window.cut = ListingChoice::Always(Listing::Fine);
    let own = |config: &mut Config| config.produce.default = domain::produce::Produce::Auto;
    let stage = Stage::with(|_| (), |config| (rewinding(config), fine(config), own(config)).0).await;
    let viewer = stage.viewer(0, "tv");
    let (playback, _) = tune(&viewer, &stage.channel(1)).await;
    let asked = async |encoding: &'static str| {
        let mut request = get(format!("{}{}", stage.base, playback.playlist));
        request.headers_mut().insert(ACCEPT_ENCODING, encoding.parse().unwrap());
        fetch(&http(), request).await
    };
    eventually("the list is compressed", async || {
        asked("br, gzip;q=0.5").await.0.headers.contains_key(CONTENT_ENCODING)
    })
    .await;
    let (_, compressed) = asked("gzip").await;
    let (head, plain) = asked("gzip;q=0, br").await;
    assert!(!head.headers.contains_key(CONTENT_ENCODING));
    let mut text = String::new();
    GzDecoder::new(&compressed[..]).read_to_string(&mut text).unwrap();
    let plain = String::from_utf8(plain.to_vec()).unwrap();
    assert!(plain.starts_with(&text), "the same, or a moment later");
    assert!(compressed.len() * 2 < text.len(), "{} of {}", compressed.len(), text.len());
}
