//! The URLs of real clients, recorded or read in their source, from their bytes to the stream key.
//!
//! `fixtures/jellyfin/web-12.0-zap.ndjson` is jellyfin-web 12.0-rc5 in Chromium with Jellyfin 12.0-rc5 (two zaps);
//! `api-12.0-adopt.ndjson` and `api-10.11-adopt.ndjson` are the steps of the adoption with 12.0-rc5 and
//! 10.11.11. Their tokens are placeholders. The URL of a client that was not recorded names its source.

use domain::key::{Channel, StreamKey};
use domain::profile::{Policy, Profile, ProfileKey, Unshareable};
use proptest::prelude::*;
use serde_json::Value;
use warmgate::proxy::credential::Credential;
use warmgate::proxy::query::Query;
use warmgate::proxy::route::{BypassReason, Live, Moment, Route, route};

const WEB: &str = include_str!("../../fixtures/jellyfin/web-12.0-zap.ndjson");
const API_12_0: &str = include_str!("../../fixtures/jellyfin/api-12.0-adopt.ndjson");
const API_10_11: &str = include_str!("../../fixtures/jellyfin/api-10.11-adopt.ndjson");

/// A recorded request: method, target, headers.
struct Recorded {
    method: String,
    target: String,
    headers: http::HeaderMap,
}

fn recorded(ndjson: &str) -> Vec<Recorded> {
    let exchanges = ndjson.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    exchanges.filter_map(|exchange| Recorded::read(&exchange)).collect()
}

impl Recorded {
    fn read(exchange: &Value) -> Option<Self> {
        let target = exchange.get("url").or_else(|| exchange.get("path"))?.as_str()?.to_owned();
        let fields = exchange.get("req_headers").and_then(Value::as_object).cloned().unwrap_or_default();
        let header = |(name, value): (String, Value)| {
            (name.parse().unwrap(), value.as_str().unwrap().parse().unwrap())
        };
        let (method, headers) =
            (exchange["method"].as_str()?.to_owned(), fields.into_iter().map(header).collect());
        Some(Self { method, target, headers })
    }

    fn route(&self) -> Route {
        route(&self.method.parse().unwrap(), &self.target.parse().unwrap())
    }
}

/// The distinct playlists requested in a recording, in their order.
fn lives(ndjson: &str) -> Vec<(String, Live)> {
    let mut lives: Vec<(String, Live)> = Vec::new();
    for request in recorded(ndjson) {
        if let Route::Live(live) = request.route()
            && lives.iter().all(|(target, _)| *target != request.target)
        {
            lives.push((request.target, *live));
        }
    }
    lives
}

fn live(target: &str) -> Live {
    match route(&http::Method::GET, &target.parse().unwrap()) {
        Route::Live(live) => *live,
        other => panic!("{target}: {other:?}"),
    }
}

fn profile(query: &Query) -> Profile {
    ProfileKey::from_query(query.pairs(), false, Policy::UNRESTRICTED).unwrap()
}

fn stream(live: &Live) -> StreamKey {
    let channel = Channel { item: live.item.clone(), source: live.source.clone() };
    StreamKey { channel, profile: profile(&live.query).key }
}

/// The query of jellyfin-web's first playlist request.
fn web_query() -> Query {
    lives(WEB).remove(0).1.query
}

#[test]
fn two_recorded_zaps_are_two_channels_under_one_profile() {
    let lives = lives(WEB);
    let [(first_target, first), (_, second)] = &lives[..] else { panic!("{lives:?}") };
    assert_eq!(first.item.as_str(), "3470319929255d2e4e0e08ae69de1bd6");
    assert_eq!(first.item_text, "34703199-2925-5d2e-4e0e-08ae69de1bd6");
    assert_eq!(first.source.as_str(), "f91bdbcf108c4e49092c20cd88e22af1");
    assert_eq!(second.item.as_str(), "a1e8ef2d47108932ea2c1ac1f4cd4513");
    assert_eq!(second.source.as_str(), "1961f4f2c200bf43b33b38dc4840cdfe");
    assert_eq!(first.device, second.device);
    assert_ne!(first.play_session, second.play_session);
    assert!(first_target.ends_with(&first.query.to_string()), "kept byte for byte");

    assert_eq!(profile(&first.query), profile(&second.query), "1973691388 and 1973691160 bit/s");
    assert!(!stream(first).meets(&stream(second)));
}

