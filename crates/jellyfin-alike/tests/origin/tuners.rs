//! How many tuners there are: what the configuration says, and what happens when they do not suffice.

use std::time::{Duration, Instant};

use jellyfin_alike::{Delays, Policy, Settings, User};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::client::profile;
use crate::set::set_up;
use crate::wait::eventually;

#[tokio::test]
async fn every_login_may_read_the_number_of_tuners() {
    let mut carol = User::new("carol");
    carol.policy = Policy { live_tv: false, ..Policy::default() };
    for tells_tuners in [true, false] {
        let users = vec![carol.clone()];
        let set = set_up(Settings { tuners: 1, tells_tuners, users, ..Settings::quick() }).await;
        let path = "/System/Configuration/livetv";
        assert_eq!(set.status(path).await, 401);
        let host =
            set.client.get(&format!("{path}?ApiKey={}", set.token)).await.json()["TunerHosts"][0].take();
        assert_eq!(host["TunerCount"], usize::from(tells_tuners));
        assert_eq!((&host["Type"], &host["AllowStreamSharing"]), (&"m3u".into(), &true.into()));
        assert!(host["Id"].is_string() && host["Url"].is_string(), "{host}");
        set.play(1).await;
        let second = format!("/Items/{}/PlaybackInfo", set.origin.channels()[1].item_id);
        let second =
            set.client.post(&format!("{second}?AutoOpenLiveStream=true"), &set.token, &profile()).await;
        assert_eq!(second.status, 500, "the limit exists, told or not");
    }
}

/// One channel's provider refuses connections, the other's accepts and stays silent. Neither keeps a tuner.
#[tokio::test]
async fn a_dead_channel_holds_a_tuner_only_while_it_is_opened() {
    let delays = Delays { first_bytes: Duration::from_secs(2), ..Delays::quick() };
    let set = set_up(Settings { delays, ..Settings::quick() }).await;
    let refusing = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let urls = [refusing, silent.local_addr().unwrap()]
        .map(|address| format!("#EXTINF:-1,Dead\nhttp://{address}/1.ts\n"));
    let playlist = serve_once(format!("#EXTM3U\n{}", urls.concat())).await;
    set.origin.tune_by(&playlist).await.unwrap();
    let host = set.client.get(&format!("/System/Configuration/livetv?ApiKey={}", set.token)).await.json();
    assert_eq!(host["TunerHosts"][0]["Url"], playlist);
    for (channel, least) in set.origin.channels().iter().zip([Duration::ZERO, delays.first_bytes]) {
        let started = Instant::now();
        let path = format!("/Items/{}/PlaybackInfo?AutoOpenLiveStream=true", channel.item_id);
        assert_eq!(set.client.post(&path, &set.token, &profile()).await.status, 500);
        assert!(started.elapsed() >= least, "{:?}", started.elapsed());
        assert_eq!((set.counts().tuners_open, set.counts().bytes_on_disk), (0, 0));
    }
}

/// Openings wait for each other, also those of other channels.
#[tokio::test]
async fn openings_queue_behind_a_dead_channel() {
    let delays = Delays { first_bytes: Duration::from_secs(2), ..Delays::quick() };
    let set = set_up(Settings { delays, ..Settings::quick() }).await;
    set.origin.stall(1);
    let path = format!("/Items/{}/PlaybackInfo?AutoOpenLiveStream=true", set.origin.channels()[0].item_id);
    let (wish, started) = (profile(), Instant::now());
    let dead = set.client.post(&path, &set.token, &wish);
    let next = async {
        eventually("the dead channel is being opened", async || set.counts().tunes == 1).await;
        set.play(2).await;
        started.elapsed()
    };
    let (dead, waited) = tokio::join!(dead, next);
    assert_eq!(dead.status, 500);
    assert!(waited >= delays.first_bytes, "{waited:?}");
    assert_eq!(set.counts().tuners_open, 1);
}

#[tokio::test]
async fn a_provider_ends_its_oldest_connection_for_another() {
    let settings = Settings { provider_connections: Some(2), tells_tuners: false, ..Settings::quick() };
    let set = set_up(settings).await;
    let first = set.play(1).await;
    set.play(2).await;
    assert_eq!(set.counts().tuner_connections, 2);
    set.play(3).await;
    eventually("the first is disconnected", async || set.counts().tuner_connections == 2).await;
    assert_eq!(set.counts().tuners_open, 3, "its live stream stays, without bytes");
    let again = set.play(1).await;
    assert_ne!(again["Path"], first["Path"]);
    eventually("now the second is", async || set.counts().tuner_connections == 2).await;
}

/// A playlist's URL, which is served once.
async fn serve_once(playlist: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await.unwrap();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", playlist.len());
        stream.write_all(format!("{head}{playlist}").as_bytes()).await.unwrap();
    });
    format!("http://{address}/channels.m3u")
}
