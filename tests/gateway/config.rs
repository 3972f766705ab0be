//! The configuration: which texts are accepted, and the messages for those that are not.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use domain::clients::{Mode, Priority};
use domain::encoding::abilities::VideoEncoder;
use domain::produce::Produce;
use domain::profile::ProfileChoice;
use warmgate::config::{
    Believed, BitRate, ByteSize, Config, CopyWith, Encoders, LiveTvRight, Location, LogFormat,
};

/// Reads the configuration `text`, overridden by the environment `variables`.
fn read(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let variables: Vec<_> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::parse(Path::new("gateway.yaml"), text, &variables).map_err(|errors| errors.to_string())
}

/// The messages about `text`, one per line.
fn complaints(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    read(text, variables).expect_err(text).lines().map(str::to_owned).collect()
}

const UPSTREAM: &str = "upstream:\n  url: http://tv:8096\n";

#[test]
fn the_upstream_is_all_that_must_be_written() {
    for config in [read(UPSTREAM, &[]).unwrap(), Config::for_upstream("http://tv:8096").unwrap()] {
        assert_eq!(config.upstream.url.to_string(), "http://tv:8096");
        assert_eq!(config.listen, SocketAddr::from(([127, 0, 0, 1], 8097)));
        assert_eq!(config.name, "warmgate");
        assert_eq!(config.upstream.cold_timeout, Duration::from_secs(20));
        assert_eq!(config.upstream.disk_budget, ByteSize(20 << 30));
        assert_eq!(config.pool.slots, 4);
        assert_eq!(config.pool.memory, 512 << 20);
        assert_eq!(config.clients.connections, 4096);
    }
    let none = complaints(&format!("{UPSTREAM}clients: {{connections: 0}}\n"), &[]);
    assert_eq!(none, ["gateway.yaml:3: clients.connections: must be at least 1"]);
}

#[test]
fn every_kind_of_value_is_read() {
    let text = "listen: '[::]:80'\nname: tv-1\ntrusted_proxies: [10.0.0.0/8, '::1']\n\
        upstream:\n  url: https://tv\n  api_key: k\n  failures: 5\n  live_tv_right: as-upstream\n\
        pool:\n  idle_timeout: 1m 30s\n  memory: 1GiB\nffmpeg: {encoders: 'vaapi, software', memory: 2GiB, copy: ffmpeg}\nlog:\n  level: warn,warmgate=debug\n  format: json\n";
    let config = read(text, &[]).unwrap();
    assert_eq!(config.listen.port(), 80);
    let proxies: Vec<_> = config.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(proxies, ["10.0.0.0/8", "::1/128"]);
    assert_eq!(config.upstream.url.authority().as_str(), "tv");
    assert_eq!(config.upstream.api_key.as_ref().map(|key| key.expose()), Some("k"));
    assert_eq!(config.upstream.failures, 5);
    assert_eq!(config.upstream.live_tv_right, LiveTvRight::AsUpstream);
    assert_eq!(config.pool.idle_timeout, Duration::from_secs(90));
    assert_eq!(config.pool.memory, 1 << 30);
    assert_eq!(config.ffmpeg.encoders, Encoders(vec![VideoEncoder::Vaapi, VideoEncoder::Software]));
    assert_eq!((config.ffmpeg.memory, config.ffmpeg.copy), (2 << 30, CopyWith::Ffmpeg));
    assert_eq!((config.log.level.as_str(), config.log.format), ("warn,warmgate=debug", LogFormat::Json));
}

