//! The state as OpenMetrics text, for Prometheus.
//!
//! Labels are the gateway's own words, so their number is bounded: no channel, user or device is a label.

use std::fmt;
use std::time::SystemTime;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::admin::facts::Figures;
use crate::admin::published::Moment;
use crate::admin::views;
use crate::spool::SpoolView;
use crate::telemetry::counts::STATUS_CLASSES;
use domain::pool::Snapshot;
use domain::reason::ZapOutcome;
use domain::zap::{BOUNDS, Judged, ZapBook};

/// The media type of what is returned.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics at a moment.
pub(super) fn text(moment: std::sync::Arc<Moment>) -> String {
    let mut registry = Registry::with_prefix("warmgate");
    registry.register_collector(Box::new(Metrics(moment)));
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
    text
}

#[derive(Debug)]
struct Metrics(std::sync::Arc<Moment>);

impl Collector for Metrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Moment { snapshot, state, zaps, figures, .. } = &*self.0;
        let mut out = Out(encoder);
        out.gauge("uptime", "Time since the start", Some(&Unit::Seconds), state.uptime)?;
        streams(&mut out, state)?;
        tuners(&mut out, &state.tuners)?;
        memory(&mut out, snapshot, figures)?;
        counts(&mut out, &state.counts)?;
        waits(&mut out, zaps, state.zaps.slo)?;
        requests(&mut out, figures)?;
        upstream(&mut out, figures)?;
        disk(&mut out, &figures.spool)
    }
}

fn streams(out: &mut Out<'_>, state: &views::State) -> fmt::Result {
    let streams = |wanted: &str| state.streams.iter().filter(|stream| stream.state == wanted).count();
    let states = ["starting", "live", "resting", "backing-off", "retiring"];
    out.gauges("streams", "Streams, by state", "state", states.map(|state| (state, streams(state) as f64)))?;
    let methods = ["own", "adopted"]
        .map(|method| (method, state.streams.iter().filter(|stream| stream.method == method).count() as f64));
    out.gauges("streams_made", "Streams, by who makes them", "method", methods)?;
    let idle = state.streams.iter().filter(|stream| stream.idle.is_some()).count();
    out.gauge("streams_idle", "Streams that nobody watches", None, idle as f64)?;
    out.gauge("slots", "Streams that may run at once", None, state.slots as f64)?;
    let viewers = state.streams.iter().flat_map(|stream| &stream.viewers);
    let presences = ["joining", "playing", "paused", "thin", "stalled", "suspect"].map(|presence| {
        (presence, viewers.clone().filter(|viewer| viewer.presence == presence).count() as f64)
    });
    out.gauges("viewers", "Viewers of the gateway's streams, by presence", "presence", presences)
}

fn tuners(out: &mut Out<'_>, tuners: &views::Tuners) -> fmt::Result {
    if let Some(limit) = tuners.limit {
        out.gauge("tuners", "Tuners of the server", None, f64::from(limit))?;
    }
    let uses = [
        ("needed", tuners.in_use.saturating_sub(tuners.idle + tuners.closing)),
        ("idle", tuners.idle),
        ("closing", tuners.closing),
    ];
    out.gauges(
        "tuners_used",
        "Tuners in use, by for whom",
        "use",
        uses.map(|(by, count)| (by, count as f64)),
    )?;
    let help = "Channels that clients opened and nothing plays yet";
    out.gauge("openings", help, None, tuners.openings as f64)
}

fn memory(out: &mut Out<'_>, snapshot: &Snapshot, figures: &Figures) -> fmt::Result {
    let used = snapshot.streams.iter().map(|stream| stream.held).sum::<u64>()
        + snapshot.inputs.iter().map(|input| input.held).sum::<u64>();
    out.gauge("media_memory", "Memory of segments and inputs", Some(&Unit::Bytes), used as f64)?;
    let help = "Memory that segments and inputs may take (pool.memory)";
    out.gauge("media_memory_limit", help, Some(&Unit::Bytes), figures.memory_limit as f64)?;
    out.gauge("inputs", "Channels that the gateway pulls", None, snapshot.inputs.len() as f64)
}

fn counts(out: &mut Out<'_>, counts: &views::Counts) -> fmt::Result {
    out.counter("starts", "Streams begun, again after failures included", counts.starts)?;
    out.counter("starts_ahead", "Channels started before anybody asked for them", counts.starts_ahead)?;
    let ends = [("hit", counts.starts_ahead_hit), ("in-vain", counts.starts_ahead_in_vain)];
    let help = "Channels started ahead, by whether somebody came before they were closed";
    out.counters("starts_ahead_ended", help, "end", ends)?;
    let help = "Channels closed so that a recording had their tuner";
    out.counter("recordings_helped", help, counts.recordings_helped)?;
    out.counter("revived", "Viewers believed gone that asked again", counts.revived)?;
    for (name, help, label, counts) in [
        ("tuned", "New viewers, by what they met", "warmth", &counts.tuned),
        ("passed_on", "Playlists left to the server, by the pool's reason", "reason", &counts.refused),
        ("refused_openings", "Openings refused, by reason", "reason", &counts.refused_openings),
        ("stopped", "Streams stopped, by reason", "reason", &counts.stopped),
        ("rested", "Encoders stopped whose input was kept, by reason", "reason", &counts.rested),
        ("failures", "Generations failed, by reason", "reason", &counts.failures),
        ("returned", "Clients' openings given back in their name, by reason", "reason", &counts.returned),
        ("left", "Viewers that left, by reason", "reason", &counts.left),
    ] {
        out.counters(name, help, label, counts.iter().map(|(name, count)| (*name, *count)))?;
    }
    Ok(())
}

