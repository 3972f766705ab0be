//! The playlist and the guide that the gateway serves, made from a provider's.

use domain::key::MediaSourceId;
use domain::lineup::parse::parse;
use http::Request;
use http_body_util::BodyExt;
use warmgate::app::App;
use warmgate::body;
use warmgate::config::{Config, Secret};

use crate::support::servers::http;
use crate::support::wait::{eventually, soon};
use tokio_util::sync::CancellationToken;

const LIST: &str = "#EXTM3U url-tvg=\"http://127.0.0.1:9/guide.xml\"\n\
    #EXTINF:-1 tvg-id=\"one\" tvg-chno=\"1\",One\nhttp://127.0.0.1:9981/ch/1.ts\n";

/// The status, content type and text of the response at `path`.
async fn get(base: &str, path: &str) -> (u16, String, String) {
    let request = Request::get(format!("{base}{path}")).body(body::empty()).unwrap();
    let answer = soon(http().request(request)).await.unwrap();
    let kind = answer.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
    let status = answer.status().as_u16();
    let bytes = soon(answer.into_body().collect()).await.unwrap().to_bytes();
    (status, kind.unwrap_or_default(), String::from_utf8(bytes.to_vec()).unwrap())
}

async fn start(config: impl FnOnce(&mut Config)) -> (App, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("list.m3u"), LIST).unwrap();
    let text = "listen: 127.0.0.1:0\nupstream: {url: http://127.0.0.1:9}\nlineup:\n  - file: list.m3u\n";
    let mut asked = Config::parse(&folder.path().join("gateway.yaml"), text, &[]).unwrap();
    config(&mut asked);
    let app = App::bind(asked).await.unwrap();
    let lineups = app.lineups().unwrap();
    eventually("the playlist is read", async || lineups.current().channels().len() == 1).await;
    let base = format!("http://{}", app.local_addr());
    (app, base)
}

#[tokio::test]
async fn the_gateway_serves_its_lineup_to_who_knows_the_token() {
    let (app, base) = start(|config| {
        config.lineup_server.enabled = true;
        config.lineup_server.token = Some(Secret::new("t0k"));
        config.lineup_server.base = Some("http://gate:8097".to_owned());
    })
    .await;
    let (lineups, stop) = (app.lineups().unwrap(), CancellationToken::new());
    let serving = tokio::spawn(app.serve(stop.clone()));
    for path in ["/lineup/channels.m3u", "/lineup/channels.m3u?token=other", "/lineup/guide.xml?token="] {
        assert_eq!(get(&base, path).await.0, 403, "{path}");
    }
    let (status, kind, text) = get(&base, "/lineup/channels.m3u?token=t0k").await;
    assert_eq!((status, kind.as_str()), (200, "audio/x-mpegurl; charset=utf-8"));
    let served = parse(&text);
    assert_eq!(served.entries[0].name, "One");
    assert!(served.entries[0].url.expose().starts_with("http://gate:8097/lineup/"), "{text}");
    let lineup = lineups.current();
    let own = lineup.find(&served.entries[0].media_source).expect("a request that came of it is known");
    assert_eq!(lineup.find(&MediaSourceId::new("f91bdbcf108c4e49092c20cd88e22af1")), Some(own));
    // Nothing listens at the guide's address.
    let (status, _, guide) = get(&base, "/lineup/guide.xml?token=t0k").await;
    assert_eq!(status, 200);
    assert!(guide.contains("<channel id=\"one\"><display-name>One</display-name>"), "{guide}");
    stop.cancel();
    soon(serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn without_a_base_it_is_where_it_was_asked() {
    let (app, base) = start(|config| {
        config.lineup_server.enabled = true;
        config.lineup_server.token = Some(Secret::new("t0k"));
    })
    .await;
    let stop = CancellationToken::new();
    let serving = tokio::spawn(app.serve(stop.clone()));
    let (_, _, text) = get(&base, "/lineup/channels.m3u?token=t0k").await;
    assert!(parse(&text).entries[0].url.expose().starts_with(&format!("{base}/lineup/")), "{text}");
    stop.cancel();
    soon(serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_is_not_served_is_upstreams_to_answer() {
    let (app, base) = start(|_| ()).await;
    let stop = CancellationToken::new();
    let serving = tokio::spawn(app.serve(stop.clone()));
    assert_eq!(get(&base, "/lineup/channels.m3u?token=t0k").await.0, 502, "nobody is there");
    stop.cancel();
    soon(serving).await.unwrap().unwrap();
}
