//! Wishes in header fields, and rules in their place: what each does, whose count, and what the answer says of them.

use std::time::Duration;

use domain::clients::Mode;
use domain::profile::ProfileChoice;
use domain::reason::{OpeningRefusal, RefuseReason};
use jellyfin_alike::viewer::{Answer, Playback, Viewer};
use serde_json::json;
use warmgate::config::{Believed, ClientRule, ClientSettings, Conditions, Config};

use crate::support::stage::{Stage, is_hit, is_ours, parameter, poll, short, tune};
use crate::support::wait::{eventually, soon};

/// A stage whose viewers come over a trusted proxy.
async fn trusting(config: impl FnOnce(&mut Config)) -> Stage {
    let trust = |asked: &mut Config| {
        asked.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        asked.clients.cache_control = true;
        config(asked);
    };
    Stage::with(|_| (), trust).await
}

fn stream(answer: &Answer) -> Option<u64> {
    answer.headers.get("warmgate-stream").map(|id| id.to_str().unwrap().parse().unwrap())
}

/// The server answers the viewer, as the viewer wants.
fn is_passed_on(answer: &Answer, reason: RefuseReason) -> bool {
    answer.status == 200
        && !is_ours(answer)
        && answer.field("cache-status").ends_with(&format!("; fwd=request; detail={}", reason.as_str()))
}

