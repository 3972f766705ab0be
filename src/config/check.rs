//! Turns the file as written into the checked configuration, with the rules that span several values.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::config::admin;
use crate::config::checked::{AccessLogTo, Config, Upstream};
use crate::config::clients;
use crate::config::errors::Report;
use crate::config::file::{self, File};
use crate::config::lineup;
use crate::config::secret::Secret;
use crate::config::sections::{History, LineupServer, Pool, Rewind, Viewers, Window};
use crate::config::streams::{Feed, Ffmpeg, Warm};
use crate::config::tls;
use crate::config::tuners::Tuners;
use crate::config::units::ByteSize;
use crate::config::webhooks;
use crate::wire::trust::Trust;

/// Checks `file`, read from `path`, and reports what is wrong; `None` if it names no upstream.
pub(super) fn lower(file: File, path: &Path, report: &mut Report) -> Option<Config> {
    name(&file.name, report);
    upstream(&file.upstream, report);
    admin::check(&file.admin, report);
    history(&file.history, report);
    clients::check(&file.clients, report);
    pool(&file.pool, report);
    tuners(&file.tuners, report);
    warm(&file.warm, report);
    feed(&file.feed, report);
    viewers(&file.viewers, file.upstream.cold_timeout, report);
    window(&file.window, file.pool.memory, report);
    rewind(&file.rewind, report);
    ffmpeg(&file.ffmpeg, report);
    lineup_server(&file.lineup_server, report);
    log_level(&file.log.level, report);
    let what = "has no effect: no proxy is trusted";
    let is_used = !file.proxy_protocol || !file.trusted_proxies.is_empty();
    report.rule(is_used, "proxy_protocol", &["trusted_proxies"], what);
    let url = file.upstream.url.clone();
    let api_key = api_key(&file.upstream, path, report);
    let folder = path.parent().unwrap_or(Path::new(""));
    let lineup = lineup::lower(file.lineup, folder, report);
    let tls = tls::lower(file.tls, folder, report);
    let (lineup_server, produce) = (file.lineup_server, file.produce);
    let File { listen, name, status_fields, trusted_proxies, proxy_protocol, state_dir, .. } = file;
    let File { admin, zap, history, upstream, pool, clients, tuners, warm, feed, .. } = file;
    let File { viewers, window, rewind, ffmpeg, shutdown, log, access_log, .. } = file;
    let webhooks = webhooks::lower(file.webhooks, admin.enabled, report);
    let access_log = access_log.map(|to| match to.to_str() {
        Some("stdout") => AccessLogTo::Stdout,
        Some(_) | None => AccessLogTo::File(folder.join(to)),
    });
    let trust = Trust {
        authority: upstream.ca.map(|path| folder.join(path)),
        identity: tls::identity((upstream.certificate, upstream.key), folder, report),
    };
    let upstream = Upstream {
        url: url?,
        api_key,
        trust,
        connect_timeout: upstream.connect_timeout,
        response_timeout: upstream.response_timeout,
        cold_timeout: upstream.cold_timeout,
        failures: upstream.failures,
        disk_budget: upstream.disk_budget,
        live_tv_right: upstream.live_tv_right,
    };
    Some(Config {
        listen,
        tls,
        name,
        status_fields,
        trusted_proxies,
        proxy_protocol,
        state_dir,
        admin,
        zap,
        history,
        upstream,
        lineup,
        lineup_server,
        produce,
        clients,
        pool,
        tuners,
        warm,
        feed,
        viewers,
        window,
        rewind,
        ffmpeg,
        shutdown,
        log,
        access_log,
        webhooks,
    })
}

fn name(name: &str, report: &mut Report) {
    let token = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let holds = name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(token);
    report.rule(holds, "name", &[], "write a letter, then letters, digits, - _ or .");
}

fn upstream(upstream: &file::Upstream, report: &mut Report) {
    let what = "is missing: write your Jellyfin's address, as in http://127.0.0.1:8096";
    report.rule(upstream.url.is_some(), "upstream.url", &["", "upstream"], what);
    positive(upstream.connect_timeout, "upstream.connect_timeout", report);
    positive(upstream.response_timeout, "upstream.response_timeout", report);
    positive(upstream.cold_timeout, "upstream.cold_timeout", report);
    report.rule(upstream.failures >= 1, "upstream.failures", &[], "must be at least 1");
    let holds = upstream.disk_budget > ByteSize(0);
    report.rule(holds, "upstream.disk_budget", &[], "must be more than 0");
}

fn history(history: &History, report: &mut Report) {
    positive(history.keep, "history.keep", report);
    let what = "must be at least 1: write enabled: false to keep nothing";
    report.rule(history.rows >= 1, "history.rows", &[], what);
}

fn pool(pool: &Pool, report: &mut Report) {
    report.rule(pool.slots >= 1, "pool.slots", &[], "must be at least 1");
}

fn tuners(tuners: &Tuners, report: &mut Report) {
    let what = "must be at least 1: leave it out if the number is unknown";
    report.rule(tuners.limit.is_none_or(|limit| limit >= 1), "tuners.limit", &[], what);
}

