//! The section `clients`: how many may connect, and rules for who may do what; used as written.

use domain::connections::DEFAULT_LIMIT;
use domain::window::{ListingChoice, StartChoice};
use ipnet::IpNet;
use serde::Deserialize;

use crate::config::errors::Report;
use crate::config::scalar;
use crate::config::units::BitRate;

/// The limits and rules for clients.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct Clients {
    /// The maximum number of connections that are open at once. At least 1.
    #[serde(deserialize_with = "scalar::one")]
    pub connections: usize,
    /// The rules, of which the first that matches a client applies.
    pub rules: Vec<ClientRule>,
}

impl Default for Clients {
    fn default() -> Self {
        Self { connections: DEFAULT_LIMIT, rules: Vec::new() }
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
}

/// What a rule sets.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "settings with keys of their own")]
pub struct ClientSettings {
    /// The most streams that the user may watch at once.
    #[serde(deserialize_with = "scalar::some")]
    pub streams: Option<u32>,
    /// The most that the client may ask for.
    #[serde(deserialize_with = "scalar::some")]
    pub max_bitrate: Option<BitRate>,
    /// How its lists are made.
    #[serde(deserialize_with = "scalar::some")]
    pub cut: Option<ListingChoice>,
    /// Where its lists begin.
    #[serde(deserialize_with = "scalar::some")]
    pub start: Option<StartChoice>,
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
        let holds = set.max_bitrate.is_none_or(|bitrate| bitrate > BitRate(0));
        report.rule(holds, &format!("clients.rules[{at}].set.max_bitrate"), &[], "must be more than 0");
    }
}