#[test]
fn both_versions_spell_one_profile() {
    let (new, old) = (lives(API_12_0), lives(API_10_11));
    assert_eq!(profile(&new[0].1.query), profile(&old[0].1.query));
    assert_eq!(stream(&new[0].1), stream(&old[0].1));
}

#[test]
fn a_channel_asked_for_before_its_probe_is_met() {
    // A channel that was never probed, as in docs/jellyfin.md, section 1, applied to the recorded query.
    let probed = web_query();
    let without = |(name, _): &(&str, &str)| !name.starts_with("h264-") && *name != "MaxFramerate";
    let kept: Vec<String> =
        probed.pairs().filter(without).map(|(name, value)| format!("{name}={value}")).collect();
    let changes = [("AudioCodec", "aac"), ("AudioBitrate", "384000"), ("VideoBitrate", "1973406118")];
    let unprobed = Query::parse(&kept.join("&")).substitute(&changes);
    let (probed, unprobed) = (profile(&probed).key, profile(&unprobed).key);
    assert_ne!(probed, unprobed);
    assert!(probed.meets(&unprobed) && unprobed.meets(&probed));
}

#[test]
fn the_cold_request_differs_in_our_names_only() {
    let (target, first) = lives(WEB).remove(0);
    let bitrate = profile(&first.query).video_bitrate.unwrap().to_string();
    let ours = [
        ("PlaySessionId", "p-of-the-gateway"),
        ("DeviceId", "warmgate"),
        ("MinSegments", "1"),
        ("VideoBitrate", bitrate.as_str()),
    ];
    let sent = target.split_once('?').unwrap().1;
    let expected = sent
        .replace(first.device.as_ref().unwrap().as_str(), "warmgate")
        .replace("d504d20cf39c4d538bce04d3cf5bea2b", "p-of-the-gateway")
        .replace("VideoBitrate=1973691388", "VideoBitrate=30000000");
    let cold = first.query.substitute(&ours);
    assert_eq!(cold.to_string(), expected);
    assert_eq!(profile(&cold).key, profile(&first.query).key, "it starts the stream that was asked for");
}

#[test]
fn the_recorded_conversation_is_understood() {
    let name = |route: &Route| match route {
        Route::Live(_) => "live",
        Route::Bypassed(reason) => reason.as_str(),
        Route::Segment { .. } => "segment",
        Route::PlaybackInfo { .. } => "playback info",
        Route::Open => "open",
        Route::Close { .. } => "close",
        Route::Lineup(_) => "lineup",
        Route::Master => "master",
        Route::Playing(report) => match report.moment {
            Moment::Started => "started",
            Moment::Progress => "progress",
            Moment::Ping => "ping",
            Moment::Stopped => "stopped",
        },
        Route::ActiveEncodings { .. } => "active encodings",
        Route::Logout => "logout",
        Route::Timers => "timers",
        Route::Media => "media",
        Route::Socket => "socket",
        Route::Other => "other",
    };
    let story = |ndjson| {
        let mut names: Vec<&str> = recorded(ndjson).iter().map(|request| name(&request.route())).collect();
        names.retain(|&name| name != "media" && name != "other");
        names.dedup();
        names.join(", ")
    };
    let zap = "playback info, master, live, started, progress, live, progress, live, stopped";
    assert_eq!(story(WEB), format!("{zap}, {zap}"));
    let adoption = "playback info, master, live, playback info, open, stopped, active encodings, playback info, live, \
        playback info, active encodings, close";
    assert_eq!(story(API_12_0), adoption);
    assert_eq!(story(API_10_11), adoption);
}

#[test]
fn jellyfin_web_says_who_it_is_in_header_and_query() {
    let requests = recorded(WEB);
    let of = |wanted: &str| {
        let request = requests.iter().find(|request| request.target.contains(wanted)).unwrap();
        let query = Query::of(&request.target.parse().unwrap());
        Credential::of(&request.headers, &query).unwrap()
    };
    let (info, playlist) = (of("/PlaybackInfo"), of("/live.m3u8"));
    assert_eq!(info.token(), "TOKEN-WEB-0000000000000000000000");
    assert_eq!(info.token(), playlist.token());
    assert_eq!(info.device(), playlist.device());
    assert_ne!(info, playlist, "presented differently");
}

