//! Shows the rules for clients.

use serde_json::{Map, Value, json};

use crate::config::clients::{ClientRule, ClientSettings, Clients, Conditions};
use crate::config::shown::values::{HIDDEN, span};
use crate::config::units::spell_bitrate;

/// The section. A proxy may show who it is by a header, so the values of those are hidden.
pub(super) fn clients(clients: &Clients) -> Value {
    let Clients { connections, headers, cache_control, rules } = clients;
    json!({
        "connections": connections,
        "headers": headers.as_str(),
        "cache_control": cache_control,
        "rules": rules.iter().map(rule).collect::<Vec<_>>(),
    })
}

fn rule(ClientRule { conditions, set }: &ClientRule) -> Value {
    let Conditions { user, device, user_agent, network, header } = conditions;
    let header: Map<_, _> = header.keys().map(|name| (name.clone(), HIDDEN.into())).collect();
    let network: Vec<_> = network.iter().map(ToString::to_string).collect();
    let matches = json!({
        "user": user, "device": device, "user_agent": user_agent, "network": network, "header": header,
    });
    json!({"match": matches, "set": settings(set)})
}

fn settings(set: &ClientSettings) -> Value {
    let ClientSettings { streams, max_bitrate, profile, cut, start, .. } = *set;
    let ClientSettings { window, produce, mode, linger, priority, .. } = *set;
    json!({
        "streams": streams,
        "max_bitrate": max_bitrate.map(spell_bitrate),
        "profile": profile.map(|profile| profile.as_str()),
        "cut": cut.map(|cut| cut.as_str()),
        "start": start.map(|start| start.as_str()),
        "window": window.map(span),
        "produce": produce.map(|produce| produce.as_str()),
        "mode": mode.map(|mode| mode.as_str()),
        "linger": linger.map(span),
        "priority": priority.map(|priority| priority.urgency()),
    })
}
