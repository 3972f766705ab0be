//! Explains which rules match a request, and what applies to its client (`warmgate check --explain`).
//!
//! It reads the head of a request, and asks nobody: who its user is has to be said.

use std::net::IpAddr;

use http::header::USER_AGENT;
use http::uri::InvalidUri;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::config::Config;
use crate::proxy::credential::Credential;
use crate::proxy::forwarded;
use crate::proxy::query::Query;
use crate::server::{Peer, is_trusted};
use domain::clients::wishes::Wishes;
use domain::clients::{Client, ClientSettings};

/// Why a request cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The first line is no request line.
    #[error("line 1: write a method and a target, as in GET /videos/…/live.m3u8 HTTP/1.1")]
    RequestLine,
    /// The target is none.
    #[error("line 1: the target cannot be read: {0}")]
    Target(#[from] InvalidUri),
    /// A line is no header field.
    #[error("line {0}: write a name, a colon and a value")]
    Field(usize),
}

/// Who sends a request, beside what it says itself.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The address that the connection comes from.
    pub peer: IpAddr,
    /// The name or id of the user.
    pub user: Option<String>,
}

/// Explains the request with this head, one line for each rule and each setting.
///
/// # Errors
/// If the head cannot be read.
pub fn explain(config: &Config, head: &str, sender: &Sender) -> Result<Vec<String>, Unreadable> {
    let (uri, mut fields) = read(head)?;
    let wishes = Wishes::of(&fields, config.clients.cache_control);
    let agent = fields.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default().to_owned();
    let sent = fields.clone();
    forwarded::set(
        &mut fields,
        Some(Peer { address: (sender.peer, 0).into(), is_secure: false, is_anonymous: false }),
        &config.trusted_proxies,
    );
    let credential = Credential::of(&fields, &Query::of(&uri));
    let client = Client {
        user: sender.user.as_deref().map(|user| (user, user)),
        device: credential.as_ref().and_then(Credential::device),
        user_agent: &agent,
        address: forwarded::client_address(&fields, &config.trusted_proxies),
        headers: Some(&sent),
    };
    let is_trusted = is_trusted(Some(sender.peer.to_canonical()), &config.trusted_proxies);
    let counts = config.clients.headers.counts(is_trusted);
    let wishes = if counts { wishes } else { Wishes::default() };

    let mut said = vec![format!(
        "from {}, over {} trusted proxy: its wishes {} (clients.headers: {})",
        client.address.map_or_else(|| "somewhere".to_owned(), |address| address.to_string()),
        if is_trusted { "a" } else { "no" },
        if counts { "count" } else { "do not count" },
        config.clients.headers.as_str()
    )];
    let rules = config.clients.rules();
    let unmet: Vec<_> = rules.iter().map(|rule| rule.matches.unmet(&client)).collect();
    let first = unmet.iter().position(Option::is_none);
    for (at, unmet) in unmet.iter().enumerate() {
        let verdict = match unmet {
            Some(condition) => format!("does not match: {}", condition.as_str()),
            None if first == Some(at) => "matches and applies".to_owned(),
            None => "matches too, but an earlier one applies".to_owned(),
        };
        said.push(format!("clients.rules[{at}]: {verdict}"));
    }
    let rule = first.map(|at| rules[at].set).unwrap_or_default();
    let wished = shown(&wishes.settings);
    for ((name, value), (_, wish)) in shown(&rule.with(wishes.settings)).into_iter().zip(wished) {
        let Some(value) = value else { continue };
        let by = match first {
            Some(at) if wish.as_ref() != Some(&value) => format!("clients.rules[{at}]"),
            Some(_) | None => "the request".to_owned(),
        };
        said.push(format!("{name}: {value}, by {by}"));
    }
    said.extend(wishes.max_age.map(|age| format!("max-age: {age:?}, by the request")));
    let ignored = wishes.ignored.iter();
    said.extend(ignored.map(|(field, reason)| format!("{field} is ignored: {}", reason.as_str())));
    Ok(said)
}

/// The settings as `gateway.yaml` spells them.
fn shown(settings: &ClientSettings) -> [(&'static str, Option<String>); 10] {
    let ClientSettings {
        streams,
        max_bitrate,
        cut,
        start,
        window,
        produce,
        mode,
        linger,
        priority,
        profile: _,
    } = settings;
    [
        ("streams", streams.map(|streams| streams.to_string())),
        ("max_bitrate", max_bitrate.map(|bitrate| format!("{bitrate}bit/s"))),
        ("profile", settings.profile().map(|profile| profile.as_str().to_owned())),
        ("cut", cut.map(|cut| cut.as_str().to_owned())),
        ("start", start.map(|start| start.as_str().to_owned())),
        ("window", window.map(|window| format!("{window:?}"))),
        ("produce", produce.map(|produce| produce.as_str().to_owned())),
        ("mode", mode.map(|mode| mode.as_str().to_owned())),
        ("linger", linger.map(|linger| format!("{linger:?}"))),
        ("priority", priority.map(|priority| priority.urgency().to_string())),
    ]
}

/// The target and the fields of the head of a request, up to an empty line.
fn read(head: &str) -> Result<(Uri, HeaderMap), Unreadable> {
    let mut lines = head.lines();
    let target = lines.next().and_then(|line| line.split_whitespace().nth(1));
    let uri = target.ok_or(Unreadable::RequestLine)?.parse()?;
    let mut fields = HeaderMap::new();
    for (at, line) in lines.enumerate().take_while(|(_, line)| !line.trim().is_empty()) {
        let field = line.split_once(':').and_then(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, HeaderValue::from_str(value.trim()).ok()?))
        });
        let (name, value) = field.ok_or(Unreadable::Field(at + 2))?;
        fields.append(name, value);
    }
    Ok((uri, fields))
}
