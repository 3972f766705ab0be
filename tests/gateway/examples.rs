//! The configurations in `examples/`, with the real programs.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use domain::clients::wishes;
use domain::produce::Produce;
use http::{HeaderMap, Method, Response};
use jellyfin_alike::Settings;
use jellyfin_alike::viewer::Viewer;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Child;
use tokio_util::sync::CancellationToken;
use warmgate::app::App;
use warmgate::body;
use warmgate::config::Config;

use crate::support::servers::{Server, fetch, get, http, origin, raw_origin};
use crate::support::stage::{Stage, is_hit, is_ours, parameter, poll, tune};
use crate::support::wait::soon;
use crate::support::{haproxy, nginx};

const NGINX: &str = include_str!("../../examples/nginx/warmgate.conf");
const SEVERAL: &str = include_str!("../../examples/nginx/several.conf");
const FAILOVER: &str = include_str!("../../examples/nginx/failover.conf");
const HAPROXY: &str = include_str!("../../examples/haproxy/haproxy.cfg");
const CADDY: &str = include_str!("../../examples/caddy/Caddyfile");

/// A proxy of an example's. Dropping it ends it.
struct Front {
    addr: SocketAddr,
    _process: Child,
    _directory: TempDir,
}

impl Front {
    /// An nginx with an example as it is, but for these parts of it, as addresses are.
    async fn nginx(example: &str, instead: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = |addr| {
            let listen = format!("listen {addr};");
            with(example, &[instead, &[("listen 8080;", &listen)]].concat())
        };
        let (addr, process) = nginx::serving(&directory, config).await;
        Self { addr, _process: process, _directory: directory }
    }

    /// A HAProxy, likewise.
    async fn haproxy(instead: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = |addr| {
            let bind = format!("bind {addr}");
            // Only root can become another user.
            let own = [("bind :8080", &*bind), ("    user haproxy\n    group haproxy\n", "")];
            with(HAPROXY, &[instead, &own].concat())
        };
        let (addr, process) = haproxy::serving(&directory, config).await;
        Self { addr, _process: process, _directory: directory }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }
}

/// The example with other things in place of these.
fn with(example: &str, instead: &[(&str, &str)]) -> String {
    instead.iter().fold(example.to_owned(), |example, (old, new)| {
        assert!(example.contains(old), "{old}");
        example.replace(old, new)
    })
}

fn trust(config: &mut Config) {
    config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
}

fn address(stage: &Stage) -> &str {
    stage.base.trim_start_matches("http://")
}

fn viewer(base: String, number: usize, device: &str) -> Viewer {
    let user = &Settings::quick().users[number];
    Viewer::new(base, user.token(), &user.id, device)
}

/// All wishes, with values.
fn all_wishes() -> Vec<(&'static str, &'static str)> {
    let values: [_; wishes::FIELDS.len()] = ["bypass", "0", "1", "7", "\"x\"", "own", "as-is", "1000"];
    wishes::FIELDS.into_iter().zip(values).chain([("cache-control", "no-store")]).collect()
}

