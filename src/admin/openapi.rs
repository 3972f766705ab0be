//! The description of the API (OpenAPI 3.1), made from the types that it answers with.

#![expect(dead_code, reason = "utoipa takes a path for a function, and reads only what stands above it")]

use utoipa::OpenApi;

use crate::admin::{deliveries, history, ledger, problem, views};

/// Warmgate's API: what runs, for whom, and how long viewers waited.
#[derive(OpenApi)]
#[openapi(
    paths(
        state,
        streams,
        stream,
        picture,
        preview,
        preview_segment,
        tuners,
        zaps,
        watched,
        decisions,
        config,
        ledger,
        webhooks,
        summary,
        doctor,
        events,
        health,
        metrics,
        stop,
        kick,
        channels,
        channel,
        ready,
        warm,
        release,
        pin,
        unpin
    ),
    components(schemas(views::State, views::Zap, views::Summary, problem::Details)),
    info(title = "Warmgate", description = "What runs, for whom, and how long viewers waited.")
)]
struct Description;

/// The description as JSON.
pub(super) fn text() -> String {
    Description::openapi().to_json().unwrap_or_default()
}

/// Everything at once.
#[utoipa::path(get, path = "/api/v1/state", responses((status = 200, body = views::State), (status = 401, body = problem::Details)))]
fn state() {}

/// The streams.
#[utoipa::path(get, path = "/api/v1/streams", responses((status = 200, body = [views::Stream]), (status = 401, body = problem::Details)))]
fn streams() {}

/// A stream.
#[utoipa::path(get, path = "/api/v1/streams/{id}", params(("id" = u64, Path)), responses((status = 200, body = views::Stream), (status = 404, body = problem::Details)))]
fn stream() {}

/// What a stream shows, a few seconds old: made when somebody asks, one at a time and each ten seconds at most.
#[utoipa::path(get, path = "/api/v1/streams/{id}/picture", params(("id" = u64, Path)), responses((status = 200, description = "A picture", content_type = "image/jpeg"), (status = 204, description = "There is none: no FFmpeg, nothing to show, or no CPU time for it"), (status = 404, body = problem::Details)))]
fn picture() {}

/// A list of the newest segments of a stream, for a player on the dashboard. Whoever plays it is no viewer, and keeps nothing running.
#[utoipa::path(get, path = "/api/v1/streams/{id}/preview/live.m3u8", params(("id" = u64, Path)), responses((status = 200, description = "A media playlist", content_type = "application/vnd.apple.mpegurl"), (status = 404, body = problem::Details)))]
fn preview() {}

/// A segment in that list.
#[utoipa::path(get, path = "/api/v1/streams/{id}/preview/{number}.ts", params(("id" = u64, Path), ("number" = u64, Path)), responses((status = 200, description = "A transport stream", content_type = "video/mp2t"), (status = 404, body = problem::Details)))]
fn preview_segment() {}

/// The server's tuners.
#[utoipa::path(get, path = "/api/v1/tuners", responses((status = 200, body = views::Tuners), (status = 401, body = problem::Details)))]
fn tuners() {}

/// The last changes of channel, the oldest first.
#[utoipa::path(get, path = "/api/v1/zaps", responses((status = 200, description = "An object with zaps: a list", body = [views::Zap]), (status = 401, body = problem::Details)))]
fn zaps() {}

/// The newest of what was watched, the newest first: 100, or up to 1000 with `limit`.
#[utoipa::path(get, path = "/api/v1/history", params(("limit" = Option<u32>, Query), ("viewer" = Option<String>, Query, description = "As shown"), ("channel" = Option<String>, Query, description = "The item or the name"), ("before" = Option<String>, Query, description = "Those that began before (RFC 3339)")), responses((status = 200, body = [history::Watched]), (status = 400, body = problem::Details), (status = 404, body = problem::Details)))]
fn watched() {}

/// The last decisions about channels that nobody watches, the oldest first: which were to be opened ahead, which were let go, and why.
#[utoipa::path(get, path = "/api/v1/decisions", responses((status = 200, body = [views::Decision]), (status = 401, body = problem::Details)))]
fn decisions() {}

/// The configuration in effect, with the keys of gateway.yaml, each with its value or its default. Secrets are left out: `…` stands for
/// one that is set, and of a provider's URL only scheme and host are shown.
#[utoipa::path(get, path = "/api/v1/config", responses((status = 200, description = "The configuration", body = Object), (status = 401, body = problem::Details)))]
fn config() {}