fn waits(out: &mut Out<'_>, zaps: &ZapBook, objective: f64) -> fmt::Result {
    let help = "How long a zap may take (zap.slo)";
    out.gauge("zap_objective", help, Some(&Unit::Seconds), objective)?;
    let Judged { within, over } = zaps.judged();
    let help = "Changes of channel that came to a picture, by whether they kept to the objective";
    out.counters("zaps_judged", help, "objective", [("within", within), ("over", over)])?;
    let count = |outcome: &ZapOutcome| zaps.counts().get(outcome).copied().unwrap_or_default();
    let zapped = ZapOutcome::ALL.iter().map(|outcome| (outcome.as_str(), count(outcome)));
    out.counters("zaps", "Changes of channel, by what they met", "outcome", zapped)?;
    let help = "From the opening to the first segment sent, by what the zap met";
    let mut family =
        out.0.encode_descriptor("zap_duration", help, Some(&Unit::Seconds), MetricType::Histogram)?;
    for outcome in ZapOutcome::ALL.iter().filter(|outcome| outcome.has_picture()) {
        let waits = zaps.waits().get(outcome).cloned().unwrap_or_default();
        let bounds = BOUNDS.iter().map(|bound| *bound as f64 / 1000.0).chain([f64::MAX]);
        let buckets: Vec<_> = bounds.zip(waits.counts).collect();
        let labels = [("outcome", outcome.as_str())];
        let sum = waits.sum.as_secs_f64();
        family.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, waits.count(), &buckets, None)?;
    }
    Ok(())
}

fn requests(out: &mut Out<'_>, figures: &Figures) -> fmt::Result {
    let help = "Requests of players answered, by what they are about and the class of the status";
    let mut family = out.0.encode_descriptor("requests", help, None, MetricType::Counter)?;
    for (class, counts) in &figures.requests {
        for (status, count) in STATUS_CLASSES.iter().zip(counts) {
            let labels = [("route", class.as_str()), ("status", *status)];
            ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
        }
    }
    let help = "Lines of the access log dropped, since they could not be written as fast";
    out.counter("access_log_dropped", help, figures.access_log_dropped)?;
    let help = "Connections of players refused, or ended to make room, by reason";
    out.counters("connections_refused", help, "reason", figures.connection_ends.iter().copied())?;
    let help = "When the certificate for players expires, since the epoch; absent if there is none";
    let name = "certificate_expiry_timestamp";
    let gauge = out.0.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Gauge)?;
    let Some(ends) = figures.certificate_ends else { return Ok(()) };
    let ends = ends.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    ConstGauge::new(ends.as_secs() as f64).encode(gauge)
}

fn upstream(out: &mut Out<'_>, figures: &Figures) -> fmt::Result {
    let help = "Whether the last request to the server found it (1) or nobody there (0)";
    out.gauge("upstream_up", help, None, f64::from(u8::from(figures.is_upstream_up)))?;
    let help = "Requests that the server did not answer, by reason";
    out.counters("upstream_failures", help, "reason", figures.upstream_failures.iter().copied())
}

fn disk(out: &mut Out<'_>, spool: &SpoolView) -> fmt::Result {
    let help = "Disk space of old pieces, of whole extents";
    out.gauge("spool", help, Some(&Unit::Bytes), spool.used as f64)?;
    let help = "Disk space that old pieces may take (rewind.budget)";
    out.gauge("spool_limit", help, Some(&Unit::Bytes), spool.budget as f64)?;
    let help = "Stretches of streams that viewers can no longer go back to, since their room was needed";
    out.counter("spool_shortened", help, spool.unlisted)?;
    out.counter("spool_dropped", "Old pieces lost since the disk is too slow", spool.dropped)?;
    out.counter("spool_failures", "Old pieces that the disk did not take", spool.failures)
}

struct Out<'a>(DescriptorEncoder<'a>);

impl Out<'_> {
    fn gauge(&mut self, name: &str, help: &str, unit: Option<&Unit>, value: f64) -> fmt::Result {
        let gauge = ConstGauge::new(value);
        gauge.encode(self.0.encode_descriptor(name, help, unit, MetricType::Gauge)?)
    }

    fn gauges(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'static str, f64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (value, count) in values {
            ConstGauge::new(count).encode(family.encode_family(&[(label, value)])?)?;
        }
        Ok(())
    }

    fn counter(&mut self, name: &str, help: &str, count: u64) -> fmt::Result {
        let counter = ConstCounter::new(count);
        counter.encode(self.0.encode_descriptor(name, help, None, MetricType::Counter)?)
    }

    /// Counters by a label.
    fn counters(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'static str, u64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (value, count) in values {
            ConstCounter::new(count).encode(family.encode_family(&[(label, value)])?)?;
        }
        Ok(())
    }
}
