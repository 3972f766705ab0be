//! The configuration as it may be shown to anybody: the one place where it is decided what of it is secret.
//!
//! Each value is named here and spelled as in `gateway.yaml`, so a new one is shown only once somebody has decided how.

mod clients;
mod lineup;
mod values;

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use crate::config::admin::{Admin, Zap};
use crate::config::checked::{AccessLogTo, Config, Upstream};
use crate::config::sections::{History, LineupServer, Log, Pool, Produce, Rewind, Shutdown, Viewers, Window};
use crate::config::shown::values::{HIDDEN, address, secret, span};
use crate::config::streams::{Encoders, Feed, Ffmpeg, Warm};
use crate::config::tls::Tls;
use crate::config::tuners::Tuners;
use crate::config::units::spell_size;
use crate::config::webhooks::Webhook;
use crate::wire::trust::Trust;
use domain::encoding::abilities::VideoEncoder;
use domain::tuners::Reserve;

impl Config {
    /// The configuration with the keys of `gateway.yaml`, without any secret. What was left out has its default.
    #[must_use]
    pub fn shown(&self) -> Value {
        json!({
            "listen": self.listen,
            "tls": tls(self.tls.as_ref()),
            "name": self.name,
            "status_fields": self.status_fields,
            "trusted_proxies": self.trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "proxy_protocol": self.proxy_protocol,
            "state_dir": self.state_dir,
            "admin": admin(&self.admin),
            "zap": zap(&self.zap),
            "history": history(&self.history),
            "upstream": upstream(&self.upstream),
            "lineup": self.lineup.iter().map(lineup::playlist).collect::<Vec<_>>(),
            "lineup_server": lineup_server(&self.lineup_server),
            "produce": produce(&self.produce),
            "clients": clients::clients(&self.clients),
            "pool": pool(&self.pool),
            "tuners": tuners(&self.tuners),
            "warm": warm(&self.warm),
            "feed": feed(&self.feed),
            "viewers": viewers(&self.viewers),
            "window": window(&self.window),
            "rewind": rewind(&self.rewind),
            "ffmpeg": ffmpeg(&self.ffmpeg),
            "shutdown": shutdown(&self.shutdown),
            "log": log(&self.log),
            "access_log": self.access_log.as_ref().map(access_log),
            "webhooks": self.webhooks.iter().map(webhook).collect::<Vec<_>>(),
        })
    }
}

fn tls(tls: Option<&Tls>) -> Value {
    let none = (None::<SocketAddr>, None::<&Path>, None::<&Path>, None::<&Path>);
    let (listen, certificate, key, client_ca) = tls.map_or(none, |tls| {
        let Tls { listen, certificate, key, client_ca } = tls;
        (Some(*listen), Some(certificate.as_path()), Some(key.as_path()), client_ca.as_deref())
    });
    json!({"listen": listen, "certificate": certificate, "key": key, "client_ca": client_ca})
}

fn admin(admin: &Admin) -> Value {
    let Admin { enabled, listen, token, hosts } = admin;
    json!({"enabled": enabled, "listen": listen, "token": secret(token.as_ref()), "hosts": hosts})
}

fn zap(Zap { slo }: &Zap) -> Value {
    json!({"slo": span(*slo)})
}

fn upstream(upstream: &Upstream) -> Value {
    let Upstream { url, api_key, trust, connect_timeout, response_timeout, .. } = upstream;
    let Upstream { cold_timeout, failures, disk_budget, live_tv_right, .. } = upstream;
    let Trust { authority, identity } = trust;
    json!({
        "url": url.to_string(),
        "api_key": secret(api_key.as_ref()),
        "ca": authority,
        "certificate": identity.as_ref().map(|(certificate, _)| certificate),
        "key": identity.as_ref().map(|(_, key)| key),
        "connect_timeout": span(*connect_timeout),
        "response_timeout": span(*response_timeout),
        "cold_timeout": span(*cold_timeout),
        "failures": failures,
        "disk_budget": spell_size(disk_budget.0),
        "live_tv_right": live_tv_right.as_str(),
    })
}

fn lineup_server(server: &LineupServer) -> Value {
    let LineupServer { enabled, token, base } = server;
    json!({"enabled": enabled, "token": secret(token.as_ref()), "base": base.as_deref().map(address)})
}

fn produce(produce: &Produce) -> Value {
    let Produce { default, channels } = produce;
    let channels: serde_json::Map<_, _> =
        channels.iter().map(|(channel, wish)| (channel.clone(), wish.as_str().into())).collect();
    json!({"default": default.as_str(), "channels": channels})
}

fn pool(pool: &Pool) -> Value {
    let Pool { slots, idle_timeout, memory, thrift, starts_ahead, never_ahead } = pool;
    json!({
        "slots": slots,
        "idle_timeout": span(*idle_timeout),
        "thrift": thrift.as_str(),
        "starts_ahead": starts_ahead,
        "never_ahead": never_ahead,
        "memory": spell_size(*memory),
    })
}

fn tuners(tuners: &Tuners) -> Value {
    let Tuners { limit, reserve, refusal } = tuners;
    let reserve = match reserve {
        Reserve::Auto => json!("auto"),
        Reserve::Fixed(count) => json!(count),
    };
    json!({"limit": limit, "reserve": reserve, "refusal": refusal.as_str()})
}