/// Everything that a mode and its `Cache-Control` say, on a channel that is warm and on one that is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_says_which_streams_it_takes() {
    let stage = trusting(|_| ()).await;
    let _watches = tune(&stage.viewer(0, "tv"), &stage.channel(1)).await;
    let bob = |fields: &[(&'static str, &str)], device: &str| stage.viewer(1, device).with(fields);
    for (at, fields) in
        [("warmgate-mode", "warm-only"), ("cache-control", "only-if-cached")].into_iter().enumerate()
    {
        let viewer = bob(&[fields], &format!("warm-{at}"));
        let (_, answer) = tune(&viewer, &stage.channel(1)).await;
        assert!(is_hit(&answer), "{fields:?} {}", answer.field("cache-status"));
        let opens = stage.origin().counts().opens;
        let ask = async |item: &str| {
            let path = format!("/Items/{item}/PlaybackInfo");
            soon(viewer.post(&path, &json!({"AutoOpenLiveStream": true}))).await.unwrap()
        };
        let film = "0123456789abcdef0123456789abcdef";
        assert_eq!(ask(film).await.status, 404, "what is no channel is the server's to answer");
        let refused = ask(&stage.channel(2)).await;
        assert_eq!(
            (refused.status.as_u16(), refused.field("proxy-status")),
            (504, "warmgate; details=\"not-warm\"")
        );
        assert_eq!(stage.origin().counts().opens, opens, "the server opens nothing");
    }
    assert_eq!(stage.snapshot().tally.refused_openings[&OpeningRefusal::NotWarm], 2);
    // What cannot be shared is not warm, however warm the channel is.
    let seeks = bob(&[("warmgate-mode", "warm-only")], "seeks");
    let mut playback = soon(seeks.open(&stage.channel(1))).await.unwrap();
    playback.playlist += "&StartTimeTicks=600000000";
    let jobs = stage.origin().counts().jobs_started;
    let refused = poll(&seeks, &playback).await;
    assert_eq!(
        (refused.status.as_u16(), refused.field("proxy-status")),
        (504, "warmgate; details=\"start-time\"")
    );
    assert_eq!(stage.origin().counts().jobs_started, jobs, "the server starts nothing");
    // Whoever has opened a channel otherwise is told the same of its playlist.
    let other = stage.viewer(1, "late");
    let playback = soon(other.open(&stage.channel(2))).await.unwrap();
    let late = poll(&other.with(&[("cache-control", "only-if-cached")]), &playback).await;
    assert_eq!((late.status.as_u16(), late.field("proxy-status")), (504, "warmgate; details=\"not-warm\""));
    assert_eq!(stage.snapshot().tally.starts, 1, "nothing is started");

    for (at, (fields, reason)) in [
        (("warmgate-mode", "bypass"), RefuseReason::BypassWished),
        (("cache-control", "no-store"), RefuseReason::BypassWished),
        (("warmgate-mode", "fresh"), RefuseReason::NotFresh),
        (("cache-control", "no-cache"), RefuseReason::NotFresh),
    ]
    .into_iter()
    .enumerate()
    {
        let viewer = bob(&[fields], &format!("server-{at}"));
        let (playback, answer) = tune(&viewer, &stage.channel(1)).await;
        assert!(is_passed_on(&answer, reason), "{fields:?} {}", answer.field("cache-status"));
        assert_eq!(stream(&answer), None);
        soon(viewer.leave(&playback)).await.unwrap();
    }
    let viewer = bob(&[("cache-control", "no-cache"), ("warmgate-mode", "auto")], "contradicting");
    assert!(is_hit(&tune(&viewer, &stage.channel(1)).await.1), "the mode wins");
    let (_, cold) = tune(&bob(&[("warmgate-mode", "fresh")], "fresh"), &stage.channel(3)).await;
    assert!(
        is_ours(&cold) && !is_hit(&cold),
        "what nobody watches is started: {}",
        cold.field("cache-status")
    );
}

/// As a browser does that was told to reload, and a proxy whose configuration changes.
#[tokio::test(flavor = "multi_thread")]
async fn who_plays_keeps_what_it_has() {
    let stage = trusting(|_| ()).await;
    let viewer = stage.viewer(0, "tv");
    let (playback, first) = tune(&viewer, &stage.channel(1)).await;
    for fields in [
        ("cache-control", "no-cache"),
        ("cache-control", "only-if-cached, max-age=0"),
        ("warmgate-mode", "bypass"),
        ("warmgate-produce", "own"),
        ("warmgate-mode", "unknown"),
    ] {
        let answer = poll(&viewer.clone().with(&[fields]), &playback).await;
        assert!(is_hit(&answer), "{fields:?} {}", answer.field("cache-status"));
        assert_eq!(stream(&answer), stream(&first), "{fields:?}");
        assert_eq!(answer.field("warmgate-ignored"), "", "{fields:?}");
    }
    let (_, next) = tune(&viewer.with(&[("warmgate-mode", "bypass")]), &stage.channel(1)).await;
    assert!(is_passed_on(&next, RefuseReason::BypassWished), "its next tune: {}", next.field("cache-status"));
}

/// A gateway that was restarted has seen nobody's opening. The opening went past it here.
#[tokio::test(flavor = "multi_thread")]
async fn who_may_have_played_before_a_restart_plays_on() {
    let stage = trusting(|_| ()).await;
    let playback = soon(stage.direct(0, "tv").open(&stage.channel(1))).await.unwrap();
    let answer = poll(&stage.viewer(0, "tv").with(&[("warmgate-mode", "warm-only")]), &playback).await;
    assert!(is_ours(&answer), "{} {}", answer.status, answer.field("cache-status"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_wish_who_may() {
    for (trusted, believed, counts) in [
        (true, Believed::Trusted, true),
        (false, Believed::Trusted, false),
        (false, Believed::All, true),
        (true, Believed::None, false),
    ] {
        let stage = Stage::with(
            |_| (),
            |config| {
                config.clients.headers = believed;
                config.trusted_proxies =
                    if trusted { vec!["127.0.0.1/32".parse().unwrap()] } else { Vec::new() };
            },
        )
        .await;
        let _watches = tune(&stage.viewer(0, "tv"), &stage.channel(1)).await;
        let fields =
            [("warmgate-mode", "bypass"), ("warmgate-linger", "soon"), ("warmgate-prewarm", "\"x\"")];
        let (_, answer) = tune(&stage.viewer(1, "tablet").with(&fields), &stage.channel(1)).await;
        assert_eq!(is_hit(&answer), !counts, "{trusted} {believed:?} {}", answer.field("cache-status"));
        let mut ignored: Vec<_> = answer.field("warmgate-ignored").split(", ").collect();
        ignored.sort_unstable();
        let named = ["warmgate-linger;reason=unknown-value", "warmgate-prewarm;reason=unknown-field"];
        assert_eq!(ignored, if counts { named.to_vec() } else { vec![""] });
    }
}

/// A wish and a rule for the same: the stream goes as soon as it is not watched.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_lingers_for_as_long_as_is_wished() {
    let stage = trusting(|config| {
        let conditions = Conditions {
            header: [("X-Room".to_owned(), "kitchen".to_owned())].into(),
            ..Conditions::default()
        };
        let set = ClientSettings { linger: Some(Duration::ZERO), ..ClientSettings::default() };
        config.clients.rules = vec![ClientRule { conditions, set }];
    })
    .await;
    for (channel, fields, stays) in [
        (1, vec![], true),
        (2, vec![("warmgate-linger", "0")], false),
        (3, vec![("x-room", "kitchen")], false),
        (4, vec![("x-room", "kitchen"), ("warmgate-linger", "600")], true),
    ] {
        let viewer = stage.viewer(0, "tv").with(&fields);
        let (playback, answer) = tune(&viewer, &stage.channel(channel)).await;
        let id = stream(&answer);
        soon(viewer.leave(&playback)).await.unwrap();
        stage.deserted().await;
        let runs = || stage.snapshot().streams.iter().any(|stream| Some(stream.id.0) == id);
        if stays {
            tokio::time::sleep(Duration::from_millis(500)).await;
            assert!(runs(), "{fields:?}");
        } else {
            eventually("it is gone", async || !runs()).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_slides_where_that_is_wished() {
    let stage = trusting(|_| ()).await;
    let (alice, bob) = (stage.viewer(0, "tv"), stage.viewer(1, "tablet"));
    let bob = bob.with(&[("warmgate-window", "4")]);
    let open = async |viewer: &Viewer| short(soon(viewer.open(&stage.channel(1))).await.unwrap());
    let (long, brief): (Playback, Playback) = (open(&alice).await, open(&bob).await);
    let first = async |viewer: &Viewer, playback: &Playback| {
        let answer = poll(viewer, playback).await;
        (answer.tag("EXT-X-MEDIA-SEQUENCE").unwrap(), answer.segments().len())
    };
    let (joined, _) = first(&alice, &long).await;
    let (begun, _) = first(&bob, &brief).await;
    eventually("it slides", async || {
        let (now, length) = first(&bob, &brief).await;
        assert!(length <= 8, "{length}");
        now >= begun + 3
    })
    .await;
    assert_eq!(first(&alice, &long).await.0, joined, "the other grows");
}

/// One key, no device and no playback: a proxy tells who is who.
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_names_the_viewers_of_players_without_a_name() {
    let stage = trusting(|_| ()).await;
    let playback = soon(stage.viewer(0, "tv").open(&stage.channel(1))).await.unwrap();
    let (path, query) = playback.playlist.split_once('?').unwrap();
    let is_name = |pair: &&str| !pair.starts_with("DeviceId=") && !pair.starts_with("PlaySessionId=");
    let path = path.replace(path.split("/hls/").nth(1).unwrap(), "live.m3u8").replace("/hls/live", "/live");
    let path = format!("{path}?{}", query.split('&').filter(is_name).collect::<Vec<_>>().join("&"));
    let folder = async |fields: &[(&'static str, &str)]| {
        let answer = soon(stage.viewer(0, "tv").with(fields).get(&path)).await.unwrap();
        assert_eq!(answer.status, 302, "{}", answer.text());
        answer.field("location").split('/').nth(1).unwrap().to_owned()
    };
    let nobody = folder(&[]).await;
    let kitchen = folder(&[("warmgate-viewer", "\"kitchen\"")]).await;
    assert_eq!(folder(&[]).await, nobody);
    assert_eq!(folder(&[("warmgate-viewer", "\"kitchen\"")]).await, kitchen);
    assert_ne!(nobody, kitchen);
    assert_eq!(stage.snapshot().present(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bitrate_is_clamped_by_the_lower_of_wish_and_rule() {
    let stage = trusting(|config| {
        let set = ClientSettings {
            max_bitrate: Some(warmgate::config::BitRate(3_000_000)),
            ..ClientSettings::default()
        };
        let conditions = Conditions { user: vec!["bob".to_owned()], ..Conditions::default() };
        config.clients.rules = vec![ClientRule { conditions, set }];
    })
    .await;
    for (user, wish, most) in
        [(0, Some("2000000"), 2_000_000), (1, Some("2000000"), 2_000_000), (1, Some("9000000"), 3_000_000)]
    {
        let fields: Vec<_> = wish.map(|wish| ("warmgate-max-bitrate", wish)).into_iter().collect();
        let viewer = stage.viewer(user, "tv").with(&fields);
        let playback = soon(viewer.open(&stage.channel(1))).await.unwrap();
        let bitrate: u64 = parameter(&playback.playlist, "VideoBitrate").unwrap().parse().unwrap();
        assert!(bitrate < most && bitrate > most / 2, "{wish:?} {bitrate}");
    }
}

/// For a device that plays more than its player says, or less.
#[tokio::test(flavor = "multi_thread")]
async fn a_profile_stands_in_place_of_what_the_player_asks_for() {
    let stage = trusting(|config| {
        let conditions = Conditions { user: vec!["bob".to_owned()], ..Conditions::default() };
        let set = ClientSettings { profile: Some(ProfileChoice::Compatible), ..ClientSettings::default() };
        config.clients.rules = vec![ClientRule { conditions, set }];
    })
    .await;
    let wish = |profile| stage.viewer(0, profile).with(&[("warmgate-profile", profile)]);
    let mut streams = Vec::new();
    for (viewer, video) in [
        (wish("as-is"), "copy"),
        (stage.viewer(1, "tv"), "h264"),
        (stage.viewer(1, "tablet").with(&[("warmgate-profile", "as-is")]), "copy"),
        (wish("compatible"), "h264"),
    ] {
        let playback = soon(viewer.open(&stage.channel(1))).await.unwrap();
        let asked = |name: &str| parameter(&playback.playlist, name);
        assert_eq!(
            asked("VideoCodec").as_deref(),
            Some(video),
            "the server's multivariant playlist follows: {}",
            playback.playlist
        );
        assert_eq!(asked("h264-level").is_some(), video == "h264");
        assert_eq!(asked("VideoBitrate").is_none(), video == "copy");
        let answer = poll(&viewer, &playback).await;
        assert!(is_ours(&answer), "{}", answer.field("cache-status"));
        streams.push(stream(&answer));
    }
    assert_eq!((streams[0], streams[1]), (streams[2], streams[3]), "equal profiles share a stream");
    assert_ne!(streams[0], streams[1]);
    // A player that asks for the media playlist alone is told apart by what its own request says.
    let viewer = stage.viewer(0, "direct");
    let playback = soon(viewer.open(&stage.channel(1))).await.unwrap();
    let answer = poll(&viewer.with(&[("warmgate-profile", "as-is")]), &playback).await;
    assert_eq!(stream(&answer), streams[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_may_set_the_mode() {
    let stage = trusting(|config| {
        let conditions = Conditions { user: vec!["bob".to_owned()], ..Conditions::default() };
        let set = ClientSettings { mode: Some(Mode::Bypass), ..ClientSettings::default() };
        config.clients.rules = vec![ClientRule { conditions, set }];
    })
    .await;
    let (_, alice) = tune(&stage.viewer(0, "tv"), &stage.channel(1)).await;
    let (_, bob) = tune(&stage.viewer(1, "tv"), &stage.channel(1)).await;
    assert!(is_ours(&alice) && is_passed_on(&bob, RefuseReason::BypassWished));
    let (_, wishes) =
        tune(&stage.viewer(1, "tablet").with(&[("warmgate-mode", "auto")]), &stage.channel(1)).await;
    assert!(is_hit(&wishes), "the wish wins: {}", wishes.field("cache-status"));
}

/// What answers say, and that one switch ends it.
#[tokio::test(flavor = "multi_thread")]
async fn answers_say_what_happened_unless_they_are_not_to() {
    const FIELDS: [&str; 4] = ["cache-status", "server-timing", "warmgate-stream", "age"];
    for told in [true, false] {
        let mut stage = trusting(|config| config.status_fields = told).await;
        let viewer = stage.viewer(0, "tv").with(&[("warmgate-mode", "unknown")]);
        let (playback, cold) = tune(&viewer, &stage.channel(1)).await;
        assert_eq!(cold.headers.contains_key("warmgate-stream"), told);
        assert!(!poll(&viewer, &playback).await.headers.contains_key("warmgate-ignored"), "it plays");
        let warm =
            poll(&stage.viewer(1, "tv"), &soon(stage.viewer(1, "tv").open(&stage.channel(1))).await.unwrap())
                .await;
        for field in FIELDS {
            assert_eq!(warm.headers.contains_key(field), told, "{field}");
        }
        let segment = soon(viewer.listed(&warm, &warm.segments()[0])).await.unwrap();
        for field in ["cache-status", "warmgate-stream", "age"] {
            assert_eq!(segment.headers.contains_key(field), told, "{field}");
        }
        let wish = stage.viewer(1, "other").with(&[("warmgate-mode", "bypass")]);
        let (_, passed_on) = tune(&wish, &stage.channel(1)).await;
        assert_eq!(passed_on.headers.contains_key("cache-status"), told);
        stage.kill_origin().await;
        let failed = soon(viewer.get("/System/Info")).await.unwrap();
        assert_eq!((failed.status.as_u16(), failed.headers.contains_key("proxy-status")), (502, told));
    }
}