/// Who is told what happens, and what became of the last deliveries.
#[utoipa::path(get, path = "/api/v1/webhooks", responses((status = 200, body = deliveries::Told), (status = 401, body = problem::Details)))]
fn webhooks() {}

/// What is open at Jellyfin on the gateway's account: streams, inputs, and what clients have opened and may leave open.
#[utoipa::path(get, path = "/api/v1/ledger", responses((status = 200, body = [ledger::OpenAtServer]), (status = 401, body = problem::Details)))]
fn ledger() {}

/// One flat object, for sensors.
#[utoipa::path(get, path = "/api/v1/summary", responses((status = 200, body = views::Summary), (status = 401, body = problem::Details)))]
fn summary() {}

/// What is wrong around the gateway, or could be better, with its cure.
#[utoipa::path(get, path = "/api/v1/doctor", responses((status = 200, body = views::Doctor), (status = 401, body = problem::Details)))]
fn doctor() {}

/// Server-sent events: `state` with a state whenever it changes, `zap` with each zap when it is over. `Last-Event-ID` resumes zaps.
#[utoipa::path(get, path = "/api/v1/events", responses((status = 200, description = "Events", content_type = "text/event-stream"), (status = 503, body = problem::Details)))]
fn events() {}

/// That the gateway lives.
#[utoipa::path(get, path = "/api/v1/health", responses((status = 200, description = "It lives")))]
fn health() {}

/// The metrics, for Prometheus.
#[utoipa::path(get, path = "/metrics", responses((status = 200, description = "OpenMetrics", content_type = "application/openmetrics-text")))]
fn metrics() {}

/// The channels whose names Jellyfin has told, each with its warmth.
#[utoipa::path(get, path = "/api/v1/channels", responses((status = 200, body = [views::WarmChannel]), (status = 401, body = problem::Details)))]
fn channels() {}

/// A channel, by Jellyfin's id of its item.
#[utoipa::path(get, path = "/api/v1/channels/{id}", params(("id" = String, Path)), responses((status = 200, body = views::WarmChannel), (status = 404, body = problem::Details)))]
fn channel() {}

/// Whether a viewer who tunes has a picture at once: 503 with `Retry-After` while the channel is being opened, 404 if it is not.
#[utoipa::path(get, path = "/api/v1/channels/{id}/ready", params(("id" = String, Path)), responses((status = 200, body = views::WarmChannel), (status = 404, body = problem::Details), (status = 503, body = problem::Details)))]
fn ready() {}

/// Opens a channel for a viewer who may come, for as long as `warm.feed` says. It takes no tuner that a viewer could need.
#[utoipa::path(post, path = "/api/v1/channels/{id}/warm", params(("id" = String, Path)), responses((status = 202, body = views::WarmChannel), (status = 404, body = problem::Details), (status = 409, body = problem::Details), (status = 503, body = problem::Details)))]
fn warm() {}

/// Gives a channel up that was warmed up and that nobody watches.
#[utoipa::path(post, path = "/api/v1/channels/{id}/release", params(("id" = String, Path)), responses((status = 204, description = "It is given up"), (status = 404, body = problem::Details)))]
fn release() {}

/// Stops a stream. Who watches it starts it again.
#[utoipa::path(post, path = "/api/v1/streams/{id}/stop", params(("id" = u64, Path)), responses((status = 204, description = "It is being stopped"), (status = 404, body = problem::Details)))]
fn stop() {}

/// Keeps a stream that nobody watches until its place is needed, however long that is.
#[utoipa::path(post, path = "/api/v1/streams/{id}/pin", params(("id" = u64, Path)), responses((status = 204, description = "It is pinned"), (status = 404, body = problem::Details)))]
fn pin() {}

/// Keeps a stream no longer than others.
#[utoipa::path(post, path = "/api/v1/streams/{id}/unpin", params(("id" = u64, Path)), responses((status = 204, description = "It is pinned no longer"), (status = 404, body = problem::Details)))]
fn unpin() {}

/// Sends a viewer away, for a minute.
#[utoipa::path(post, path = "/api/v1/viewers/{id}/kick", params(("id" = String, Path)), responses((status = 204, description = "It has gone"), (status = 404, body = problem::Details)))]
fn kick() {}