#[test]
fn rules_for_clients_are_read() {
    let text = "upstream:\n  url: http://tv\nclients:\n  rules:\n  - match: {user: Kids, network: [10.0.0.0/8, '::1']}\n    \
        set: {streams: 1, max_bitrate: 8Mbit/s}\n  - match: {}\n    set: {streams: 3}\n";
    let rules = read(text, &[]).unwrap().clients.rules;
    assert_eq!((rules[0].conditions.user[0].as_str(), rules[0].conditions.network.len()), ("Kids", 2));
    assert_eq!((rules[0].set.streams, rules[0].set.max_bitrate), (Some(1), Some(BitRate(8_000_000))));
    assert_eq!((rules[1].set.streams, rules[1].set.max_bitrate), (Some(3), None));

    let text = "upstream:\n  url: http://tv\nclients:\n  rules:\n    - match:\n        usr: kids\n      set:\n        \
        max_bitrate: 8\n    - match:\n        user: ''\n      set: {stream: 1}\n";
    let expected = [
        "gateway.yaml:6: clients.rules[0].match.usr: unknown key `usr`, expected one of `user`, `device`",
        "gateway.yaml:8: clients.rules[0].set.max_bitrate: \"8\": write a bitrate with its unit",
        "gateway.yaml:10: clients.rules[1].match.user: is empty: it would match everybody",
        "gateway.yaml:11: clients.rules[1].set.stream: unknown key `stream`, expected one of `streams`, `max_bitrate`",
    ];
    let said = complaints(text, &[]);
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.starts_with(expected), "{said}\n{expected}");
    }
}

#[test]
fn the_files_for_tls_are_beside_the_configuration() {
    let upstream = "upstream: {url: 'https://tv', ca: ca.pem, certificate: us.pem, key: us.key}\n";
    let tls = "tls: {listen: '[::]:8920', certificate: /etc/tv.pem, key: tv.key, client_ca: clients.pem}\n";
    let path = |path: &str| Path::new("/home/tv").join(path);
    let parse = |text: &str| {
        Config::parse(Path::new("/home/tv/gateway.yaml"), text, &[]).map_err(|errors| errors.to_string())
    };
    let config = parse(&format!("{upstream}{tls}")).unwrap();
    let (trust, tls) = (config.upstream.trust, config.tls.unwrap());
    assert_eq!(
        (trust.authority, trust.identity),
        (Some(path("ca.pem")), Some((path("us.pem"), path("us.key"))))
    );
    assert_eq!((tls.listen.port(), tls.certificate, tls.key), (8920, "/etc/tv.pem".into(), path("tv.key")));
    assert_eq!(tls.client_ca, Some(path("clients.pem")));

    for (text, said) in [
        ("upstream: {url: 'http://tv', key: us.key}\n", "upstream.certificate: is missing"),
        ("upstream: {url: 'http://tv'}\ntls: {listen: '[::]:1', key: a}\n", "tls.certificate: is missing"),
        ("upstream: {url: 'http://tv'}\ntls: {certificate: a, key: a}\n", "tls.listen: is missing"),
    ] {
        let errors = parse(text).unwrap_err();
        assert!(errors.lines().count() == 1 && errors.contains(said), "{errors}");
    }
}

#[test]
fn every_setting_of_a_rule_is_read() {
    let text = "upstream:\n  url: http://tv\nclients:\n  headers: all\n  rules:\n  - match: {header: {X-Room: kitchen}}\n    \
        set: {window: 5m, produce: own, mode: warm-only, linger: 0s, priority: 7, profile: as-is}\n";
    let clients = read(text, &[]).unwrap().clients;
    let (rule, set) = (&clients.rules[0], clients.rules[0].set);
    assert_eq!((clients.headers, rule.conditions.header["X-Room"].as_str()), (Believed::All, "kitchen"));
    assert_eq!((set.window, set.linger), (Some(Duration::from_secs(300)), Some(Duration::ZERO)));
    assert_eq!((set.produce, set.mode), (Some(Produce::Own), Some(Mode::WarmOnly)));
    assert_eq!((set.priority, set.profile), (Priority::of_urgency(7), Some(ProfileChoice::AsIs)));
    assert_eq!(read(UPSTREAM, &[]).unwrap().clients.headers, Believed::Trusted);

    let text = "upstream:\n  url: http://tv\nproduce:\n  clients: {Tizen: adopt}\nclients:\n  headers: some\n  rules:\n    \
        - match:\n        header:\n          a b: x\n          Warmgate-Mode: fresh\n          X-Room: ''\n      set:\n        \
        window: 0s\n        mode: warm\n        priority: 8\n        produce: remux\n";
    let expected = [
        "gateway.yaml:4: produce.clients: is gone: write a rule in clients.rules, as in - {match: {user_agent: Tizen}",
        "gateway.yaml:6: clients.headers: \"some\": write trusted or all or none",
        "gateway.yaml:10: clients.rules[0].match.header.a b: is no header that HTTP allows",
        "gateway.yaml:11: clients.rules[0].match.header.Warmgate-Mode: states a wish",
        "gateway.yaml:12: clients.rules[0].match.header.X-Room: is empty",
        "gateway.yaml:14: clients.rules[0].set.window: must be longer than 0s",
        "gateway.yaml:15: clients.rules[0].set.mode: \"warm\": write auto or bypass or warm-only or fresh",
        "gateway.yaml:16: clients.rules[0].set.priority: \"8\": write a number from 0",
        "gateway.yaml:17: clients.rules[0].set.produce: \"remux\": write auto or adopt or own",
    ];
    let said = complaints(text, &[]);
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.starts_with(expected), "{said}\n{expected}");
    }
}