#[test]
fn the_examples_clear_every_wish() {
    for example in [NGINX, SEVERAL, FAILOVER] {
        let example = example.to_lowercase();
        for (field, _) in all_wishes() {
            assert_eq!(example.matches(&format!("proxy_set_header {field} ")).count(), 1, "{field}");
        }
    }
    assert!(CADDY.contains("request_header -Warmgate-*") && CADDY.contains("request_header -Cache-Control"));
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_nginx_only_nginx_wishes() {
    let stage = Stage::with(|_| (), trust).await;
    let front = Front::nginx(NGINX, &[("127.0.0.1:8097", address(&stage))]).await;
    only_the_front_wishes(&stage, &front).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_haproxy_only_haproxy_wishes() {
    let stage = Stage::with(|_| (), trust).await;
    let front = Front::haproxy(&[("127.0.0.1:8097", address(&stage))]).await;
    only_the_front_wishes(&stage, &front).await;
}

async fn only_the_front_wishes(stage: &Stage, front: &Front) {
    let (_, cold) = tune(&viewer(front.url(""), 0, "tv"), &stage.channel(1)).await;
    assert!(is_ours(&cold), "{}", cold.field("cache-status"));
    let client = viewer(front.url(""), 1, "tablet").with(&all_wishes());
    let (playback, answer) = tune(&client, &stage.channel(1)).await;
    assert!(is_hit(&answer), "its wishes are gone: {}", answer.field("cache-status"));
    assert!(parameter(&playback.playlist, "VideoBitrate").unwrap().parse::<u64>().unwrap() > 1000);
    let straight = stage.viewer(1, "other").with(&all_wishes());
    assert!(!is_ours(&tune(&straight, &stage.channel(1)).await.1), "a trusted proxy's are not");

    let visitor = viewer(front.url("/guest"), 1, "phone");
    let seen = soon(visitor.open(&stage.channel(1))).await.unwrap();
    assert!(is_hit(&poll(&visitor, &seen).await), "what is warm");
    let opening = json!({"AutoOpenLiveStream": true});
    let path = format!("/Items/{}/PlaybackInfo", stage.channel(2));
    assert_eq!(soon(visitor.post(&path, &opening)).await.unwrap().status, 504, "and nothing else");
}

#[tokio::test]
async fn haproxy_tells_from_where_clients_come_and_what_they_can_carry() {
    let teller = origin(|request| async move { Response::new(body::full(told(request.headers()))) }).await;
    let gateway = teller.addr.to_string();
    // So that this client comes from elsewhere.
    let front =
        Front::haproxy(&[("127.0.0.1:8097", &gateway), ("src 127.0.0.0/8", "src 192.0.2.0/24")]).await;
    let mut request = get(front.url("/"));
    for (field, value) in all_wishes().into_iter().chain([("x-forwarded-for", "192.0.2.1")]) {
        request.headers_mut().insert(field, value.parse().unwrap());
    }
    let (_, said) = fetch(&http(), request).await;
    let expected = format!(
        "warmgate-max-bitrate: 8000000\nx-forwarded-for: 127.0.0.1\nx-forwarded-host: {}\nx-forwarded-proto: http",
        front.addr
    );
    assert_eq!(said, expected);
}

/// The fields of a request that a proxy sets, sorted.
fn told(fields: &HeaderMap) -> String {
    let set =
        |name: &str| name.starts_with("x-forwarded-") || all_wishes().iter().any(|(wish, _)| *wish == name);
    let fields = fields.iter().filter(|(name, _)| set(name.as_str()));
    let lines: BTreeSet<_> =
        fields.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    lines.into_iter().collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn each_channel_has_its_gateway() {
    let named =
        async |name: &'static str| origin(move |_| async move { Response::new(body::full(name)) }).await;
    let (first, second): (Server, Server) = (named("first").await, named("second").await);
    let addresses = [first.addr, second.addr].map(|addr| addr.to_string());
    let front =
        Front::nginx(SEVERAL, &[("127.0.0.1:8097", &addresses[0]), ("127.0.0.1:8098", &addresses[1])]).await;
    let client = http();
    let asked = async |path: &str| fetch(&client, get(front.url(path))).await.1;

    let mut seen = BTreeSet::new();
    for number in 1..=32_u128 {
        let id = format!("{:032x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
        let dashed = [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]].join("-");
        let gateway = asked(&format!("/Items/{id}/PlaybackInfo?UserId=1")).await;
        for path in [
            format!("/videos/{dashed}/master.m3u8?PlaySessionId=1"),
            format!("/jellyfin/Videos/{dashed}/live.m3u8"),
            format!("/videos/{id}/hls/wg1/17.ts"),
        ] {
            assert_eq!(asked(&path).await, gateway, "{path}");
        }
        seen.insert(gateway);
    }
    assert_eq!(seen.len(), 2, "32 channels are spread");
    for path in ["/", "/System/Ping", "/Sessions/Playing", "/Items/1", "/LiveStreams/Open?ItemId=1"] {
        assert_eq!(asked(path).await, "first", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_channel_runs_at_two_gateways() {
    let stage = Stage::with(|_| (), trust).await;
    let mut config = Config::for_upstream(&format!("http://{}", stage.origin().addr())).unwrap();
    config.listen = "127.0.0.1:0".parse().unwrap();
    config.produce.default = Produce::Adopt;
    trust(&mut config);
    let other = App::bind(config).await.unwrap();
    let (second, streams, stop) =
        (other.local_addr().to_string(), other.supervisor(), CancellationToken::new());
    let _stops = stop.clone().drop_guard();
    let serving = tokio::spawn(other.serve(stop.clone()));

    let front =
        Front::nginx(SEVERAL, &[("127.0.0.1:8097", address(&stage)), ("127.0.0.1:8098", &second)]).await;
    for number in 1..=2 {
        let (_, cold) = tune(&viewer(front.url(""), 0, "tv"), &stage.channel(number)).await;
        assert!(is_ours(&cold), "{}", cold.field("cache-status"));
        let (_, warm) = tune(&viewer(front.url(""), 1, "tablet"), &stage.channel(number)).await;
        assert!(is_hit(&warm), "{}", warm.field("cache-status"));
    }
    assert_eq!(stage.snapshot().streams.len() + streams.snapshot().streams.len(), 2);
    stop.cancel();
    soon(serving).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn jellyfin_steps_in_for_the_gateway() {
    let stage = Stage::with(|_| (), trust).await;
    let server = stage.origin().addr().to_string();
    let front =
        Front::nginx(FAILOVER, &[("127.0.0.1:8097", address(&stage)), ("127.0.0.1:8096", &server)]).await;
    let player = viewer(front.url(""), 0, "tv");
    assert!(is_ours(&tune(&player, &stage.channel(1)).await.1));
    stage.shut_down().await;
    let (_, answer) = tune(&player, &stage.channel(2)).await;
    assert!(!is_ours(&answer) && !answer.segments().is_empty(), "{}", answer.text());
}

/// As the comment in the example says.
#[tokio::test]
async fn jellyfin_is_asked_for_what_the_gateway_has_not_received() {
    let gateway = raw_origin(|mut stream, _| async move {
        let mut request = [0; 4096];
        let length = stream.read(&mut request).await.unwrap();
        if request[..length].starts_with(b"GET /full") {
            stream.write_all(b"HTTP/1.1 503 Full\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        }
    })
    .await;
    let jellyfin = origin(|_| async { Response::new(body::full("Jellyfin")) }).await;
    let [gateway_at, jellyfin_at] = [gateway.addr, jellyfin.addr].map(|addr| addr.to_string());
    let front =
        Front::nginx(FAILOVER, &[("127.0.0.1:8097", &gateway_at), ("127.0.0.1:8096", &jellyfin_at)]).await;
    let client = http();
    let asked = async |method, path| {
        let mut request = get(front.url(path));
        *request.method_mut() = method;
        fetch(&client, request).await.0.status
    };
    assert_eq!(asked(Method::GET, "/lost").await, 200);
    assert_eq!(asked(Method::POST, "/lost").await, 502, "it may have had its effect");
    assert_eq!(asked(Method::GET, "/full").await, 503, "an answer is an answer");
    drop(gateway);
    assert_eq!(asked(Method::POST, "/refused").await, 200);
}
