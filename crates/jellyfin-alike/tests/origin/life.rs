//! The lives of tuners, consumers, jobs and files: which requests open them, keep them and close them.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::rt::TokioExecutor;
use jellyfin_alike::{Counts, Delays, Origin, Policy, Settings, User, Version};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, bearer, by_id, profile};
use crate::set::{quick, set_up};
use crate::wait::eventually;

#[tokio::test]
async fn a_tuner_is_shared_and_the_next_channel_needs_another() {
    let set = set_up(Settings { tuners: 1, ..Settings::quick() }).await;
    set.play(1).await;
    set.play(1).await;
    let other = format!("/Items/{}/PlaybackInfo?AutoOpenLiveStream=true", set.origin.channels()[1].item_id);
    let refused = set.client.post(&other, &set.token, &profile()).await;
    assert_eq!((refused.status.as_u16(), refused.text()), (500, "Error processing request."));
    assert_eq!(refused.header("content-type"), "text/plain");
    let counts = set.counts();
    assert_eq!((counts.tuners_open, counts.tunes, counts.opens, set.consumers()), (1, 1, 2, 2));
}

#[tokio::test]
async fn three_opens_need_three_closes() {
    let set = set_up(Settings::quick()).await;
    let channel = set.origin.channels().remove(0);
    for _ in 0..3 {
        let body = json!({"OpenToken": channel.open_token, "ItemId": channel.item_id});
        let opened = set.client.post("/LiveStreams/Open", &set.token, &body).await.json();
        assert_eq!(opened["MediaSource"]["LiveStreamId"], channel.live_stream_id);
    }
    let close = format!("/LiveStreams/Close?liveStreamId={}", channel.live_stream_id);
    for left in [2, 1, 0, 0] {
        assert_eq!(set.client.post(&close, &set.token, &Value::Null).await.status, 204);
        assert_eq!(set.consumers(), left);
    }
    let counts = set.counts();
    assert_eq!((counts.tuners_open, counts.tuner_connections, counts.bytes_on_disk), (0, 0, 0));
    assert_eq!((counts.opens, counts.closes), (3, 3));
}

#[tokio::test]
async fn stopped_gives_back_what_each_version_thinks_is_held() {
    for (version, without_start) in [(Version::V12, 0), (Version::V10_11, 1)] {
        let set = set_up(quick(version)).await;
        let source = set.play(1).await;
        assert_eq!(set.report("/Stopped", &source).await, 204);
        assert_eq!(set.consumers(), without_start, "{version:?}: without a start");
        let set = set_up(quick(version)).await;
        let source = set.play(1).await;
        assert_eq!(set.report("", &source).await, 204);
        assert_eq!(set.report("/Progress", &source).await, 204);
        assert_eq!(set.report("/Stopped", &source).await, 204);
        assert_eq!(set.consumers(), 0, "{version:?}: with a start");
    }
}

#[tokio::test]
async fn a_job_lives_by_pings_and_segments_are_none() {
    for (version, consumers) in [(Version::V12, 0), (Version::V10_11, 1)] {
        let delays = Delays { kill_timer: Duration::from_millis(1500), ..Delays::quick() };
        let set = set_up(Settings { delays, ..quick(version) }).await;
        let source = set.play(1).await;
        let (_, id) = set.client.start(&source).await;
        let started = Instant::now();
        eventually("twice the timer has passed", async || {
            assert_eq!(set.status(&by_id(&id)).await, 200);
            started.elapsed() > delays.kill_timer * 2
        })
        .await;
        assert_eq!(set.counts().jobs, 1, "{version:?}: the playlist pings");
        let segment = format!("/Videos/x/hls/{id}/{id}0.ts");
        eventually("segments alone let it die", async || {
            set.status(&segment).await;
            set.counts().jobs == 0
        })
        .await;
        eventually("its files go", async || set.status(&by_id(&id)).await == 404).await;
        assert_eq!(set.consumers(), consumers, "{version:?}: what its silence gave back");
    }
}