#[test]
fn a_key_or_section_without_a_value_has_its_default() {
    let text = "upstream:\n  url: http://tv\n  failures:\npool:\n  # slots: 9\n";
    let config = read(text, &[]).unwrap();
    assert_eq!((config.upstream.failures, config.pool.slots), (3, 4));
}

#[test]
fn the_environment_wins_over_the_file() {
    let variables = [
        ("WARMGATE__UPSTREAM__URL", "http://other:1"),
        ("WARMGATE__UPSTREAM__API_KEY", "0123"),
        ("WARMGATE__POOL__SLOTS", "7"),
        ("WARMGATE__TRUSTED_PROXIES", "10.0.0.1, 10.0.0.2"),
        ("PATH", "/bin"),
    ];
    let config = read(&format!("{UPSTREAM}pool:\n  idle_timeout: 1s\n"), &variables).unwrap();
    assert_eq!(config.upstream.url.to_string(), "http://other:1");
    assert_eq!(config.upstream.api_key.as_ref().map(|key| key.expose()), Some("0123"));
    assert_eq!((config.pool.slots, config.pool.idle_timeout), (7, Duration::from_secs(1)));
    assert_eq!(config.trusted_proxies[1].addr(), IpAddr::from([10, 0, 0, 2]));
    assert!(read("", &variables).is_ok(), "the environment alone is enough");
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_file() {
    let text = "listen: 8097\n\nupstream:\n  url: http://tv/jellyfin\n  cold_timeout: 20\n  colour: red\n\
        pool:\n  slots: many\n  idle_timeout: 90 parsecs\nwindow:\n  join: 40s\nlog: loud\nshutdwn:\n  grace: 1s\n";
    let said = complaints(text, &[("WARMGATE__POOL__SLOTZ", "1"), ("WARMGATE__VIEWERS__SILENCE", "0s")]);
    let expected = [
        "gateway.yaml:1: listen: \"8097\": write an address and a port",
        "gateway.yaml:4: upstream.url: write only scheme://host:port; the base path is kept",
        "gateway.yaml:5: upstream.cold_timeout: \"20\": write a duration with its unit",
        "gateway.yaml:6: upstream.colour: unknown key `colour`, expected one of `url`, `api_key`",
        "gateway.yaml:8: pool.slots: \"many\" is not a whole number",
        "gateway.yaml:9: pool.idle_timeout: \"90 parsecs\": write a duration with its unit",
        "gateway.yaml:11: window.join: 40s is more than window.length (30s)",
        "gateway.yaml:12: log: invalid type: string \"loud\", expected a section with keys of its own",
        "gateway.yaml:13: shutdwn: unknown key `shutdwn`, expected one of `listen`",
        "WARMGATE__POOL__SLOTZ: unknown key `slotz`, expected one of `slots`, `idle_timeout`, `memory`",
        "WARMGATE__VIEWERS__SILENCE: must be longer than 0s",
    ];
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.starts_with(expected), "{said}\n{expected}");
    }
}

