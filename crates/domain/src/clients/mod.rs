//! Holds the operator's rules for clients: which settings apply to whom.
//!
//! The first rule that matches a client applies, and no other. The module does not know where the settings are used.

pub mod settings;
pub mod wishes;

use std::collections::BTreeMap;
use std::net::IpAddr;

use http::HeaderMap;
use ipnet::IpNet;

use crate::key::DeviceId;
pub use settings::{ClientSettings, Mode, Priority, TuneConditions};

/// A client, as its requests and the server show it.
#[derive(Clone, Debug, Default)]
pub struct Client<'a> {
    /// The id and the name of its user, if the server has told them.
    pub user: Option<(&'a str, &'a str)>,
    /// The id of its device.
    pub device: Option<&'a DeviceId>,
    /// Its `User-Agent`.
    pub user_agent: &'a str,
    /// Its address, as far as trusted proxies in between tell.
    pub address: Option<IpAddr>,
    /// The fields of its request.
    pub headers: Option<&'a HeaderMap>,
}

/// Which clients a rule is for: those that meet all conditions. A condition without values is met by all, one with several by
/// those that one of them fits.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// Names or ids of users, in any letter case.
    pub user: Vec<String>,
    /// Ids of devices.
    pub device: Vec<String>,
    /// Parts of the `User-Agent`, in any letter case.
    pub user_agent: Vec<String>,
    /// Networks that it may be in.
    pub network: Vec<IpNet>,
    /// Header fields with their values: all of them have to be there.
    pub header: BTreeMap<String, String>,
}

/// A kind of condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// [`Conditions::user`].
    User,
    /// [`Conditions::device`].
    Device,
    /// [`Conditions::user_agent`].
    UserAgent,
    /// [`Conditions::network`].
    Network,
    /// [`Conditions::header`].
    Header,
}

impl Condition {
    /// The one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Device => "device",
            Self::UserAgent => "user_agent",
            Self::Network => "network",
            Self::Header => "header",
        }
    }
}

/// A rule.
#[derive(Clone, Debug, Default)]
pub struct ClientRule {
    /// Which clients it is for.
    pub matches: Conditions,
    /// What applies to them.
    pub set: ClientSettings,
}

/// The settings that apply to `client`: those of the first rule that matches.
#[must_use]
pub fn settings(rules: &[ClientRule], client: &Client<'_>) -> ClientSettings {
    let first = rules.iter().find(|rule| rule.matches.unmet(client).is_none());
    first.map(|rule| rule.set).unwrap_or_default()
}

impl Conditions {
    /// The first condition that `client` does not meet.
    #[must_use]
    pub fn unmet(&self, client: &Client<'_>) -> Option<Condition> {
        let Self { user, device, user_agent, network, header } = self;
        let plain = |id: &str| id.replace('-', "").to_lowercase();
        let is_user = |wanted: &String| {
            client.user.is_some_and(|(id, name)| {
                name.to_lowercase() == wanted.to_lowercase() || plain(id) == plain(wanted)
            })
        };
        let is_device = |wanted: &String| client.device.is_some_and(|device| device.as_str() == wanted);
        let called = client.user_agent.to_lowercase();
        let is_called = |part: &String| called.contains(&part.to_lowercase());
        let is_in = |net: &IpNet| client.address.is_some_and(|address| net.contains(&address.to_canonical()));
        let has = |(name, value): (&String, &String)| {
            let mut values = client.headers.into_iter().flat_map(|headers| headers.get_all(name.as_str()));
            values.any(|found| found.as_bytes() == value.as_bytes())
        };
        let met = [
            (Condition::User, is_met(user, is_user)),
            (Condition::Device, is_met(device, is_device)),
            (Condition::UserAgent, is_met(user_agent, is_called)),
            (Condition::Network, is_met(network, is_in)),
            (Condition::Header, header.iter().all(has)),
        ];
        met.into_iter().find(|(_, met)| !met).map(|(condition, _)| condition)
    }
}

fn is_met<T>(values: &[T], fits: impl Fn(&T) -> bool) -> bool {
    values.is_empty() || values.iter().any(fits)
}

#[cfg(test)]
mod tests;
