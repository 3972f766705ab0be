//! A provider whose connections the server and the gateway share, and what it tells of how many it allows.

use std::time::Duration;

use domain::guid;
use domain::lineup::source::SourceUrl;
use domain::lineup::{Override, Rules};
use domain::produce::Produce;
use domain::reason::LimitSource;
use domain::tuners::TunerLimit;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use warmgate::body;
use warmgate::config::{Config, Location, Playlist, Secret};
use warmgate::server::Upload;

use crate::direct::write_list;
use crate::support::provider::Provider;
use crate::support::servers;
use crate::support::stage::{Stage, tune};
use crate::support::wait::{eventually, soon};

const TOKEN: &str = "t0k-s3cr3t";
/// The playlist of the origin's tuner host.
const PLAYLIST: &str = "http://127.0.0.1:9981/channels.m3u";

fn playlist(url: &str) -> Playlist {
    let location = Location::Url(SourceUrl::new(url));
    Playlist { location, tuners: 0, reload: Duration::from_secs(600), guide: None, rules: Rules::default() }
}

fn serve(config: &mut Config) {
    config.lineup_server.enabled = true;
    config.lineup_server.token = Some(Secret::new(TOKEN));
}

/// Begins to read a channel's raw stream: the status, and the reader.
async fn read(stage: &Stage, number: usize) -> (StatusCode, Incoming) {
    let id = guid::md5(&format!("warmgate lineup: c{number} #1"));
    let uri = format!("{}/lineup/{id}.ts?token={TOKEN}", stage.base);
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::get(uri).body(body::empty()).unwrap();
    let (head, mut body) = soon(client.request(request)).await.unwrap().into_parts();
    if head.status == StatusCode::OK {
        soon(body.frame()).await.unwrap().unwrap();
    }
    (head.status, body)
}

/// The server may have two channels of the playlist open. A viewer watches one there, the gateway pulls another itself.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_gateway_pulls_itself_counts_where_the_server_has_the_same_playlist() {
    let (provider, folder) = (Provider::start().await, tempfile::tempdir().unwrap());
    write_list(folder.path(), 3);
    // The playlist's last good copy: nothing is at its address.
    let copy = format!("lineup-{}.m3u", guid::md5(PLAYLIST));
    std::fs::rename(folder.path().join("list.m3u"), folder.path().join(copy)).unwrap();
    let channel = |number: usize| Override {
        channel: format!("c{number}"),
        urls: vec![SourceUrl::new(provider.url(number))],
        ..Override::default()
    };
    let rules = Rules { overrides: (1..=3).map(channel).collect(), ..Rules::default() };
    let lineup = vec![Playlist { rules, ..playlist(PLAYLIST) }];
    let stage = Stage::with(
        |settings| settings.tuners = 2,
        |config| {
            serve(config);
            (config.lineup, config.produce.default) = (lineup, Produce::Auto);
            config.state_dir = Some(folder.path().to_owned());
        },
    )
    .await;
    let viewer = stage.viewer(0, "tv");
    let (playback, _) = tune(&viewer, &stage.channel(1)).await;
    let on_host = || stage.snapshot().tuners.hosts.first().map_or(0, |host| host.in_use);
    eventually("the host is known", async || on_host() == 1).await;
    assert_eq!(provider.asked().len(), 0, "the server has a connection for this channel already");

    let (status, reader) = read(&stage, 2).await;
    assert_eq!((status, provider.open(), on_host()), (StatusCode::OK, 1, 2));
    assert_eq!(stage.snapshot().tuners.in_use, 1, "that is none of the server's");
    assert_eq!(
        read(&stage, 3).await.0,
        StatusCode::SERVICE_UNAVAILABLE,
        "the viewer watches, the reader reads"
    );

    soon(viewer.leave(&playback)).await.unwrap();
    stage.deserted().await;
    let (status, _other) = read(&stage, 3).await;
    assert_eq!((status, on_host(), stage.origin().counts().tuners_open), (StatusCode::OK, 2, 0));

    // A viewer comes back: what nobody reads any more gives way, before the server opens a third.
    drop(reader);
    eventually("the reader has left", async || stage.snapshot().tuners.hosts[0].idle == 1).await;
    tune(&viewer, &stage.channel(1)).await;
    assert_eq!((provider.most(), stage.origin().counts().tuners_open), (2, 1));
    eventually("the other channel is not pulled any more", async || provider.open() == 1).await;
    assert_eq!(on_host(), 2);
}

/// Both answer at the address that the playlist is from.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_tells_how_many_connections_it_allows() {
    let server = servers::listen(|request: Request<Upload>| async move {
        let answer = match (request.uri().path(), request.uri().query()) {
            ("/discover.json", None) => r#"{"FriendlyName":"HDHomeRun FLEX","TunerCount":4}"#,
            ("/player_api.php", Some("username=me&password=s3cr3t")) => {
                r#"{"user_info":{"auth":1,"status":"Active","active_cons":"1","max_connections":"1"}}"#
            }
            _ => "#EXTM3U\n#EXTINF:-1 tvg-id=\"c1\",C 1\nhttp://127.0.0.1:9/1.ts\n",
        };
        Response::new(body::full(answer))
    })
    .await;
    let account = "/get.php?username=me&password=s3cr3t&type=m3u_plus";
    let lineup = ["/lineup.m3u", account, account, "/list.m3u"];
    let lineup = lineup.map(|path| playlist(&server.url(path)));
    let mut lineup = Vec::from(lineup);
    lineup[2].tuners = 2;
    let stage = Stage::with(|_| (), |config| config.lineup = lineup).await;
    let limits = || stage.snapshot().tuners.providers.iter().map(|seen| seen.limit).collect::<Vec<_>>();
    let expected = [
        Some(TunerLimit { count: 4, source: LimitSource::Device }),
        Some(TunerLimit { count: 1, source: LimitSource::Account }),
        Some(TunerLimit { count: 2, source: LimitSource::Lineup }),
        None,
    ];
    eventually("the numbers are known", async || limits() == expected).await;
}
