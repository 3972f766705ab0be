//! Reads `gateway.yaml` into a mirror of it: the same keys, with their defaults and without any rule.
//!
//! It finds all wrong values, not only the first: each is reported and taken out, so that its default stands in, and the
//! rest is read again. A key without a value has its default.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use serde_path_to_error::Segment;
use serde_yaml::Value;

use crate::config::admin::{Admin, Zap};
use crate::config::clients::Clients;
use crate::config::errors::{Errors, Place, Report};
use crate::config::secret::Secret;
use crate::config::sections::{
    History, LineupServer, LiveTvRight, Log, Pool, Produce, Rewind, Shutdown, Viewers, Window,
};
use crate::config::streams::{Feed, Ffmpeg, Warm};
use crate::config::tls::WrittenTls;
use crate::config::tuners::Tuners;
use crate::config::units::ByteSize;
use crate::config::upstream_url::UpstreamUrl;
use crate::config::webhooks::WrittenWebhook;
use crate::config::{environment, lines, lineup, scalar};

/// Keys that there were, and what to write instead.
const MOVED: [(&str, &str); 1] = [(
    "produce.clients",
    "is gone: write a rule in clients.rules, as in - {match: {user_agent: Tizen}, set: {produce: adopt}}",
)];

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "keys with values")]
pub(super) struct File {
    #[serde(deserialize_with = "scalar::one")]
    pub(super) listen: SocketAddr,
    pub(super) tls: WrittenTls,
    #[serde(deserialize_with = "scalar::one")]
    pub(super) name: String,
    #[serde(deserialize_with = "scalar::one")]
    pub(super) status_fields: bool,
    #[serde(deserialize_with = "scalar::list")]
    pub(super) trusted_proxies: Vec<IpNet>,
    #[serde(deserialize_with = "scalar::one")]
    pub(super) proxy_protocol: bool,
    pub(super) state_dir: Option<PathBuf>,
    pub(super) admin: Admin,
    pub(super) zap: Zap,
    pub(super) history: History,
    pub(super) upstream: Upstream,
    #[serde(deserialize_with = "lineup::playlists")]
    pub(super) lineup: Vec<lineup::WrittenPlaylist>,
    pub(super) lineup_server: LineupServer,
    pub(super) produce: Produce,
    pub(super) clients: Clients,
    pub(super) pool: Pool,
    pub(super) tuners: Tuners,
    pub(super) warm: Warm,
    pub(super) feed: Feed,
    pub(super) viewers: Viewers,
    pub(super) window: Window,
    pub(super) rewind: Rewind,
    pub(super) ffmpeg: Ffmpeg,
    pub(super) shutdown: Shutdown,
    pub(super) log: Log,
    pub(super) access_log: Option<PathBuf>,
    pub(super) webhooks: Vec<WrittenWebhook>,
}

impl Default for File {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8097)),
            tls: WrittenTls::default(),
            name: "warmgate".to_owned(),
            status_fields: true,
            trusted_proxies: Vec::new(),
            proxy_protocol: false,
            state_dir: None,
            admin: Admin::default(),
            zap: Zap::default(),
            history: History::default(),
            upstream: Upstream::default(),
            lineup: Vec::new(),
            lineup_server: LineupServer::default(),
            produce: Produce::default(),
            clients: Clients::default(),
            pool: Pool::default(),
            tuners: Tuners::default(),
            warm: Warm::default(),
            feed: Feed::default(),
            viewers: Viewers::default(),
            window: Window::default(),
            rewind: Rewind::default(),
            ffmpeg: Ffmpeg::default(),
            shutdown: Shutdown::default(),
            log: Log::default(),
            access_log: None,
            webhooks: Vec::new(),
        }
    }
}

/// The section `upstream`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub(super) struct Upstream {
    #[serde(deserialize_with = "scalar::some")]
    pub(super) url: Option<UpstreamUrl>,
    #[serde(deserialize_with = "scalar::some")]
    pub(super) api_key: Option<Secret>,
    pub(super) api_key_file: Option<PathBuf>,
    pub(super) ca: Option<PathBuf>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    #[serde(deserialize_with = "scalar::one")]
    pub(super) connect_timeout: Duration,
    #[serde(deserialize_with = "scalar::one")]
    pub(super) response_timeout: Duration,
    #[serde(deserialize_with = "scalar::one")]
    pub(super) cold_timeout: Duration,
    #[serde(deserialize_with = "scalar::one")]
    pub(super) failures: u32,
    #[serde(deserialize_with = "scalar::one")]
    pub(super) disk_budget: ByteSize,
    #[serde(deserialize_with = "scalar::one")]
    pub(super) live_tv_right: LiveTvRight,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            url: None,
            api_key: None,
            api_key_file: None,
            ca: None,
            certificate: None,
            key: None,
            connect_timeout: Duration::from_secs(3),
            response_timeout: Duration::from_secs(5 * 60),
            cold_timeout: Duration::from_secs(20),
            failures: 3,
            disk_budget: ByteSize(20 << 30),
            live_tv_right: LiveTvRight::Enforce,
        }
    }
}

