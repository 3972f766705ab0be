//! What the API and the dashboard show, as JSON. Times are seconds, sizes bytes; a moment is told by its age.
//!
//! It does not know where the values come from.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::supervisor::warm_up::ChannelWarmth;
use crate::upstream::live_tv::ChannelName;
use domain::doctor;
use domain::key::ItemId;

/// Everything at a moment, at most a second old.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct State {
    /// The moment (RFC 3339).
    pub(super) at: String,
    /// The gateway's version.
    pub(super) version: &'static str,
    /// How long it has been running.
    pub(super) uptime: f64,
    /// Where Jellyfin is.
    pub(super) upstream: String,
    /// How many streams may run.
    pub(super) slots: usize,
    /// The streams.
    pub(super) streams: Vec<Stream>,
    /// The channels that are warmed up for viewers who may come.
    pub(super) warmed_up: Vec<WarmedUp>,
    /// The tuners of the server.
    pub(super) tuners: Tuners,
    /// What has happened since the start.
    pub(super) counts: Counts,
    /// How long viewers waited.
    pub(super) zaps: ZapSummary,
}

/// A channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Channel {
    /// Jellyfin's id of its item.
    pub(super) item: String,
    /// Its name; absent where Jellyfin has not told it yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// Its number in the guide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) number: Option<String>,
}

impl Channel {
    /// A channel as the server has told of it, if it has.
    pub(super) fn of(item: &ItemId, known: Option<ChannelName>) -> Self {
        let (name, number) = known.map_or((None, None), |known| (Some(known.name), known.number));
        Self { item: item.to_string(), name, number }
    }
}

/// A channel that is warmed up.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct WarmedUp {
    /// The channel.
    pub(super) channel: Channel,
    /// Whether a viewer who tunes has a picture at once.
    pub(super) ready: bool,
    /// In how long it is given up at the latest, if nobody comes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) goes_in: Option<f64>,
    /// Who expects a viewer: `operator` or `foresight`.
    pub(super) by: &'static str,
    /// Why it is open, in a sentence.
    pub(super) why: String,
}

/// A decision about a channel that nobody watches (docs/worth.md).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Decision {
    /// When it was made (RFC 3339).
    pub(super) at: String,
    /// What was decided: `start-ahead`, where opening may still have come to nothing, or `time-out`.
    pub(super) verdict: &'static str,
    /// Of which channel.
    pub(super) channel: Channel,
    /// The same in a sentence.
    pub(super) why: String,
    /// The seconds of waiting that each second of its warmth is expected to spare.
    pub(super) worth: f64,
    /// What that has to be at least.
    pub(super) price: f64,
    /// How probably somebody wants it within `within` seconds.
    pub(super) wanted: f64,
    /// See `wanted`.
    pub(super) within: f64,
    /// The seconds of waiting that its warmth spares a viewer.
    pub(super) spares: f64,
    /// The device that wants it most probably.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) device: Option<String>,
    /// The channel that makes room for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) instead_of: Option<Channel>,
    /// The channel that it would have been otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) runner_up: Option<Channel>,
}

/// A channel, and how warm it is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct WarmChannel {
    #[serde(flatten)]
    pub(super) channel: Channel,
    /// `cold`, `opening`, `feed` (its input is pulled) or `stream` (a stream of it runs).
    pub(super) warmth: &'static str,
    /// Whether a viewer who tunes has a picture at once.
    pub(super) ready: bool,
}

impl WarmChannel {
    pub(super) fn of(channel: Channel, warmth: ChannelWarmth) -> Self {
        Self { channel, warmth: warmth.as_str(), ready: warmth.is_ready() }
    }
}

/// A stream.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub(super) struct Stream {
    /// Its id, as in `Warmgate-Stream`.
    pub(super) id: u64,
    /// The channel.
    pub(super) channel: Channel,
    /// How it is encoded, in the gateway's canonical spelling.
    pub(super) profile: String,
    /// Who makes it: `own` or `adopted`.
    pub(super) method: &'static str,
    /// Where it stands: `starting`, `live`, `resting`, `backing-off`, `retiring`.
    pub(super) state: &'static str,
    /// Why it failed, in one word, where it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<&'static str>,
    /// In how long it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retry_in: Option<f64>,
    /// Why it is there, in a sentence.
    pub(super) why: String,
    /// How often it has been begun.
    pub(super) generation: u32,
    /// How long it has been running.
    pub(super) age: f64,
    /// How long nobody has watched it; absent where somebody does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) idle: Option<f64>,
    /// In how long it rests or stops, if nobody comes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) goes_in: Option<f64>,
    /// Whether it is kept until its place is needed.
    pub(super) pinned: bool,
    /// Whether an encoder works for it.
    pub(super) encodes: bool,
    /// The memory of its segments.
    pub(super) memory: u64,
    /// Who watches it.
    pub(super) viewers: Vec<Viewer>,
}

/// A viewer of a stream.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub(super) struct Viewer {
    /// Its id, for `kick`.
    pub(super) id: String,
    /// The name of its user, if Jellyfin has told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<String>,
    /// Its device, as it calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) device: Option<String>,
    /// The kind of its player.
    pub(super) player: &'static str,
    /// Whether it is there: `joining`, `playing`, `paused`, `thin`, `stalled`, `suspect`, `left`.
    pub(super) presence: &'static str,
    /// How sure it is that it has gone, from 0 to 1.
    pub(super) absence: f64,
    /// What speaks for that, in single words.
    pub(super) because: Vec<&'static str>,
    /// How long ago it tuned.
    pub(super) age: f64,
}

