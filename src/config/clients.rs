//! The section `clients`: how many may connect, whose wishes count, and rules for who may do what.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::clients::{self, Mode, Priority, wishes};
use domain::connections::DEFAULT_LIMIT;
use domain::produce::Produce;
use domain::profile::ProfileChoice;
use domain::window::{ListingChoice, StartChoice};
use http::HeaderName;
use ipnet::IpNet;
use serde::Deserialize;

use crate::config::errors::Report;
use crate::config::scalar::{self, Scalar};
use crate::config::units::BitRate;

/// The limits and rules for clients.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct Clients {
    /// The maximum number of connections that are open at once. At least 1.
    #[serde(deserialize_with = "scalar::one")]
    pub connections: usize,
    /// Whose wishes count that a request states in its header fields.
    #[serde(deserialize_with = "scalar::one")]
    pub headers: Believed,
    /// Whether `Cache-Control` is among them.
    pub cache_control: bool,
    /// The rules, of which the first that matches a client applies.
    pub rules: Vec<ClientRule>,
}

impl Default for Clients {
    fn default() -> Self {
        Self {
            connections: DEFAULT_LIMIT,
            headers: Believed::Trusted,
            cache_control: false,
            rules: Vec::new(),
        }
    }
}

impl Clients {
    /// The rules as they are used.
    #[must_use]
    pub fn rules(&self) -> Vec<clients::ClientRule> {
        let rules = self.rules.iter().map(|ClientRule { conditions, set }| {
            let Conditions { user, device, user_agent, network, header } = conditions.clone();
            let ClientSettings { streams, max_bitrate, profile, cut, start, .. } = *set;
            let ClientSettings { window, produce, mode, linger, priority, .. } = *set;
            let max_bitrate = max_bitrate.map(|bitrate| bitrate.0);
            clients::ClientRule {
                matches: clients::Conditions { user, device, user_agent, network, header },
                set: clients::ClientSettings {
                    streams,
                    max_bitrate,
                    profile,
                    cut,
                    start,
                    window,
                    produce,
                    mode,
                    linger,
                    priority,
                },
            }
        });
        rules.collect()
    }
}

/// Whose wishes count that a request states in its header fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Believed {
    /// Those of requests that come from a trusted proxy.
    Trusted,
    /// Those of all requests.
    All,
    /// Nobody's.
    None,
}

impl Believed {
    /// Its spelling in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::All => "all",
            Self::None => "none",
        }
    }

    /// Whether the wishes of a request count that comes from a trusted proxy or does not.
    #[must_use]
    pub const fn counts(self, is_trusted: bool) -> bool {
        match self {
            Self::Trusted => is_trusted,
            Self::All => true,
            Self::None => false,
        }
    }
}

impl Scalar for Believed {
    fn read(text: &str) -> Result<Self, String> {
        scalar::named(&[Self::Trusted, Self::All, Self::None], Self::as_str, text)
    }
}

impl Scalar for Mode {
    fn read(text: &str) -> Result<Self, String> {
        scalar::named(&Self::ALL, Self::as_str, text)
    }
}

impl Scalar for ProfileChoice {
    fn read(text: &str) -> Result<Self, String> {
        scalar::named(&Self::ALL, Self::as_str, text)
    }
}

impl Scalar for Priority {
    fn read(text: &str) -> Result<Self, String> {
        let urgency = text.trim().parse().ok().and_then(Self::of_urgency);
        urgency.ok_or_else(|| format!("{text:?}: write a number from 0 (kept longest) to 7"))
    }
}

/// A rule.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a rule with match and set")]
pub struct ClientRule {
    /// Which clients it is for.
    #[serde(rename = "match")]
    pub conditions: Conditions,
    /// What applies to them.
    pub set: ClientSettings,
}