/// Reads `text`, the content of `path`, overridden by `variables`. Wrong values are in the report; only a text that is
/// not YAML is an error.
pub(super) fn read(
    path: &Path,
    text: &str,
    variables: &[(String, String)],
) -> Result<(File, Report), Errors> {
    let mut tree = parse(path, text)?;
    let overridden = environment::overlay(&mut tree, variables);
    drop_empty(&mut tree);
    let mut report = Report::new(path, lines::of_keys(text), overridden);
    loop {
        match serde_path_to_error::deserialize::<_, File>(tree.clone()) {
            Ok(file) => return Ok((file, report)),
            Err(error) => {
                let key = key_of(error.path());
                let what = error.inner().to_string().replace("unknown field", "unknown key");
                let moved = MOVED.iter().find(|(before, _)| *before == key);
                report.add(&key, moved.map_or(what, |(_, now)| (*now).to_owned()));
                let steps: Vec<_> = error.path().iter().cloned().collect();
                take_out(&mut tree, &steps);
            }
        }
    }
}

fn parse(path: &Path, text: &str) -> Result<Value, Errors> {
    serde_yaml::from_str(text).map_err(|error| {
        let (line, what) = explain(text, &error);
        let place =
            line.map_or_else(|| Place::File(path.to_owned()), |line| Place::Line(path.to_owned(), line));
        Errors::one(place, what)
    })
}

/// Why `text` is not YAML, and on which line. The message never repeats a value, which may be a secret.
fn explain(text: &str, error: &serde_yaml::Error) -> (Option<usize>, String) {
    let (message, at) = (error.to_string(), error.location());
    // What is missing at the end is missed on the last line.
    let last = text.lines().count().max(1);
    let line = at.as_ref().map(|at| at.line().min(last));
    if let Some(repeated) = lines::first_repeated(text).filter(|_| message.contains("duplicate entry")) {
        return (Some(repeated), "this key is written twice in its section".to_owned());
    }
    if message.contains("128") && message.contains("invalid type: integer") {
        return (
            line,
            "YAML takes this for a number, and it is too long for one: write it in quotes".to_owned(),
        );
    }
    let place = at.map(|at| format!(" at line {} column {}", at.line(), at.column()));
    (line, place.map_or_else(|| message.clone(), |place| message.replace(&place, "")))
}

/// Drops keys without a value, so that a section whose keys are all commented out is not an error.
fn drop_empty(tree: &mut Value) {
    match tree {
        Value::Mapping(keys) => {
            keys.retain(|_, value| !value.is_null());
            keys.values_mut().for_each(drop_empty);
        }
        Value::Sequence(items) => items.iter_mut().filter(|item| item.is_mapping()).for_each(drop_empty),
        Value::Null => *tree = Value::Mapping(serde_yaml::Mapping::new()),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Tagged(_) => {}
    }
}

/// `path` as messages spell it; empty for the whole file.
fn key_of(path: &serde_path_to_error::Path) -> String {
    if path.iter().next().is_none() { String::new() } else { path.to_string() }
}

/// Removes the value at `steps`, or the nearest enclosing one that can be removed. It always removes something, so that
/// reading again ends.
fn take_out(tree: &mut Value, steps: &[Segment]) {
    let nothing = || Value::Mapping(serde_yaml::Mapping::new());
    let (Value::Mapping(keys), Some((Segment::Map { key }, rest))) = (&mut *tree, steps.split_first()) else {
        *tree = nothing();
        return;
    };
    match (keys.get_mut(key.as_str()), rest) {
        (Some(inner @ Value::Mapping(_)), [_, ..]) => take_out(inner, rest),
        // A list keeps its items, so that the others keep their indexes.
        (Some(Value::Sequence(items)), [Segment::Seq { index }, rest @ ..])
            if !rest.is_empty() && items.get(*index).is_some_and(Value::is_mapping) =>
        {
            take_out(&mut items[*index], rest);
        }
        (Some(_), _) => drop(keys.remove(key.as_str())),
        (None, _) => *tree = nothing(),
    }
}

#[cfg(test)]
mod tests;