#[test]
fn each_rule_has_its_sentence() {
    let variable = "WARMGATE__LOG__LEVEL";
    assert_eq!(complaints(UPSTREAM, &[(variable, "inf")]).len(), 1);
    for (text, sentence) in [
        ("", "gateway.yaml: upstream.url: is missing: write your Jellyfin's address"),
        ("# nothing\n", "gateway.yaml: upstream.url: is missing"),
        ("upstream:\n  failures: 1\n", "gateway.yaml:1: upstream.url: is missing"),
        ("upstream: http://tv\n", "gateway.yaml:1: upstream: invalid type"),
        ("just words\n", "gateway.yaml: invalid type: string \"just words\", expected keys with values"),
        (
            "upstream:\n  url: http://tv\n  failures: 0\n",
            "gateway.yaml:3: upstream.failures: must be at least 1",
        ),
        ("upstream:\n  url: http://tv\npool: {slots: 0}\n", "gateway.yaml:3: pool.slots: must be at least 1"),
        ("upstream:\n  url: http://tv\npool: {slots: -1}\n", "gateway.yaml:3: pool.slots: \"-1\" is not"),
        ("name: a b\nupstream:\n  url: http://tv\n", "gateway.yaml:1: name: write a letter"),
        (
            "trusted_proxies:\n  - 10.0.0.1\n  - home\nupstream: {url: http://tv}\n",
            "gateway.yaml:3: trusted_proxies[1]: ",
        ),
        (
            "upstream:\n  url: http://tv\nwindow: {segment: 1GiB}\n",
            "gateway.yaml:3: window.segment: must not be",
        ),
        (
            "upstream:\n  url: http://tv\nviewers: {unfollowed: 5s}\n",
            "gateway.yaml:3: viewers.unfollowed: 5s is less than upstream.cold_timeout (20s)",
        ),
        (
            "upstream:\n  url: http://tv\nffmpeg: {encoders: 'vaapi, nvec'}\n",
            "gateway.yaml:3: ffmpeg.encoders: \"nvec\": write nvenc or qsv",
        ),
        (
            "upstream:\n  url: http://tv\nffmpeg: {nice: 20}\n",
            "gateway.yaml:3: ffmpeg.nice: must be at most 19",
        ),
        (
            "upstream:\n  url: http://tv\nffmpeg: {processes: 0}\n",
            "gateway.yaml:3: ffmpeg.processes: must be",
        ),
        (
            "upstream:\n  url: http://tv\nffmpeg: {copy: cut}\n",
            "gateway.yaml:3: ffmpeg.copy: \"cut\": write native or ffmpeg",
        ),
        (
            "upstream:\n  url: http://tv\nlog: {level: inf}\n",
            "gateway.yaml:3: log.level: \"inf\": write off, error",
        ),
        (
            "upstream:\n  url: http://tv\nlog: {format: xml}\n",
            "gateway.yaml:3: log.format: \"xml\": write text or json",
        ),
        (
            "upstream:\n  url: http://tv\nupstream:\n  failures: 1\n",
            "gateway.yaml:3: this key is written twice",
        ),
        ("upstream:\n  url: 'http://tv\n", "gateway.yaml:"),
    ] {
        let said = complaints(text, &[]);
        assert!(said.len() == 1 && said[0].starts_with(sentence), "{text}\n{said:#?}\n{sentence}");
    }
}

#[test]
fn a_playlist_is_a_url_or_a_section() {
    let text = "upstream: {url: http://tv}\nlineup:\n  - http://me:pw@a/list.m3u\n  - file: list.m3u\n    tuners: 2\n    \
        priority: 1\n    reload: 1h\n    referrer: http://r/\n    headers: {X-Key: '1'}\n    channels:\n      7: {skip: true, produce: own}\n      \
        ard.de: http://other/1.ts\nproduce:\n  default: adopt\n";
    let config = Config::parse(Path::new("/etc/gateway.yaml"), text, &[]).unwrap();
    let [url, file] = &config.lineup[..] else { panic!("{:?}", config.lineup) };
    assert_eq!(url.location.to_string(), "http://a/…");
    assert_eq!((url.tuners, url.reload), (0, Duration::from_secs(6 * 3600)));
    assert_eq!(file.location, Location::File("/etc/list.m3u".into()));
    assert_eq!((file.tuners, file.rules.priority), (2, 1));
    let [seven, ard] = &file.rules.overrides[..] else { panic!("{:?}", file.rules) };
    assert_eq!((seven.channel.as_str(), seven.skip, seven.produce), ("7", true, Some(Produce::Own)));
    assert_eq!((ard.channel.as_str(), ard.urls[0].expose()), ("ard.de", "http://other/1.ts"));
    assert_eq!(file.rules.headers, [("Referer".into(), "http://r/".into()), ("X-Key".into(), "1".into())]);
    assert_eq!(config.produce.default, Produce::Adopt);
    let one = read(UPSTREAM, &[("WARMGATE__LINEUP", "http://a/list.m3u")]).unwrap();
    assert_eq!(one.lineup.len(), 1);
}

