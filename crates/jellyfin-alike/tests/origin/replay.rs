//! Replays recorded conversations. Ids, tokens and times are replaced; everything else has to be equal.

use std::collections::BTreeMap;
use std::time::Duration;

use http::HeaderMap;
use jellyfin_alike::{Channel, Origin, Settings, Version};
use serde_json::Value;
use tokio::time::sleep;

use crate::client::{Client, Reply, bearer, by_id, profile};
use crate::wait::eventually;

const POLL: Duration = Duration::from_millis(300);

/// The ids here, by those in the recording.
#[derive(Default)]
struct Names(BTreeMap<String, String>);

impl Names {
    fn is(&mut self, recorded: &str, here: &str) {
        if recorded != here {
            self.0.insert(recorded.to_owned(), here.to_owned());
        }
    }

    fn item(&mut self, recorded: &str, channel: &Channel) {
        self.is(recorded, &channel.item_id);
        let r = recorded;
        let dashed = format!("{}-{}-{}-{}-{}", &r[..8], &r[8..12], &r[12..16], &r[16..20], &r[20..]);
        self.is(&dashed, &channel.dashed_item_id());
    }

    fn apply(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (recorded, here)| text.replace(recorded, here))
    }

    /// Learns the ids that a response has made, from their places.
    fn learn(&mut self, recorded: &str, here: &str) {
        let recorded = self.apply(recorded);
        for (recorded, here) in ids(&recorded).zip(ids(here)) {
            self.is(recorded, here);
        }
    }
}

/// The first 32 digits of each run of at least 32 hex digits: the number of a segment may follow an id.
fn ids(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|letter: char| !letter.is_ascii_hexdigit());
    words.filter(|word| word.len() >= 32).map(|word| &word[..32])
}

