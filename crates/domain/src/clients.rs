//! Holds the operator's rules for clients: which settings apply to whom.
//!
//! The first rule that matches a client applies, and no other. The module does not know where the settings are used.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::key::DeviceId;
use crate::window::{ListingChoice, StartChoice};

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
}

/// What a rule sets. What it leaves out is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientSettings {
    /// The most streams that the client's user may watch at once: each device that plays is one.
    pub streams: Option<u32>,
    /// The most bits per second that the client may ask for.
    pub max_bitrate: Option<u64>,
    /// How its lists are made, where that is not left to `window.cut`.
    pub cut: Option<ListingChoice>,
    /// Where its lists begin, where that is not left to `window.start`.
    pub start: Option<StartChoice>,
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
    rules.iter().find(|rule| rule.matches.are_met_by(client)).map(|rule| rule.set).unwrap_or_default()
}

impl Conditions {
    fn are_met_by(&self, client: &Client<'_>) -> bool {
        let Self { user, device, user_agent, network } = self;
        let called = client.user_agent.to_lowercase();
        let plain = |id: &str| id.replace('-', "").to_lowercase();
        is_met(user, |wanted| {
            client.user.is_some_and(|(id, name)| {
                name.to_lowercase() == wanted.to_lowercase() || plain(id) == plain(wanted)
            })
        }) && is_met(device, |wanted| client.device.is_some_and(|device| device.as_str() == wanted))
            && is_met(user_agent, |part| called.contains(&part.to_lowercase()))
            && is_met(network, |net| {
                client.address.is_some_and(|address| net.contains(&address.to_canonical()))
            })
    }
}

fn is_met<T>(values: &[T], fits: impl Fn(&T) -> bool) -> bool {
    values.is_empty() || values.iter().any(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(matches: Conditions, streams: u32) -> ClientRule {
        ClientRule { matches, set: ClientSettings { streams: Some(streams), ..ClientSettings::default() } }
    }

    #[test]
    fn the_first_rule_that_matches_applies() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let rules = [
            rule(Conditions { device: texts(&["tv"]), user: texts(&["Alice"]), ..Conditions::default() }, 0),
            rule(Conditions { user: texts(&["bob", "ALICE"]), ..Conditions::default() }, 1),
            rule(Conditions { user: texts(&["0A-0B"]), ..Conditions::default() }, 2),
            rule(Conditions { user_agent: texts(&["tizen"]), ..Conditions::default() }, 3),
            rule(Conditions { network: vec!["10.0.0.0/8".parse().unwrap()], ..Conditions::default() }, 4),
        ];
        let (tv, nobody) = (DeviceId::new("tv"), Client::default());
        for (client, streams) in [
            (nobody.clone(), None),
            (Client { user: Some(("1", "alice")), device: Some(&tv), ..nobody.clone() }, Some(0)),
            (Client { user: Some(("1", "alice")), ..nobody.clone() }, Some(1)),
            (Client { device: Some(&tv), ..nobody.clone() }, None),
            (Client { user: Some(("0a0b", "carol")), ..nobody.clone() }, Some(2)),
            (Client { user_agent: "SMART-TV; Tizen 6", ..nobody.clone() }, Some(3)),
            (Client { address: Some("::ffff:10.1.2.3".parse().unwrap()), ..nobody.clone() }, Some(4)),
            (Client { address: Some("11.1.2.3".parse().unwrap()), ..nobody.clone() }, None),
        ] {
            assert_eq!(settings(&rules, &client).streams, streams, "{client:?}");
        }
        assert_eq!(settings(&[rule(Conditions::default(), 9)], &nobody).streams, Some(9), "for everybody");
    }
}
