//! Translates the configuration into the settings of the parts.

use std::collections::BTreeMap;
use std::time::Duration;

use url::Url;

use crate::access_log::AccessLog;
use crate::config::{Config, LineupServer, Location, Secret, Window};
use crate::feed;
use crate::lineup::{self, Lineups};
use crate::proxy::forward::Identity;
use crate::proxy::gateway::{self, Choices};
use crate::proxy::served_lineup::ServedLineup;
use crate::server::{Phases, TrustedProxies};
use crate::supervisor::stream::WindowSize;
use crate::telemetry::counts::Requests;
use domain::guid;
use domain::lineup::site::Site;
use domain::pool::Limits;
use domain::produce::{Produce, Rules};
use domain::tuners;

/// The deadline for opening an input, which may have to wait for other openings at the server.
const INPUT_OPENS: Duration = Duration::from_secs(30);

/// What of the gateway stays as it is while it runs.
pub(super) fn gateway(
    config: &Config,
    (trusted_proxies, lineups): (TrustedProxies, Option<Lineups>),
    (secret, phases): (u128, Phases),
    (requests, access_log): (Requests, Option<AccessLog>),
) -> gateway::Settings {
    gateway::Settings {
        identity: Identity { name: config.name.clone(), trusted_proxies },
        live_tv_right: config.upstream.live_tv_right,
        patience: config.viewers.patience,
        lineup: lineups.and_then(|lineups| served(&config.lineup_server, lineups)),
        secret,
        phases,
        requests,
        access_log,
    }
}

/// What of it may change.
pub(super) fn choices(config: &Config) -> Choices {
    Choices {
        cold_timeout: config.upstream.cold_timeout,
        produce: Rules { default: config.produce.default, channels: config.produce.channels.clone() },
        blocking_reload: config.viewers.blocking_reload,
        tuner_refusal: config.tuners.refusal,
        believed: config.clients.headers,
        heeds_cache_control: config.clients.cache_control,
        client_rules: config.clients.rules(),
        status_fields: config.status_fields,
        cut: config.window.cut,
        start: config.window.start,
    }
}

/// Whether any stream may be produced here.
pub(super) fn makes_streams(config: &Config) -> bool {
    let mut of_clients = config.clients.rules.iter().filter_map(|rule| rule.set.produce);
    !config.lineup.is_empty()
        || !config.produce.is_all(Produce::Adopt)
        || of_clients.any(|wish| wish != Produce::Adopt)
}

/// The address at which the gateway serves its own playlist, if it is configured.
pub(super) fn site(server: &LineupServer) -> Option<Site> {
    let base = server.base.as_ref().filter(|_| server.enabled)?;
    Some(Site::new(base, server.token.as_ref().map(Secret::expose)))
}

pub(super) fn served(server: &LineupServer, lineups: Lineups) -> Option<ServedLineup> {
    let token = server.token.as_ref().filter(|_| server.enabled)?;
    Some(ServedLineup { lineups, token: token.expose().to_owned(), site: site(server) })
}

/// The places of the playlists in `lineup:`, by the MD5 of their URL, and of the HDHomeRun's that they are of, as those of a tuner host
/// are compared.
pub(super) fn playlists(config: &Config) -> BTreeMap<String, usize> {
    let placed = config.lineup.iter().enumerate().rev();
    let placed = placed.filter_map(|(place, playlist)| match &playlist.location {
        Location::Url(url) => Some((place, url.expose())),
        Location::File(_) => None,
    });
    let named = placed.flat_map(|(place, url)| {
        let device = Url::parse(url).ok().and_then(|url| lineup::device(&url));
        let device = device.map(|device| guid::md5(device.as_str().trim_end_matches('/')));
        [Some(guid::md5(url)), device].into_iter().flatten().map(move |named| (named, place))
    });
    named.collect()
}

pub(super) fn limits(config: &Config) -> Limits {
    Limits {
        slots: config.pool.slots,
        idle_timeout: config.pool.idle_timeout,
        warm_encode: config.warm.encode,
        warm_feed: config.warm.feed,
        silence: config.viewers.silence,
        patience: config.viewers.patience,
        cold_timeout: config.upstream.cold_timeout,
        goodbye: config.viewers.goodbye,
        unfollowed: config.viewers.unfollowed,
        failures: config.upstream.failures,
        disk_budget: config.upstream.disk_budget.0,
        memory: config.pool.memory,
        own_credential: config.upstream.api_key.is_some(),
        tuners: tuners::Settings { limit: config.tuners.limit, reserve: config.tuners.reserve },
        thrift: config.pool.thrift.reckoned(),
        starts_ahead: config.pool.starts_ahead,
    }
}

pub(super) fn window_size(config: &Config) -> WindowSize {
    let Window { join, length, segment, .. } = config.window;
    WindowSize { join, length, rewind: config.rewind.length, segment }
}

pub(super) fn feed_limits(config: &Config) -> feed::Limits {
    feed::Limits {
        ring: config.feed.ring,
        memory: config.feed.memory.0,
        stall: config.feed.stall,
        attempts: config.feed.attempts,
        connect: INPUT_OPENS,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// As the server names a device by its address alone, an HDHomeRun's playlist is that of the device, whatever it is asked to list.
    #[test]
    fn a_playlist_is_known_by_its_url_and_by_its_device() {
        for (url, device) in [
            ("http://10.0.0.5/lineup.m3u", Some("http://10.0.0.5")),
            ("http://10.0.0.5/lineup.m3u?show=demo", Some("http://10.0.0.5")),
            ("http://10.0.0.5:8080/lineup.m3u#x", Some("http://10.0.0.5:8080")),
            ("http://10.0.0.5/tv/lineup.m3u", None),
        ] {
            let text = format!("upstream: {{url: http://server}}\nlineup: [{{url: \"{url}\"}}]\n");
            let config = Config::parse(Path::new("gateway.yaml"), &text, &[]).unwrap();
            let known = [Some(url), device].into_iter().flatten().map(|url| (guid::md5(url), 0)).collect();
            assert_eq!(playlists(&config), known, "{url}");
        }
    }
}
