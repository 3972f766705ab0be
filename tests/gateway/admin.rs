//! The listener that shows what goes on inside: API, metrics, events and their rules of access, over a gateway with real viewers.

use std::net::SocketAddr;
use std::time::Duration;

use http::header::{ALLOW, AUTHORIZATION, HOST, ORIGIN};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use warmgate::body;
use warmgate::config::{AccessLogTo, Config, Secret};

use crate::support::admin::{ask, read};
use crate::support::servers::http;
use crate::support::stage::{Stage, poll, tune};
use crate::support::wait::{eventually, soon};

const TOKEN: &str = "operators-secret";

async fn stage(config: impl FnOnce(&mut Config)) -> (Stage, SocketAddr) {
    let stage = Stage::with(
        |_| (),
        |asked| {
            asked.admin.enabled = true;
            config(asked);
        },
    )
    .await;
    let admin = stage.admin.unwrap();
    (stage, admin)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zap_is_shown_with_its_times_and_who_watches() {
    let (stage, admin) = stage(|_| ()).await;
    let empty = read(admin, "/api/v1/state").await;
    assert_eq!((&empty["streams"], &empty["slots"]), (&serde_json::json!([]), &4.into()));
    let viewer = stage.viewer(0, "living-room");
    let (playback, list) = tune(&viewer, &stage.channel(1)).await;
    soon(viewer.listed(&list, &list.segments()[0])).await.unwrap();
    poll(&viewer, &playback).await;
    eventually("the zap is over", async || {
        let zaps = read(admin, "/api/v1/zaps").await;
        let Some(zap) = zaps["zaps"].get(0).cloned() else { return false };
        assert_eq!((zap["outcome"].as_str(), zap["device"].as_str()), (Some("cold"), Some("living-room")));
        let at = |name: &str| zap[name].as_f64().unwrap_or_else(|| panic!("{name}: {zap}"));
        assert!(at("opened") <= at("list_asked") && at("list_asked") <= at("listed"), "{zap}");
        assert!(at("listed") <= at("segment_asked") && at("segment_sent") <= at("listed_again"), "{zap}");
        assert!((at("waited") - at("segment_sent")).abs() < 1e-9, "{zap}");
        true
    })
    .await;
    eventually("the state shows it, with names", async || {
        let state = read(admin, "/api/v1/state").await;
        let stream = &state["streams"][0];
        let viewers = stream["viewers"].as_array().unwrap();
        stream["channel"]["name"].is_string()
            && viewers.len() == 1
            && viewers[0]["user"] == "alice"
            && viewers[0]["device"] == "living-room"
            && stream["why"] == "one viewer watches it"
    })
    .await;
    let (status, media_type, metrics) = ask(admin, &Method::GET, "/metrics", &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(media_type.starts_with("application/openmetrics-text"), "{media_type}");
    for line in [
        "warmgate_streams{state=\"live\"} 1",
        "warmgate_zaps_total{outcome=\"cold\"} 1",
        "warmgate_zap_duration_seconds_count{outcome=\"cold\"} 1",
        "warmgate_starts_total 1",
        "warmgate_zap_objective_seconds 0.5",
        "warmgate_zaps_total{outcome=\"hit\"} 0",
        "warmgate_stopped_total{reason=\"evicted\"} 0",
        "warmgate_requests_total{route=\"opening\",status=\"2xx\"} 1",
        "warmgate_connections_refused_total{reason=\"overload\"} 0",
        "warmgate_upstream_up 1",
        "# EOF",
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
    let summary = read(admin, "/api/v1/summary").await;
    assert_eq!((&summary["viewers"], &summary["zaps"]), (&1.into(), &1.into()));
    assert!(summary.as_object().unwrap().values().all(|value| !value.is_object() && !value.is_array()));
    let described = read(admin, "/api/v1/openapi.json").await;
    assert!(described["openapi"].as_str().unwrap().starts_with("3.1"));
    for path in described["paths"].as_object().unwrap().keys().filter(|path| !path.contains('{')) {
        // Events have no end, and without a place nothing is remembered.
        if !["/api/v1/events", "/api/v1/history"].contains(&path.as_str()) {
            assert_eq!(ask(admin, &Method::GET, path, &[]).await.0, StatusCode::OK, "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_shown_or_changed_for_whoever_may_not() {
    let (stage, admin) = stage(|config| config.admin.token = Some(Secret::new(TOKEN))).await;
    let _watches = tune(&stage.viewer(0, "tv"), &stage.channel(1)).await;
    let bearer = format!("Bearer {TOKEN}");
    let (status, _, state) = ask(admin, &Method::GET, "/api/v1/state", &[(AUTHORIZATION, &bearer)]).await;
    assert_eq!(status, StatusCode::OK);
    let state: Value = serde_json::from_str(&state).unwrap();
    let stop = format!("/api/v1/streams/{}/stop", state["streams"][0]["id"]);
    let kick = format!("/api/v1/viewers/{}/kick", state["streams"][0]["viewers"][0]["id"].as_str().unwrap());
    for path in [
        "/api/v1/state",
        "//api/v1/state",
        "//metrics",
        "/%61pi/v1/state",
        "/api/v1/state/",
        "/api/v1/zaps",
        "/api/v1/events",
        "/metrics",
        "/api/v1/openapi.json",
    ] {
        let (status, media_type, _) = ask(admin, &Method::GET, path, &[]).await;
        assert_eq!((status, &*media_type), (StatusCode::UNAUTHORIZED, "application/problem+json"), "{path}");
    }
    let pin = stop.replace("/stop", "/pin");
    let (warm, release) =
        ["warm", "release"].map(|act| format!("/api/v1/channels/{}/{act}", stage.channel(1))).into();
    for path in [&stop, &kick, &pin, &warm, &release] {
        for (method, fields, refused) in [
            (Method::POST, &[][..], StatusCode::UNAUTHORIZED),
            (Method::POST, &[(AUTHORIZATION, "Bearer wrong")], StatusCode::UNAUTHORIZED),
            (
                Method::POST,
                &[(AUTHORIZATION, &*bearer), (ORIGIN, "http://evil.example")],
                StatusCode::FORBIDDEN,
            ),
            (Method::POST, &[(AUTHORIZATION, &*bearer), (HOST, "evil.example")], StatusCode::FORBIDDEN),
            (Method::GET, &[(AUTHORIZATION, &*bearer)], StatusCode::METHOD_NOT_ALLOWED),
            (Method::DELETE, &[(AUTHORIZATION, &*bearer)], StatusCode::METHOD_NOT_ALLOWED),
        ] {
            let (status, _, body) = ask(admin, &method, path, fields).await;
            assert_eq!(status, refused, "{method} {path} {fields:?}: {body}");
        }
    }
    let request = Request::delete(format!("http://{admin}{stop}")).header(AUTHORIZATION, &bearer);
    let refused = soon(http().request(request.body(body::empty()).unwrap())).await.unwrap();
    assert_eq!(refused.headers()[ALLOW], "POST");
    for path in [&stop, &kick, &pin, &warm, &release] {
        assert_eq!(ask(admin, &Method::POST, &format!("/{path}"), &[]).await.0, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(stage.snapshot().present(), 1, "nothing has changed");
    let (status, _, body) = ask(admin, &Method::POST, &kick, &[(AUTHORIZATION, &bearer)]).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{body}");
    assert_eq!(stage.snapshot().present(), 0);
    let (status, _, _) = ask(admin, &Method::POST, &pin, &[(AUTHORIZATION, &bearer)]).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert!(stage.snapshot().streams[0].is_pinned);
    let (status, _, _) = ask(admin, &Method::POST, &stop, &[(AUTHORIZATION, &bearer)]).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    stage.nothing_open().await;
    assert_eq!(ask(admin, &Method::GET, "/api/v1/health", &[]).await.0, StatusCode::OK, "for anybody");
}

/// It asks again at once, as players do.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_sent_away_stays_away_for_a_while() {
    let (stage, admin) = stage(|_| ()).await;
    let viewer = stage.viewer(0, "tv");
    let (playback, list) = tune(&viewer, &stage.channel(1)).await;
    let other = tune(&stage.viewer(1, "tablet"), &stage.channel(1)).await.0;
    let state = read(admin, "/api/v1/state").await;
    let viewers = state["streams"][0]["viewers"].as_array().unwrap();
    let id = viewers.iter().find(|viewer| viewer["device"] == "tv").unwrap()["id"].as_str().unwrap();
    let kick = format!("/api/v1/viewers/{id}/kick");
    assert_eq!(ask(admin, &Method::POST, &kick, &[]).await.0, StatusCode::NO_CONTENT);
    assert_eq!(ask(admin, &Method::POST, &kick, &[]).await.0, StatusCode::NOT_FOUND);
    assert_eq!(poll(&viewer, &playback).await.status, StatusCode::FORBIDDEN);
    let segment = soon(viewer.listed(&list, &list.segments()[0])).await.unwrap();
    assert_eq!(segment.status, StatusCode::NOT_FOUND);
    assert_eq!(
        poll(&stage.viewer(1, "tablet"), &other).await.status,
        StatusCode::OK,
        "the other one watches"
    );
}

/// Each listener is told the state, and each zap once.
#[tokio::test(flavor = "multi_thread")]
async fn events_tell_what_changes() {
    let (stage, admin) = stage(|_| ()).await;
    let request = Request::get(format!("http://{admin}/api/v1/events")).body(body::empty()).unwrap();
    let mut events = soon(http().request(request)).await.unwrap().into_body();
    let mut told = String::new();
    let viewer = stage.viewer(0, "tv");
    let (playback, list) = tune(&viewer, &stage.channel(1)).await;
    soon(viewer.listed(&list, &list.segments()[0])).await.unwrap();
    poll(&viewer, &playback).await;
    let reading = async {
        while !(told.contains("event: zap\nid: 0\ndata: {\"id\":0") && told.contains("\"state\":\"live\"")) {
            let frame = events.frame().await.expect("events do not end").unwrap();
            told.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reading).await.unwrap();
    assert_eq!(told.matches("event: zap").count(), 1, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_output_contains_a_secret() {
    let (stage, admin) = stage(|config| {
        config.upstream.api_key = Some(Secret::new(&jellyfin_alike::Settings::quick().api_key));
    })
    .await;
    let viewer = stage.viewer(0, "tv");
    let (playback, list) = tune(&viewer, &stage.channel(1)).await;
    soon(viewer.listed(&list, &list.segments()[0])).await.unwrap();
    poll(&viewer, &playback).await;
    let settings = jellyfin_alike::Settings::quick();
    let consumer = stage.snapshot().streams[0].consumers[0].id.to_string();
    let secrets = [settings.api_key.as_str(), settings.users[0].token(), &consumer];
    let ledger = read(admin, "/api/v1/ledger").await;
    let reasons: Vec<_> = ledger.as_array().unwrap().iter().map(|open| &open["reason"]).collect();
    assert!(reasons.contains(&&"client".into()) && ledger[0]["channel"]["item"].is_string(), "{ledger}");
    assert_eq!(read(admin, "/api/v1/config").await["upstream"]["api_key"], "…");
    for path in [
        "/api/v1/state",
        "/api/v1/zaps",
        "/api/v1/summary",
        "/api/v1/config",
        "/api/v1/ledger",
        "/api/v1/decisions",
        "/metrics",
        "/api/v1/openapi.json",
        "/",
    ] {
        let (_, _, body) = ask(admin, &Method::GET, path, &[]).await;
        for secret in secrets {
            assert!(!body.contains(secret), "{path} tells {secret}");
        }
    }
}

/// Whoever plays the preview is no viewer, and the list names only what can be fetched.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_looked_at_by_nobody() {
    let (stage, admin) = stage(|_| ()).await;
    let viewer = stage.viewer(0, "tv");
    tune(&viewer, &stage.channel(1)).await;
    let id = stage.snapshot().streams[0].id.0;
    let look = |file: &str| format!("/api/v1/streams/{id}/preview/{file}");
    let (status, media_type, list) = ask(admin, &Method::GET, &look("live.m3u8"), &[]).await;
    assert_eq!((status, &*media_type), (StatusCode::OK, "application/vnd.apple.mpegurl"));
    assert!(!list.contains("EVENT"), "it slides: {list}");
    let segment = list.lines().find(|line| line.ends_with(".ts")).unwrap();
    let request = Request::get(format!("http://{admin}{}", look(segment))).body(body::empty()).unwrap();
    let answer = soon(http().request(request)).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{list}");
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes().first(), Some(&0x47));
    assert_eq!(stage.snapshot().present(), 1);
    for path in
        [&look("1.ts"), &look("x"), "/api/v1/streams/99/preview/live.m3u8", "/api/v1/streams/99/picture"]
    {
        assert_eq!(ask(admin, &Method::GET, path, &[]).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_log_has_a_line_for_each_request_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let (stage, _) = stage(|config| config.access_log = Some(AccessLogTo::File(path.clone()))).await;
    let viewer = stage.viewer(0, "tv");
    let (_, list) = tune(&viewer, &stage.channel(1)).await;
    soon(viewer.listed(&list, &list.segments()[0])).await.unwrap();
    let text = || std::fs::read_to_string(&path).unwrap();
    eventually("the segment is in the log", async || text().contains(r#""route":"segment""#)).await;
    let lines = text();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let segment = lines.iter().find(|line| line["route"] == "segment").unwrap();
    assert_eq!((&segment["status"], &segment["method"]), (&200.into(), &"GET".into()));
    assert_eq!((&segment["client"], segment["bytes"].as_u64() > Some(0)), (&"127.0.0.1".into(), true));
    assert!(segment["cache"].as_str().unwrap().contains("hit") && segment["stream"].is_string(), "{segment}");
    assert!(lines.iter().any(|line| line["route"] == "opening"), "{lines:?}");
    let consumer = stage.snapshot().streams[0].consumers[0].id.to_string();
    for secret in [&*stage.token(0), &consumer] {
        assert!(!text().contains(secret), "{secret}");
    }
}