/// The tuners of the server.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Tuners {
    /// How many there are; absent where nobody tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) limit: Option<u32>,
    /// Where that is known from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<&'static str>,
    /// How many stay free of what nobody watches.
    pub(super) reserve: u32,
    /// Channels that are open at the server.
    pub(super) in_use: usize,
    /// Those of them that are open for nobody.
    pub(super) idle: usize,
    /// Those of them that are being given back.
    pub(super) closing: usize,
    /// What clients have opened, and nothing has taken over yet.
    pub(super) openings: usize,
    /// Each tuner host.
    pub(super) hosts: Vec<TunerHost>,
}

/// A tuner host of the server's.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct TunerHost {
    /// The server's name for it.
    pub(super) id: String,
    /// How many channels it can have open; absent if any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) limit: Option<u32>,
    /// How many of its tuners stay free.
    pub(super) reserve: u32,
    /// Channels that may be open on it.
    pub(super) in_use: usize,
    /// Those of them that are open for nobody.
    pub(super) idle: usize,
}

/// What has happened since the start, by reason.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Counts {
    /// Streams that were begun, again after a failure included.
    pub(super) starts: u64,
    /// Channels that were started before anybody asked for them.
    pub(super) starts_ahead: u64,
    /// Those of them to which somebody came.
    pub(super) starts_ahead_hit: u64,
    /// Those of them that were closed before.
    pub(super) starts_ahead_in_vain: u64,
    /// Channels that nobody watched and that were closed so that a recording had their tuner.
    pub(super) recordings_helped: u64,
    /// Viewers that were believed gone and asked again.
    pub(super) revived: u64,
    /// New viewers, by what they met.
    pub(super) tuned: BTreeMap<&'static str, u64>,
    /// Playlists that were left to the server.
    pub(super) refused: BTreeMap<&'static str, u64>,
    /// Openings that were refused.
    pub(super) refused_openings: BTreeMap<&'static str, u64>,
    /// Streams that were stopped.
    pub(super) stopped: BTreeMap<&'static str, u64>,
    /// Streams whose encoder was stopped.
    pub(super) rested: BTreeMap<&'static str, u64>,
    /// Generations that failed.
    pub(super) failures: BTreeMap<&'static str, u64>,
    /// What clients had opened, given back in their name.
    pub(super) returned: BTreeMap<&'static str, u64>,
    /// Viewers that left.
    pub(super) left: BTreeMap<&'static str, u64>,
}

/// How long viewers waited since the start, by what their zaps met.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ZapSummary {
    /// The objective.
    pub(super) slo: f64,
    /// The share of zaps with a picture that kept to it; absent where there were none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) within_slo: Option<f64>,
    /// The share of zaps that met a stream which ran; absent where there were none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) warm_share: Option<f64>,
    /// Each outcome.
    pub(super) outcomes: BTreeMap<&'static str, Waits>,
}

/// The waits of the zaps with one outcome.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Waits {
    /// How many there were.
    pub(super) count: u64,
    /// The median of the last ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) median: Option<f64>,
    /// What one in twenty of the last ones exceeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) p95: Option<f64>,
}

/// A change of channel. All moments are seconds since it began.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub(super) struct Zap {
    /// Counts up; the last ones are kept.
    pub(super) id: u64,
    /// When it began (RFC 3339).
    pub(super) at: String,
    /// The channel.
    pub(super) channel: Channel,
    /// The name of the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<String>,
    /// The device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) device: Option<String>,
    /// What it met: `hit`, `joined`, `near`, `cold`, `bypass`, `conflict`, `failed`, `abandoned`.
    pub(super) outcome: &'static str,
    /// Why, in one word, where the outcome does not say it.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) reason: &'static str,
    /// How long the viewer waited for the first segment, or for the server's own playlist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) waited: Option<f64>,
    /// When the server had opened the channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) opened: Option<f64>,
    /// When the playlist was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) list_asked: Option<f64>,
    /// When it was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) listed: Option<f64>,
    /// When the first segment was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) segment_asked: Option<f64>,
    /// When it had been sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) segment_sent: Option<f64>,
    /// When the playlist was asked for again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) listed_again: Option<f64>,
}

/// One flat object, for sensors.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Summary {
    /// Streams that run.
    pub(super) streams: usize,
    /// Those of them that nobody watches.
    pub(super) streams_idle: usize,
    /// Viewers that are there.
    pub(super) viewers: usize,
    /// Channels that are open at the server.
    pub(super) tuners_in_use: usize,
    /// How many there are; null where nobody tells.
    pub(super) tuners: Option<u32>,
    /// Zaps since the start.
    pub(super) zaps: u64,
    /// The share of them that met a stream which ran, in percent; null where there were none.
    pub(super) warm_percent: Option<f64>,
    /// The median wait of the last zaps, in milliseconds; null where there were none.
    pub(super) zap_median_ms: Option<f64>,
    /// How long the gateway has been running.
    pub(super) uptime: f64,
}

/// What is found around the gateway.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Doctor {
    /// Jellyfin's version; null if it does not answer.
    version: Option<String>,
    /// What is wrong or could be better, the most important first.
    findings: Vec<Finding>,
}

/// Something to act on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Finding {
    /// In one word.
    finding: &'static str,
    /// `problem` where something does not work, `advice` where it could work better.
    severity: &'static str,
    /// What it is, in a sentence.
    what: &'static str,
    /// What to do about it.
    cure: &'static str,
}

impl Doctor {
    /// What was found, as it is shown.
    pub(super) fn of(found: &doctor::Surroundings, findings: &[doctor::Finding]) -> Self {
        let findings = findings.iter().map(|finding| Finding {
            finding: finding.as_str(),
            severity: finding.severity().as_str(),
            what: finding.what(),
            cure: finding.cure(),
        });
        Self { version: found.version.clone(), findings: findings.collect() }
    }
}