#[test]
fn clients_that_were_not_recorded() {
    let item = "/videos/57b5d467-25ca-e4dc-ca3c-98c5b7336cac/live.m3u8";
    let live_stream = "LiveStreamId=a17c75760a04e99b68cf766e11316e1c_09efa0d56b934a82adec00a87b837fb0_f22c75f67df0c97303f11752b3db43de";
    // Jellyfin 10.8 (issue #8332 of jellyfin/jellyfin), with the list of audio codecs that a client keeps when it rewrites master to live.
    let old = format!(
        "{item}?DeviceId=TW96&MediaSourceId=f22c75f67df0c97303f11752b3db43de&VideoCodec=h264,h264&AudioCodec=aac,mp3&AudioStreamIndex=-1\
         &VideoBitrate=139616000&AudioBitrate=384000&MaxFramerate=23.976025&PlaySessionId=b31b&api_key=t&{live_stream}\
         &TranscodingMaxAudioChannels=2&RequireAvc=false&SegmentContainer=ts&MinSegments=1&BreakOnNonKeyFrames=True&h264-level=31\
         &h264-videobitdepth=8&h264-profile=main&h264-rangetype=SDR&h264-deinterlace=true\
         &TranscodeReasons=ContainerNotSupported,%20AudioCodecNotSupported"
    );
    // The same through the master playlist, which encodes the query anew since 10.10.
    let by_master = old.replace(',', "%2C");
    // 10.11: another token parameter, an empty first pair, another order, VBR spelled out.
    let newer = old
        .replace("?DeviceId=TW96", "?&RequireAvc=false&EnableAudioVbrEncoding=true&DeviceId=TW96")
        .replace("api_key", "ApiKey");
    for other in [&by_master, &newer] {
        assert_eq!(stream(&live(&old)), stream(&live(other)), "{other}");
    }
    // If the master playlist names only the codec to encode to, audio in the other codec is no longer copied.
    let resolved = by_master.replace("AudioCodec=aac%2Cmp3", "AudioCodec=aac");
    assert!(!stream(&live(&resolved)).meets(&stream(&live(&old))));
    assert_eq!(live(&old).source.as_str(), "f22c75f67df0c97303f11752b3db43de");

    // Kodi (jellyfin-kodi playutils.py) moves the bitrates to the end and adds a size with a lower-case first letter.
    let kodi = old.replace("&VideoBitrate=139616000&AudioBitrate=384000", "")
        + "&VideoBitrate=139616000&AudioBitrate=384000&maxWidth=1920&maxHeight=1080";
    assert_eq!(stream(&live(&kodi)), stream(&live(&format!("{old}&MaxWidth=1920&MaxHeight=1080"))));
    assert!(!stream(&live(&kodi)).meets(&stream(&live(&old))), "a size is a wish");

    // jellyfin-web retries after an error with appended flags (MediaInfoHelper.cs).
    let retried = format!("{old}&allowVideoStreamCopy=false");
    assert!(!stream(&live(&retried)).meets(&stream(&live(&old))));
}

#[test]
fn what_cannot_be_shared_is_told_from_what_can() {
    let web = web_query();
    let refused = web.substitute(&[("SegmentContainer", "mp4")]);
    let read = ProfileKey::from_query(refused.pairs(), false, Policy::UNRESTRICTED);
    assert_eq!(read.unwrap_err(), Unshareable::Container);

    let target = |query: &str| {
        format!("/videos/34703199-2925-5d2e-4e0e-08ae69de1bd6/live.m3u8?{query}").parse().unwrap()
    };
    let without = web.to_string().replace("LiveStreamId", "NotTheLiveStreamId");
    assert_eq!(route(&http::Method::GET, &target(&without)), Route::Bypassed(BypassReason::LiveStream));
    let wrong = web.substitute(&[("MediaSourceId", "1961f4f2c200bf43b33b38dc4840cdfe")]).to_string();
    assert_eq!(route(&http::Method::GET, &target(&wrong)), Route::Bypassed(BypassReason::SourceMismatch));
}

proptest! {
    #[test]
    fn percent_spelling_does_not_matter(escaped in prop::collection::vec(any::<bool>(), 1024)) {
        let web = web_query();
        let spelled: String = web.to_string().bytes().zip(escaped.iter().cycle())
            .map(|(byte, &escape)| match byte {
                b'&' | b'=' => char::from(byte).to_string(),
                _ if escape => format!("%{byte:02x}"),
                _ => char::from(byte).to_string(),
            })
            .collect();
        prop_assert_eq!(profile(&Query::parse(&spelled)), profile(&web));
    }
}