fn warm(Warm { encode, feed }: &Warm) -> Value {
    json!({"encode": span(*encode), "feed": span(*feed)})
}

fn feed(feed: &Feed) -> Value {
    let Feed { ring, memory, stall, attempts } = feed;
    json!({"ring": span(*ring), "memory": spell_size(memory.0), "stall": span(*stall), "attempts": attempts})
}

fn viewers(viewers: &Viewers) -> Value {
    let Viewers { silence, patience, unfollowed, blocking_reload, goodbye } = viewers;
    json!({
        "silence": span(*silence),
        "patience": span(*patience),
        "goodbye": span(*goodbye),
        "unfollowed": span(*unfollowed),
        "blocking_reload": blocking_reload.as_str(),
    })
}

fn window(window: &Window) -> Value {
    let Window { join, length, segment, cut, start } = window;
    json!({
        "join": span(*join),
        "length": span(*length),
        "segment": spell_size(*segment),
        "cut": cut.as_str(),
        "start": start.as_str(),
    })
}

fn history(history: &History) -> Value {
    let History { enabled, identify, keep, rows } = history;
    json!({"enabled": enabled, "identify": identify, "keep": span(*keep), "rows": rows})
}

fn rewind(rewind: &Rewind) -> Value {
    let Rewind { length, budget, dir } = rewind;
    json!({"length": span(*length), "budget": spell_size(*budget), "dir": dir})
}

fn ffmpeg(ffmpeg: &Ffmpeg) -> Value {
    let Ffmpeg { path, copy, encoders, preset, processes, encodes, nice, memory } = ffmpeg;
    let Encoders(encoders) = encoders;
    let names: Vec<_> = encoders.iter().map(|encoder| encoder.as_str()).collect();
    let encoders = if **encoders == VideoEncoder::ALL { "auto".to_owned() } else { names.join(", ") };
    json!({
        "path": path,
        "copy": copy.as_str(),
        "encoders": encoders,
        "preset": preset,
        "processes": processes,
        "encodes": encodes,
        "nice": nice,
        "memory": spell_size(*memory),
    })
}

fn shutdown(Shutdown { grace }: &Shutdown) -> Value {
    json!({"grace": span(*grace)})
}

fn log(Log { level, format }: &Log) -> Value {
    json!({"level": level, "format": format.as_str()})
}

fn access_log(to: &AccessLogTo) -> String {
    match to {
        AccessLogTo::Stdout => "stdout".to_owned(),
        AccessLogTo::File(path) => path.display().to_string(),
    }
}

fn webhook(webhook: &Webhook) -> Value {
    let Webhook { url, events, template } = webhook;
    let events: Vec<_> = events.iter().map(|event| event.as_str()).collect();
    // A receiver may want its key in the body.
    json!({"url": url.to_string(), "events": events, "template": template.as_ref().map(|_| HIDDEN)})
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const MANUAL: &str = include_str!("../../../gateway.yaml");

    /// So no key is missing, and each is spelled as it is written.
    #[test]
    fn the_defaults_are_shown_as_gateway_yaml_writes_them() {
        let config = Config::parse(Path::new("gateway.yaml"), MANUAL, &[]).unwrap();
        let mut written: Value = serde_yaml::from_str(MANUAL).unwrap();
        // What is in that file is shown, or rather hidden, as the key itself.
        assert_eq!(written["upstream"].as_object_mut().unwrap().remove("api_key_file"), Some(Value::Null));
        assert_eq!(config.shown(), written);
    }

    #[test]
    fn no_secret_is_shown() {
        const TEXT: &str = r#"
upstream: {url: "http://tv:8096", api_key: PLANTED}
admin: {token: PLANTED}
lineup_server: {enabled: true, token: PLANTED, base: "http://me:PLANTED@gate:8097"}
lineup:
- url: http://me:PLANTED@provider.example/get.php?username=PLANTED&password=PLANTED
  guide: http://provider.example/PLANTED/guide.xml?token=PLANTED
  referrer: http://provider.example/?token=PLANTED
  headers: {X-Key: PLANTED}
  channels:
    news: {urls: ["http://me:PLANTED@other.example/PLANTED/1.ts"]}
webhooks:
- url: https://me:PLANTED@ntfy.example/PLANTED?auth=PLANTED
  template: '{"key": "PLANTED", "message": "{{text}}"}'
clients:
  rules:
  - match: {header: {X-Secret: PLANTED}}
    set: {max_bitrate: 8Mbit/s, linger: 2m, priority: 7}
"#;
        let shown = Config::parse(Path::new("gateway.yaml"), TEXT, &[]).unwrap().shown();
        let text = shown.to_string();
        assert!(!text.contains("PLANTED"), "{text}");
        assert_eq!(shown["admin"]["token"], "…");
        assert_eq!(shown["lineup"][0]["url"], "http://provider.example/…");
        assert_eq!(shown["lineup"][0]["channels"]["news"]["urls"][0], "http://other.example/…");
        let set = &shown["clients"]["rules"][0]["set"];
        assert_eq!((&set["max_bitrate"], &set["priority"]), (&"8Mbit/s".into(), &7.into()));
    }
}