#[test]
fn what_is_wrong_with_a_playlist_is_told_by_its_line_and_without_its_password() {
    let text = "upstream: {url: http://tv}\nlineup:\n  - url: me:secret@a\n    tuners: many\n    colour: red\n  - tuners: 1\n  \
        - url: rtsp://me:secret@a/1\n    headers:\n      a b: secret\n    channels:\n      ard: secret\n      zdf:\n        produce: secretly\n        \
        urls: [secret]\nlineup_server: {enabled: true}\n";
    let said = complaints(text, &[]);
    let expected = [
        "gateway.yaml:3: lineup[0].url: write a URL that can be pulled",
        "gateway.yaml:4: lineup[0].tuners: \"many\" is not a whole number",
        "gateway.yaml:5: lineup[0].colour: unknown key",
        "gateway.yaml:6: lineup[1]: write either url or file",
        "gateway.yaml:7: lineup[2].url: write a URL of http or https",
        "gateway.yaml:9: lineup[2].headers.a b: is no header that HTTP allows",
        "gateway.yaml:11: lineup[2].channels.ard: write a URL that can be pulled",
        "gateway.yaml:13: lineup[2].channels.zdf.produce: \"secretly\": write auto or adopt or own",
        "gateway.yaml:14: lineup[2].channels.zdf.urls[0]: write a URL that can be pulled",
        "gateway.yaml:15: lineup_server.token: is missing",
    ];
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.starts_with(expected), "{said}\n{expected}");
        assert!(!said.contains("secret@") && !said.contains("secret "), "{said}");
    }
    for text in
        ["lineup: [secret]", "lineup: secret", "lineup: [{headers: secret}]", "produce: {channels: secret}"]
    {
        let said = complaints(&format!("{UPSTREAM}{text}\n"), &[]).join("\n");
        assert!(!said.contains("secret"), "{said}");
    }
}

#[test]
fn a_key_may_be_in_a_file_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let (path, key) = (dir.path().join("gateway.yaml"), dir.path().join("key"));
    fs::write(&path, "upstream:\n  url: http://tv\n  api_key_file: key\n").unwrap();
    assert!(
        Config::load(&path)
            .unwrap_err()
            .to_string()
            .contains("gateway.yaml:3: upstream.api_key_file: key cannot")
    );
    fs::write(&key, "\n").unwrap();
    assert!(Config::load(&path).unwrap_err().to_string().contains("upstream.api_key_file: key is empty"));
    fs::write(&key, "k1\n").unwrap();
    assert_eq!(Config::load(&path).unwrap().upstream.api_key.unwrap().expose(), "k1");
    let both = "upstream:\n  url: http://tv\n  api_key: a\n  api_key_file: b\n";
    assert!(
        complaints(both, &[])[0]
            .starts_with("gateway.yaml:4: upstream.api_key_file: upstream.api_key is written")
    );
}

#[test]
fn a_secret_is_in_no_message() {
    const KEY: &str = "11223344556677889900112233445566";
    let config = read(&format!("{UPSTREAM}  api_key: '{KEY}'\n"), &[]).unwrap();
    assert_eq!(config.upstream.api_key.as_ref().map(|key| key.expose()), Some(KEY));
    assert!(format!("{config:#?}").contains("Secret(…)"));
    assert!(!format!("{config:?} {config:#?}").contains("11223"), "Debug shows the key");
    for text in [
        format!("{UPSTREAM}  api_key: {KEY}\n"),
        format!("{UPSTREAM}  api_key: [{KEY}]\n"),
        format!("{UPSTREAM}  api_key: 1122334\n"),
        format!("{UPSTREAM}  api_key: -1122334\n"),
        format!("upstream:\n  url: http://me:{KEY}@tv\n"),
        format!("upstream:\n  url: http://tv/?api_key={KEY}\n"),
    ] {
        let said = complaints(&text, &[]).join("\n");
        assert!(!said.contains("11223"), "{said}");
    }
}