#[tokio::test]
async fn a_kill_by_play_session_spares_the_stream_and_other_jobs() {
    let set = set_up(Settings::quick()).await;
    let (mine, theirs) = (set.play(1).await, set.play(1).await);
    let (_, id) = set.client.start(&mine).await;
    set.client.start(&theirs).await;
    let session = mine["PlaySessionId"].as_str().unwrap();
    let authorization = bearer(&set.token, "dev-a");
    let headers = [("authorization", authorization.as_str())];
    for (query, status) in [
        ("deviceId=&playSessionId=x".to_owned(), 400),
        ("deviceId=d".to_owned(), 400),
        (format!("deviceId=anything&playSessionId={session}"), 204),
    ] {
        let path = format!("/Videos/ActiveEncodings?{query}");
        assert_eq!(set.client.send("DELETE", &path, &headers, None).await.status, status, "{query}");
    }
    let counts = set.counts();
    assert_eq!((counts.jobs, counts.jobs_started, set.consumers()), (1, 2, 2));
    assert!(
        set.client.get(&by_id(&id)).await.text().ends_with("#EXT-X-ENDLIST\n"),
        "files outlive their job"
    );
    eventually("its files go", async || set.status(&by_id(&id)).await == 404).await;
}

#[tokio::test]
async fn a_job_starts_though_its_client_has_gone() {
    let set = set_up(Settings::quick()).await;
    let source = set.play(1).await;
    let url = source["TranscodingUrl"].as_str().unwrap().replace("master", "live");
    tokio::select! {
        _ = set.client.get(&url) => panic!("a cold start takes longer"),
        () = eventually("FFmpeg runs", async || { set.counts().jobs == 1 }) => {}
    }
    assert_eq!(set.client.get(&url).await.status, 200);
    assert_eq!(set.counts().jobs_started, 1);
}

#[tokio::test]
async fn a_reported_play_keeps_its_job_until_it_stops() {
    let delays = Delays { kill_timer: Duration::from_millis(1000), ..Delays::quick() };
    let set = set_up(Settings { delays, ..Settings::quick() }).await;
    let source = set.play(1).await;
    set.client.start(&source).await;
    assert_eq!(set.report("", &source).await, 204);
    let started = Instant::now();
    eventually("three times the timer has passed", async || {
        assert_eq!(set.counts().jobs, 1);
        started.elapsed() > delays.kill_timer * 3
    })
    .await;
    assert_eq!(set.report("/Stopped", &source).await, 204);
    assert_eq!((set.counts().jobs, set.consumers()), (0, 0));
}

#[tokio::test]
async fn a_job_without_a_live_stream_opens_and_closes_its_own() {
    let set = set_up(Settings::quick()).await;
    let item = &set.origin.channels()[0].item_id;
    let query = format!("PlaySessionId=p&DeviceId=d&MinSegments=1&ApiKey={}", set.token);
    assert_eq!(set.status(&format!("/Videos/{item}/live.m3u8?{query}")).await, 200);
    assert_eq!(set.consumers(), 1);
    let headers = [("authorization", &*bearer(&set.token, "d"))];
    let kill = "/Videos/ActiveEncodings?deviceId=d&playSessionId=p";
    assert_eq!(set.client.send("DELETE", kill, &headers, None).await.status, 204);
    eventually("its stream is closed", async || set.consumers() == 0).await;
}

#[tokio::test]
async fn what_may_not_be_copied_is_encoded() {
    let set = set_up(Settings::quick()).await;
    let source = set.play(1).await;
    let url = source["TranscodingUrl"].as_str().unwrap().replace("master", "live").replace("aac,mp3", "mp3");
    let reply = set.client.get(&format!("{url}&MaxWidth=160&MaxHeight=120")).await;
    let segment = reply.text().lines().last().unwrap().rsplit('/').next().unwrap();
    let probe = tokio::process::Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "stream=codec_name,width", "-of", "csv=p=0"])
        .arg(set.origin.folder().join(segment))
        .output()
        .await
        .unwrap();
    let streams = String::from_utf8(probe.stdout).unwrap();
    assert!(streams.contains("h264,160") && streams.contains("mp3"), "{streams}");
}

