//! Shows the provider's playlists.

use serde_json::{Map, Value, json};

use crate::config::lineup::{Location, Playlist};
use crate::config::shown::values::{HIDDEN, span};
use domain::lineup::{Override, Rules};

/// A playlist. The `Referer` is shown among its headers, whose values are hidden.
pub(super) fn playlist(playlist: &Playlist) -> Value {
    let Playlist { location, tuners, reload, guide, rules } = playlist;
    let Rules { priority, merge, user_agent, headers, overrides } = rules;
    let headers: Map<_, _> = headers.iter().map(|(name, _)| (name.clone(), HIDDEN.into())).collect();
    let channels: Map<_, _> = overrides.iter().map(|one| (one.channel.clone(), channel(one))).collect();
    let (url, file) = match location {
        Location::Url(url) => (Some(url.to_string()), None),
        Location::File(path) => (None, Some(path)),
    };
    json!({
        "url": url,
        "file": file,
        "tuners": tuners,
        "priority": priority,
        "merge": merge,
        "reload": span(*reload),
        // Some providers let in whoever names the right one.
        "user_agent": user_agent.as_ref().map(|_| HIDDEN),
        "headers": headers,
        "guide": guide.as_ref().map(ToString::to_string),
        "channels": channels,
    })
}

fn channel(one: &Override) -> Value {
    let Override { channel: _, skip, urls, user_agent, produce, number, name, group } = one;
    json!({
        "skip": skip,
        "urls": urls.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "user_agent": user_agent.as_ref().map(|_| HIDDEN),
        "produce": produce.map(|produce| produce.as_str()),
        "number": number,
        "name": name,
        "group": group,
    })
}
