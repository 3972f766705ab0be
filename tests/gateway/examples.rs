//! The configurations in `examples/`, with the real programs.

use std::net::SocketAddr;

use domain::clients::wishes;
use jellyfin_alike::Settings;
use jellyfin_alike::viewer::Viewer;
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Child;

use crate::support::nginx;
use crate::support::stage::{Stage, is_hit, is_ours, parameter, poll, tune};
use crate::support::wait::soon;

const NGINX: &str = include_str!("../../examples/nginx/warmgate.conf");

/// An nginx with the example as it is, but for the two addresses.
async fn nginx_before(gateway: &str) -> (SocketAddr, Child, TempDir) {
    for address in ["listen 8080;", "server 127.0.0.1:8097;"] {
        assert_eq!(NGINX.matches(address).count(), 1, "{address}");
    }
    let directory = tempfile::tempdir().unwrap();
    let example = |addr| {
        let example = NGINX.replace("listen 8080;", &format!("listen {addr};"));
        example.replace("server 127.0.0.1:8097;", &format!("server {gateway};"))
    };
    let (addr, process) = nginx::serving(&directory, example).await;
    (addr, process, directory)
}

#[test]
fn the_example_clears_every_wish() {
    let example = NGINX.to_lowercase();
    for field in wishes::FIELDS.into_iter().chain(["cache-control"]) {
        assert_eq!(example.matches(&format!("proxy_set_header {field} ")).count(), 1, "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_nginx_only_nginx_wishes() {
    let trust = |config: &mut warmgate::config::Config| {
        config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    };
    let stage = Stage::with(|_| (), trust).await;
    let (addr, _process, _directory) = nginx_before(stage.base.trim_start_matches("http://")).await;
    let users = Settings::quick().users;
    let viewer = |base: String, number: usize, device: &str| {
        Viewer::new(base, users[number].token(), &users[number].id, device)
    };
    let (all, guest) = (format!("http://{addr}"), format!("http://{addr}/guest"));

    let (_, cold) = tune(&viewer(all.clone(), 0, "tv"), &stage.channel(1)).await;
    assert!(is_ours(&cold), "{}", cold.field("cache-status"));
    let values = ["bypass", "0", "1", "7", "\"x\"", "own", "1000"];
    let wishes = wishes::FIELDS.into_iter().zip(values).chain([("cache-control", "no-store")]);
    let wishes: Vec<_> = wishes.collect();
    let client = viewer(all.clone(), 1, "tablet").with(&wishes);
    let (playback, answer) = tune(&client, &stage.channel(1)).await;
    assert!(is_hit(&answer), "its wishes are gone: {}", answer.field("cache-status"));
    assert!(parameter(&playback.playlist, "VideoBitrate").unwrap().parse::<u64>().unwrap() > 1000);
    let straight = stage.viewer(1, "other").with(&wishes);
    assert!(!is_ours(&tune(&straight, &stage.channel(1)).await.1), "a trusted proxy's are not");

    let visitor = viewer(guest, 1, "phone");
    let seen = soon(visitor.open(&stage.channel(1))).await.unwrap();
    assert!(is_hit(&poll(&visitor, &seen).await), "what is warm");
    let opening = json!({"AutoOpenLiveStream": true});
    let path = format!("/Items/{}/PlaybackInfo", stage.channel(2));
    assert_eq!(soon(visitor.post(&path, &opening)).await.unwrap().status, 504, "and nothing else");
}