#[tokio::test]
async fn a_closed_socket_ends_its_sessions_stream() {
    let set = set_up(Settings::quick()).await;
    let address = set.origin.addr();
    let refused = tokio_tungstenite::connect_async(format!("ws://{address}/socket")).await;
    let Err(tokio_tungstenite::tungstenite::Error::Http(answer)) = refused else { panic!("{refused:?}") };
    assert_eq!(answer.status(), 403);
    let token = &set.token;
    let url = format!("ws://{address}/socket?ApiKey={token}");
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    let hello = socket.next().await.unwrap().unwrap();
    assert_eq!(hello, Message::text(r#"{"MessageType":"ForceKeepAlive","Data":60}"#));
    socket.send(Message::text(r#"{"MessageType":"KeepAlive"}"#)).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(r#"{"MessageType":"KeepAlive"}"#));
    assert_eq!(set.counts().websockets, 1);
    let source = set.play(1).await;
    let body = json!({"PlaySessionId": source["PlaySessionId"], "LiveStreamId": source["LiveStreamId"]});
    let headers = [("authorization", &*format!("MediaBrowser Token={token}"))];
    assert_eq!(set.client.send("POST", "/Sessions/Playing", &headers, Some(&body)).await.status, 204);
    drop(socket);
    eventually("the stream is given back", async || set.consumers() == 0).await;
    assert_eq!(set.counts().websockets, 0);
}

#[tokio::test]
async fn a_crash_forgets_streams_and_keeps_tokens_and_probes() {
    let set = set_up(Settings::quick()).await;
    let source = set.play(1).await;
    let (_, id) = set.client.start(&source).await;
    let (address, folder) = (set.origin.addr(), set.origin.folder().to_owned());
    let settings = set.origin.kill().await;
    assert!(set.client.try_send("GET", "/health", &[], None).await.is_err(), "nobody listens");
    assert!(!folder.exists());
    let slow = Delays { probe: Duration::from_secs(60), ..settings.delays };
    let origin = Origin::start(Settings { delays: slow, ..settings }).await.unwrap();
    assert_eq!(origin.addr(), address);
    assert_eq!(origin.counts(), Counts::default());
    let client = Client::of(&origin);
    let live = source["TranscodingUrl"].as_str().unwrap().replace("master", "live");
    assert_eq!(client.get(&live).await.status, 404);
    assert_eq!(client.get(&by_id(&id)).await.status, 404);
    let again = client.play(&origin.channels()[0], &set.token).await;
    assert_eq!(again["LiveStreamId"], source["LiveStreamId"]);
    assert_ne!(again["Path"], source["Path"]);
    client.start(&again).await;
    let folder = origin.folder().to_owned();
    drop(origin);
    assert!(!folder.exists());
}

#[tokio::test]
async fn the_raw_stream_is_shared_and_late_readers_start_near_its_end() {
    for late in [Duration::ZERO, Duration::from_secs(60)] {
        let delays = Delays { late, ..Delays::quick() };
        let set = set_up(Settings { delays, ..Settings::quick() }).await;
        let source = set.play(1).await;
        eventually("there is more than the tail", async || set.counts().bytes_on_disk > 100_000).await;
        let url = source["Path"].as_str().unwrap().parse().unwrap();
        let pool: Pool<_, Empty<bytes::Bytes>> = Pool::builder(TokioExecutor::new()).build_http();
        let answer = pool.get(url).await.unwrap();
        assert_eq!(answer.headers()["content-type"], "video/mp2t");
        let before = raw_file(&set.origin).len();
        let mut body = answer.into_body();
        let mut read = Vec::new();
        while read.len() < 4000 {
            read.extend(body.frame().await.unwrap().unwrap().into_data().unwrap());
        }
        let file = raw_file(&set.origin);
        assert!(file[0] == 0x47 && file[188] == 0x47);
        let start = file.windows(4000).position(|window| window == &read[..4000]).unwrap();
        if late.is_zero() {
            assert!(start > 0 && before - start <= 25_000, "from {start} of {before}");
        } else {
            assert_eq!(start, 0);
        }
        assert_eq!(
            set.status("/LiveTv/LiveStreamFiles/00000000000000000000000000000000/stream.ts").await,
            404
        );
    }
}

fn raw_file(origin: &Origin) -> Vec<u8> {
    let file = std::fs::read_dir(origin.folder()).unwrap().next().unwrap().unwrap();
    std::fs::read(file.path()).unwrap()
}

#[tokio::test]
async fn a_provider_fails_stalls_and_ends_on_command() {
    let delays = Delays { input_end: Duration::from_secs(4), ..Delays::quick() };
    let set = set_up(Settings { delays, ..Settings::quick() }).await;
    let open = format!("/Items/{}/PlaybackInfo?AutoOpenLiveStream=true", set.origin.channels()[0].item_id);
    set.origin.fail(1);
    assert_eq!(set.client.post(&open, &set.token, &profile()).await.status, 500);
    set.origin.recover(1);
    let source = set.play(1).await;
    let (_, id) = set.client.start(&source).await;
    set.origin.stall(1);
    let mut last = (String::new(), Instant::now());
    eventually("the playlist stands still", async || {
        let text = set.client.get(&by_id(&id)).await.text().to_owned();
        if text != last.0 {
            last = (text, Instant::now());
        }
        last.1.elapsed() > Duration::from_millis(1700)
    })
    .await;
    assert!(!last.0.contains("ENDLIST"));
    set.origin.recover(1);
    set.origin.end(1);
    eventually("the job ends with its input", async || {
        set.client.get(&by_id(&id)).await.text().ends_with("#EXT-X-ENDLIST\n")
    })
    .await;
    let again = set.play(1).await;
    assert_ne!(again["Path"], source["Path"], "an ended input is not shared");
}

#[tokio::test]
async fn the_first_play_after_a_start_can_fail_and_a_harmless_request_prevents_it() {
    let set = set_up(Settings { first_play_fails: true, ..Settings::quick() }).await;
    let source = set.play(1).await;
    let live = source["TranscodingUrl"].as_str().unwrap().replace("master", "live");
    assert!(!live.contains("h264-level"), "the probe failed");
    assert_eq!(set.status(&live).await, 500);
    assert_eq!(set.consumers(), 1, "the tuner stays open");
    let next = set.play(2).await;
    set.client.start(&next).await;

    let set = set_up(Settings { first_play_fails: true, ..Settings::quick() }).await;
    let item = &set.origin.channels()[0].item_id;
    let harmless = format!("/Videos/{item}/live.m3u8?LiveStreamId=x&ApiKey={}", set.token);
    assert_eq!(set.status(&harmless).await, 404);
    let first = set.play(1).await;
    set.client.start(&first).await;
}

#[tokio::test]
async fn the_target_duration_grows_with_the_second_segment() {
    let (gop, segment_length) = (Duration::from_secs(2), Duration::from_secs(3));
    let set = set_up(Settings { gop, segment_length, ..Settings::quick() }).await;
    let (first, id) = set.client.start(&set.play(1).await).await;
    assert!(first.contains("#EXT-X-TARGETDURATION:2\n") && first.contains("#EXTINF:2.0"), "{first}");
    eventually("a second segment of 4 s", async || {
        let text = set.client.get(&by_id(&id)).await.text().to_owned();
        text.contains("#EXT-X-TARGETDURATION:4\n") && text.contains("#EXTINF:4.0")
    })
    .await;
}

#[tokio::test]
async fn rights_and_tokens_are_told_and_half_kept() {
    let mut carol = User::new("carol");
    carol.policy = Policy { live_tv: false, ..Policy::default() };
    let set = set_up(Settings { users: vec![carol], ..Settings::quick() }).await;
    let (key, token) = (Settings::quick().api_key, set.token.clone());
    assert_eq!(set.status(&format!("/LiveTv/Channels?ApiKey={token}")).await, 403);
    assert_eq!(set.status(&format!("/LiveTv/Channels?ApiKey={key}")).await, 200);
    let me = set.client.get(&format!("/Users/Me?ApiKey={token}")).await.json();
    assert_eq!(me["Policy"]["EnableLiveTvAccess"], false);
    assert_eq!(set.status(&format!("/Users/Me?ApiKey={key}")).await, 400);
    set.client.start(&set.play(1).await).await;

    let device = [("authorization", r#"MediaBrowser Client="c", Device="d", DeviceId="e", Version="1""#)];
    let login = json!({"Username": "carol", "Pw": "carol"});
    let reply = set.client.send("POST", "/Users/AuthenticateByName", &device, Some(&login)).await.json();
    let fresh = reply["AccessToken"].as_str().unwrap();
    assert_eq!(set.status(&format!("/SYSTEM/endpoint/?apikey={fresh}")).await, 200);
    assert_eq!(set.client.post("/Sessions/Logout", fresh, &Value::Null).await.status, 204);
    assert_eq!(set.status(&format!("/System/Endpoint?ApiKey={fresh}")).await, 401);
    set.origin.revoke(&token);
    assert_eq!(set.status(&format!("/System/Endpoint?ApiKey={token}")).await, 401);
}

#[tokio::test]
async fn old_prefixes_and_credentials_are_of_the_old_server() {
    for (version, status) in [(Version::V12, [404, 401]), (Version::V10_11, [200, 200])] {
        let set = set_up(Settings { base_path: "/jellyfin".to_owned(), ..quick(version) }).await;
        assert_eq!(set.status("/jellyfin/System/Info/Public").await, 200);
        assert_eq!(set.status("/System/Info/Public").await, 302);
        assert_eq!(set.status("/jellyfin/emby/System/Info/Public").await, status[0]);
        assert_eq!(set.status(&format!("/jellyfin/System/Endpoint?api_key={}", set.token)).await, status[1]);
    }
}
