//! The state as OpenMetrics text, for Prometheus.
//!
//! Labels are the gateway's own words, so their number is bounded: no channel, user or device is a label.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::admin::published::Moment;
use domain::zap::BOUNDS;

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
        let Moment { snapshot, state, zaps, .. } = &*self.0;
        let mut out = Out(encoder);
        let streams = |wanted: &str| state.streams.iter().filter(|stream| stream.state == wanted).count();
        let states = ["starting", "live", "resting", "backing-off", "retiring"];
        out.gauges(
            "streams",
            "Streams, by state",
            "state",
            states.map(|state| (state, streams(state) as f64)),
        )?;
        let methods = ["own", "adopted"].map(|method| {
            (method, state.streams.iter().filter(|stream| stream.method == method).count() as f64)
        });
        out.gauges("streams_made", "Streams, by who makes them", "method", methods)?;
        let idle = state.streams.iter().filter(|stream| stream.idle.is_some()).count();
        out.gauge("streams_idle", "Streams that nobody watches", None, idle as f64)?;
        out.gauge("slots", "Streams that may run at once", None, state.slots as f64)?;
        let viewers = state.streams.iter().flat_map(|stream| &stream.viewers);
        let presences = ["joining", "playing", "paused", "thin", "stalled", "suspect"].map(|presence| {
            (presence, viewers.clone().filter(|viewer| viewer.presence == presence).count() as f64)
        });
        out.gauges("viewers", "Viewers of the gateway's streams, by presence", "presence", presences)?;
        let memory = snapshot.streams.iter().map(|stream| stream.held).sum::<u64>()
            + snapshot.inputs.iter().map(|input| input.held).sum::<u64>();
        out.gauge("media_memory", "Memory of segments and inputs", Some(&Unit::Bytes), memory as f64)?;
        out.gauge("inputs", "Channels that the gateway pulls", None, snapshot.inputs.len() as f64)?;
        let tuners = &state.tuners;
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
        out.gauge(
            "openings",
            "Channels that clients opened and nothing plays yet",
            None,
            tuners.openings as f64,
        )?;
        out.gauge("uptime", "Time since the start", Some(&Unit::Seconds), state.uptime)?;

        let counts = &state.counts;
        out.counters("starts", "Streams begun, again after failures included", "", [("", counts.starts)])?;
        out.counters("revived", "Viewers believed gone that asked again", "", [("", counts.revived)])?;
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
        let zapped = zaps.counts().iter().map(|(outcome, count)| (outcome.as_str(), *count));
        out.counters("zaps", "Changes of channel, by what they met", "outcome", zapped)?;
        let help = "From the opening to the first segment sent, by what the zap met";
        let mut family =
            out.0.encode_descriptor("zap_duration", help, Some(&Unit::Seconds), MetricType::Histogram)?;
        for (outcome, waits) in zaps.waits() {
            let bounds = BOUNDS.iter().map(|bound| *bound as f64 / 1000.0).chain([f64::MAX]);
            let buckets: Vec<_> = bounds.zip(waits.counts).collect();
            let labels = [("outcome", outcome.as_str())];
            let sum = waits.sum.as_secs_f64();
            family.encode_family(&labels)?.encode_histogram::<NoLabelSet>(
                sum,
                waits.count(),
                &buckets,
                None,
            )?;
        }
        Ok(())
    }
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

    /// Counters by a label; without one if that is empty.
    fn counters(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'static str, u64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (value, count) in values {
            let counter = ConstCounter::new(count);
            if label.is_empty() {
                return counter.encode(family);
            }
            counter.encode(family.encode_family(&[(label, value)])?)?;
        }
        Ok(())
    }
}