fn warm(warm: &Warm, report: &mut Report) {
    positive(warm.encode, "warm.encode", report);
    let what = format!("{:?} is less than warm.encode ({:?})", warm.feed, warm.encode);
    report.rule(warm.feed >= warm.encode, "warm.feed", &["warm.encode"], what);
}

fn feed(feed: &Feed, report: &mut Report) {
    positive(feed.ring, "feed.ring", report);
    positive(feed.stall, "feed.stall", report);
    report.rule(feed.memory > ByteSize(0), "feed.memory", &[], "must be more than 0");
    report.rule(feed.attempts >= 1, "feed.attempts", &[], "must be at least 1");
}

fn viewers(viewers: &Viewers, cold_timeout: Duration, report: &mut Report) {
    positive(viewers.silence, "viewers.silence", report);
    let what = format!("{:?} is less than viewers.silence ({:?})", viewers.patience, viewers.silence);
    report.rule(viewers.patience >= viewers.silence, "viewers.patience", &["viewers.silence"], what);
    let what = format!("{:?} is less than upstream.cold_timeout ({cold_timeout:?})", viewers.unfollowed);
    report.rule(viewers.unfollowed >= cold_timeout, "viewers.unfollowed", &["upstream.cold_timeout"], what);
}

fn window(window: &Window, memory: u64, report: &mut Report) {
    positive(window.join, "window.join", report);
    let what = format!("{:?} is more than window.length ({:?})", window.join, window.length);
    report.rule(window.join <= window.length, "window.join", &["window.length"], what);
    report.rule(window.segment > 0, "window.segment", &[], "must be more than 0");
    let what = "must not be more than pool.memory";
    report.rule(window.segment <= memory, "window.segment", &["pool.memory"], what);
}

fn rewind(rewind: &Rewind, report: &mut Report) {
    let what = "write 256MiB at least, or 0 to keep nothing on disk";
    report.rule(rewind.budget == 0 || rewind.budget >= 256 << 20, "rewind.budget", &[], what);
}

fn lineup_server(server: &LineupServer, report: &mut Report) {
    const TOKEN: &str = "lineup_server.token";
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    let holds = server.token.as_ref().is_none_or(|token| token.expose().chars().all(plain));
    report.rule(holds, TOKEN, &[], "write letters, digits, - . _ and ~ only");
    let holds = !server.enabled || server.token.is_some();
    report.rule(
        holds,
        TOKEN,
        &["lineup_server.enabled"],
        "is missing: whoever reaches the gateway could watch",
    );
    let http = |base: &String| base.starts_with("http://") || base.starts_with("https://");
    let what = "write the gateway's address as Jellyfin reaches it, as in http://192.168.1.2:8097";
    report.rule(server.base.as_ref().is_none_or(http), "lineup_server.base", &[], what);
}

fn ffmpeg(ffmpeg: &Ffmpeg, report: &mut Report) {
    report.rule(!ffmpeg.path.as_os_str().is_empty(), "ffmpeg.path", &[], "write a name or a path");
    let word = !ffmpeg.preset.is_empty() && ffmpeg.preset.chars().all(|c| c.is_ascii_lowercase());
    report.rule(word, "ffmpeg.preset", &[], "write one of libx264's presets, as in veryfast");
    report.rule(ffmpeg.processes >= 1, "ffmpeg.processes", &[], "must be at least 1");
    report.rule(ffmpeg.nice <= 19, "ffmpeg.nice", &[], "must be at most 19");
    report.rule(ffmpeg.memory > 0, "ffmpeg.memory", &[], "must be more than 0");
}

/// A part without `=` must be a level: `tracing` would read a mistyped level as the name of a target and log nothing.
fn log_level(level: &str, report: &mut Report) {
    let parts = || level.split(',').map(str::trim);
    let known = |part: &str| part.contains('=') || part.parse::<LevelFilter>().is_ok();
    let holds = parts().all(|part| !part.is_empty() && known(part)) && EnvFilter::try_new(level).is_ok();
    let what = format!(
        "{level:?}: write off, error, warn, info, debug or trace, or target=level with commas between"
    );
    report.rule(holds, "log.level", &[], what);
}

/// The API key, from `api_key` or from the file that `api_key_file` names, relative to the configuration's folder.
fn api_key(upstream: &file::Upstream, path: &Path, report: &mut Report) -> Option<Secret> {
    const FILE: &str = "upstream.api_key_file";
    let Some(name) = &upstream.api_key_file else { return upstream.api_key.clone() };
    if upstream.api_key.is_some() {
        report.add(FILE, "upstream.api_key is written too: keep one of the two");
        return None;
    }
    match fs::read_to_string(path.parent().unwrap_or(Path::new("")).join(name)) {
        Ok(text) if text.trim().is_empty() => report.add(FILE, format!("{} is empty", name.display())),
        Ok(text) => return Some(Secret::new(text.trim())),
        Err(error) => report.add(FILE, format!("{} cannot be read: {error}", name.display())),
    }
    None
}

fn positive(span: Duration, key: &str, report: &mut Report) {
    report.rule(!span.is_zero(), key, &[], "must be longer than 0s");
}