fn lines(name: &str) -> Vec<Value> {
    let path = format!("{}/../../fixtures/jellyfin/{name}.ndjson", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The names of the headers, without those of compression, which the origin leaves out, and of a proxy in between.
fn header_names(headers: impl Iterator<Item = String>) -> Vec<String> {
    let ignored = ["content-encoding", "vary", "connection"];
    let mut names: Vec<_> = headers.filter(|name| !ignored.contains(&name.as_str())).collect();
    names.sort();
    names
}

fn same_headers(label: &str, recorded: &Value, here: &HeaderMap) {
    let recorded = recorded.as_object().unwrap();
    let names = header_names(recorded.keys().cloned());
    assert_eq!(header_names(here.keys().map(ToString::to_string)), names, "{label}: headers");
    for name in ["content-type", "allow", "accept-ranges", "expires", "access-control-allow-origin", "server"]
    {
        let value = here.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(value, recorded.get(name).and_then(Value::as_str), "{label}: {name}");
    }
}

/// The parts of a playlist that have to be equal: not its times and not its length.
fn shape(playlist: &str) -> Vec<String> {
    let mut segment = 0;
    let mut lines = Vec::new();
    for line in playlist.lines() {
        if let Some((tag, _)) =
            line.split_once(':').filter(|(tag, _)| ["#EXTINF", "#EXT-X-TARGETDURATION"].contains(tag))
        {
            lines.push(tag.to_owned());
        } else if line.ends_with(".ts") {
            assert!(line.ends_with(&format!("{segment}.ts")), "{line} is not number {segment}");
            lines.push(line[..line.len() - format!("{segment}.ts").len()].to_owned());
            segment += 1;
        } else {
            lines.push(line.to_owned());
        }
    }
    lines.dedup_by(|one, other| one == other);
    // The number of segments may differ.
    let mut seen = std::collections::BTreeSet::new();
    lines.retain(|line| seen.insert(line.clone()));
    lines
}

fn same_body(label: &str, recorded: &str, reply: &Reply, names: &Names) {
    let recorded = names.apply(recorded);
    if recorded.starts_with("#EXTM3U") && recorded.contains("#EXTINF") {
        let (here, there) = (shape(reply.text()), shape(&recorded));
        // The last lines of a dead job may have come before the recording or after it.
        assert_eq!(here, there, "{label}");
    } else {
        assert_eq!(reply.text(), recorded, "{label}");
    }
}

/// The headers with which a recorded request is repeated.
fn sent(line: &Value, names: &Names, modified: &str) -> Vec<(String, String)> {
    let kept = ["authorization", "user-agent", "origin", "if-modified-since", "accept"];
    let headers = line["req_headers"].as_object().unwrap().iter();
    let kept = headers.filter(|(name, _)| kept.contains(&name.as_str()));
    kept.map(|(name, value)| match name.as_str() {
        "if-modified-since" => (name.clone(), modified.to_owned()),
        _ => (name.clone(), names.apply(value.as_str().unwrap())),
    })
    .collect()
}

async fn adopt(version: Version, fixture: &str, learnt: &[(&str, &str)]) {
    let settings = Settings { version, width: 640, height: 360, ..Settings::quick() };
    let (alice, bob) = (settings.users[0].token().to_owned(), settings.users[1].token().to_owned());
    let key = settings.api_key.clone();
    let origin = Origin::start(settings).await.unwrap();
    let (client, channels) = (Client::of(&origin), origin.channels());
    let mut names = Names::default();
    names.item("3470319929255d2e4e0e08ae69de1bd6", &channels[0]);
    names.item("42398c02bba9b955476d14d3d9371252", &channels[3]);
    names.is("TOKEN-ALICE-00000000000000000000", &alice);
    for (recorded, here) in learnt {
        names.is(recorded, here);
    }
    for host in ["http://127.0.0.1:8096", "http://192.0.2.2:8096"] {
        names.is(host, &format!("http://{}", origin.addr()));
    }
    for (index, line) in lines(fixture).iter().enumerate() {
        let label = line["label"].as_str().unwrap();
        let path = names.apply(line["path"].as_str().unwrap()).replace("?...", "?");
        let mut body =
            line.get("req_body").map(|body| serde_json::from_str(&names.apply(&body.to_string())).unwrap());
        if index == 0 {
            body = Some(profile());
        }
        let token = match line["as"].as_str() {
            Some("bob") => &bob,
            Some("api key") => &key,
            Some("nobody") => "",
            _ => &alice,
        };
        let authorization = bearer(token, "dev-a");
        let mut headers: Vec<(&str, &str)> = Vec::new();
        if !token.is_empty() {
            headers.push(("authorization", &authorization));
        }
        if let Some(range) = line["req_headers"]["range"].as_str() {
            headers.push(("range", range));
        }
        if label.contains("later") || label.contains("after the client has stopped") {
            sleep(POLL).await;
        }
        if label.starts_with("tuners exhausted") {
            client.play(&channels[1], &bob).await;
            client.play(&channels[2], &bob).await;
        }
        if label == "gateway: tail of it by suffix range" {
            let whole = path.clone();
            eventually("a playlist longer than its tail", async || client.get(&whole).await.body.len() > 300)
                .await;
        }
        let reply = client.send(line["method"].as_str().unwrap(), &path, &headers, body.as_ref()).await;
        assert_eq!(u64::from(reply.status.as_u16()), line["status"].as_u64().unwrap(), "{label}: status");
        same_headers(label, &line["headers"], &reply.headers);
        let recorded = line["body"].as_str().unwrap();
        if reply.status == 206 {
            assert_eq!(reply.body.len(), 160, "{label}");
            continue;
        }
        names.learn(recorded, reply.text());
        same_body(label, recorded, &reply, &names);
    }
    let counts = origin.counts();
    let held = counts.consumers.get(&channels[0].live_stream_id).copied();
    assert_eq!((counts.jobs, counts.jobs_started), (0, 1));
    // Alice opened and stopped without a start, the gateway opened and closed, Bob opened and did neither.
    let expected = match version {
        Version::V12 => 1,
        Version::V10_11 => 2,
    };
    assert_eq!(held, Some(expected));
}

#[tokio::test]
async fn the_adoption_on_12_is_as_recorded() {
    adopt(Version::V12, "api-12.0-adopt", &[]).await;
}

#[tokio::test]
async fn the_adoption_on_10_11_is_as_recorded() {
    adopt(Version::V10_11, "api-10.11-adopt", &[("98732", "98730"), ("119901268", "119901270")]).await;
}

#[tokio::test]
async fn two_zaps_of_the_web_client_are_as_recorded() {
    let settings = Settings { width: 640, height: 360, ..Settings::quick() };
    let token = settings.users[0].token().to_owned();
    let origin = Origin::start(settings).await.unwrap();
    let (client, channels) = (Client::of(&origin), origin.channels());
    let mut names = Names::default();
    names.item("3470319929255d2e4e0e08ae69de1bd6", &channels[0]);
    names.item("a1e8ef2d47108932ea2c1ac1f4cd4513", &channels[1]);
    names.is("1961f4f2c200bf43b33b38dc4840cdfe", &channels[1].media_source_id);
    names.is("TOKEN-WEB-0000000000000000000000", &token);
    names.is("http://127.0.0.1:8096", &format!("http://{}", origin.addr()));
    let mut modified = String::new();
    let recorded = lines("web-12.0-zap");
    let playing = recorded.iter().skip_while(|line| line["id"] != 147);
    for line in playing.filter(|line| line["status"].is_u64()) {
        let url = names.apply(line["url"].as_str().unwrap());
        let label = format!("{}: {} {url}", line["id"], line["method"]);
        let headers = sent(line, &names, &modified);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let body = line["req_body"].as_str().and_then(|body| serde_json::from_str(&names.apply(body)).ok());
        if url.ends_with(".ts") {
            // FFmpeg opens a segment's file before it writes to it.
            eventually(&label, async || {
                let reply = client.get(&url).await;
                reply.status == 200 && !reply.body.is_empty()
            })
            .await;
        }
        let reply = client.send(line["method"].as_str().unwrap(), &url, &headers, body.as_ref()).await;
        assert_eq!(u64::from(reply.status.as_u16()), line["status"].as_u64().unwrap(), "{label}: status");
        same_headers(&label, &line["res_headers"], &reply.headers);
        if let Some(recorded) = line["res_body"].as_str() {
            names.learn(recorded, reply.text());
            same_body(&label, recorded, &reply, &names);
        }
        if reply.header("content-type") == "video/mp2t" {
            modified = reply.header("last-modified").to_owned();
            assert_eq!(reply.body[0], 0x47);
        }
        if url.contains("BitrateTest") {
            assert_eq!(reply.body.len() as u64, line["bytes"].as_u64().unwrap(), "{label}");
        }
    }
    let counts = origin.counts();
    assert_eq!(
        (counts.tuners_open, counts.jobs, counts.jobs_started),
        (1, 1, 2),
        "the first was stopped, the second plays"
    );
    assert_eq!(client.get(&by_id("0")).await.status, 404);
}