/// What a client has to be for a rule to match: all of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "conditions with keys of their own")]
pub struct Conditions {
    /// Names or ids of users.
    #[serde(deserialize_with = "scalar::one_or_more")]
    pub user: Vec<String>,
    /// Ids of devices.
    #[serde(deserialize_with = "scalar::one_or_more")]
    pub device: Vec<String>,
    /// Parts of the `User-Agent`.
    #[serde(deserialize_with = "scalar::one_or_more")]
    pub user_agent: Vec<String>,
    /// Addresses or networks.
    #[serde(deserialize_with = "scalar::one_or_more")]
    pub network: Vec<IpNet>,
    /// Header fields with their values, all of which a request has to have.
    #[serde(deserialize_with = "scalar::map")]
    pub header: BTreeMap<String, String>,
}

/// What a rule sets.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "settings with keys of their own")]
pub struct ClientSettings {
    /// The most streams that the user may watch at once.
    #[serde(deserialize_with = "scalar::some")]
    pub streams: Option<u32>,
    /// The most that the client may ask for.
    #[serde(deserialize_with = "scalar::some")]
    pub max_bitrate: Option<BitRate>,
    /// What stands in place of the encoding that it asks for.
    #[serde(deserialize_with = "scalar::some")]
    pub profile: Option<ProfileChoice>,
    /// How its lists are made.
    #[serde(deserialize_with = "scalar::some")]
    pub cut: Option<ListingChoice>,
    /// Where its lists begin.
    #[serde(deserialize_with = "scalar::some")]
    pub start: Option<StartChoice>,
    /// How long its lists are at most.
    #[serde(deserialize_with = "scalar::some")]
    pub window: Option<Duration>,
    /// How its streams are produced.
    #[serde(deserialize_with = "scalar::some")]
    pub produce: Option<Produce>,
    /// Which streams it is served from.
    #[serde(deserialize_with = "scalar::some")]
    pub mode: Option<Mode>,
    /// How long a stream is kept once it has left.
    #[serde(deserialize_with = "scalar::some")]
    pub linger: Option<Duration>,
    /// How important that stream is then.
    #[serde(deserialize_with = "scalar::some")]
    pub priority: Option<Priority>,
}

/// Reports what is wrong with the section.
pub(super) fn check(clients: &Clients, report: &mut Report) {
    report.rule(clients.connections >= 1, "clients.connections", &[], "must be at least 1");
    for (at, ClientRule { conditions, set }) in clients.rules.iter().enumerate() {
        let texts = [
            ("user", &conditions.user),
            ("device", &conditions.device),
            ("user_agent", &conditions.user_agent),
        ];
        for (name, values) in texts {
            let holds = values.iter().all(|value| !value.trim().is_empty());
            report.rule(
                holds,
                &format!("clients.rules[{at}].match.{name}"),
                &[],
                "is empty: it would match everybody",
            );
        }
        for (name, value) in &conditions.header {
            let key = format!("clients.rules[{at}].match.header.{name}");
            match HeaderName::from_bytes(name.as_bytes()) {
                Err(_) => report.add(&key, "is no header that HTTP allows"),
                Ok(name) if wishes::is_own(&name) => {
                    report.add(&key, "states a wish: clients.headers says whose wishes count, not a rule");
                }
                Ok(_) => report.rule(!value.is_empty(), &key, &[], "is empty: write the value to match"),
            }
        }
        let holds = set.window.is_none_or(|window| !window.is_zero());
        report.rule(holds, &format!("clients.rules[{at}].set.window"), &[], "must be longer than 0s");
        let holds = set.profile != Some(ProfileChoice::AsIs) || set.max_bitrate.is_none();
        report.rule(
            holds,
            &format!("clients.rules[{at}].set.profile"),
            &[],
            "as-is copies the source, which may exceed max_bitrate: set one of them",
        );
        let holds = set.max_bitrate.is_none_or(|bitrate| bitrate > BitRate(0));
        report.rule(holds, &format!("clients.rules[{at}].set.max_bitrate"), &[], "must be more than 0");
    }
}
