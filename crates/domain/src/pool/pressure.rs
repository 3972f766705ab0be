//! Ends idle encodings, one after another, while a stream that is watched falls behind the clock and the CPU is the reason.
//!
//! ```text
//!  a watched stream is behind ──► MeasureCpu ──► CpuMeasured ─┬─ short ──► the idle encoding left longest ago ends
//!          ▲                                                  └─ idle ───► nothing: its source is late, or its network
//!          └──────── behind again, counted from now ◄─────────────┘
//! ```
//!
//! Being behind alone is no reason, since a source that stalls looks the same: it would cost a household all its warm
//! encodings. It does not know how the CPU is measured (docs/decisions/32-pressure.md).

use super::Pool;
use crate::key::StreamId;
use crate::pool::api::Action;
use crate::pool::cpu::is_cpu_short;
use crate::pool::pace::Pace;
use crate::reason::StopReason;
use crate::time::Timestamp;

impl Pool {
    /// Asks for a measurement of the CPU if a watched stream is behind and an idle encoding might be the reason.
    pub(super) fn mind_pace(&mut self, now: Timestamp) {
        if self.pace_deadline().is_some_and(|at| at <= now) {
            self.measures_cpu = true;
            self.actions.push_back(Action::MeasureCpu);
        }
    }

    /// When the first watched stream is behind, if that has a consequence.
    pub(super) fn pace_deadline(&self) -> Option<Timestamp> {
        let first = self.watched_paces().map(|(_, behind_at)| behind_at).min()?;
        (!self.measures_cpu && self.idle_encoding().is_some()).then_some(first)
    }

    /// How much of the CPU time was idle while a watched stream was behind; `None` counts as none: an encoding that ends in
    /// vain costs its next viewer a warm start, one that goes on stops a picture.
    pub(super) fn cpu_measured(&mut self, idle: Option<f64>, now: Timestamp) {
        self.measures_cpu = false;
        let behind = self.watched_paces().filter(|(_, behind_at)| *behind_at <= now);
        let behind: Vec<_> = behind.map(|(id, _)| id).collect();
        if behind.is_empty() {
            return;
        }
        if let Some(first) = self.idle_encoding().filter(|_| is_cpu_short(idle)) {
            self.end_encoding(first, StopReason::Pressure, now);
        }
        // It shows anew whether that was enough: what was lost so far stays lost if the source was late.
        for id in behind {
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.pace = Some(Pace::beginning(now));
            }
        }
    }

    /// The streams that are watched and run, with the time at which each is behind.
    fn watched_paces(&self) -> impl Iterator<Item = (StreamId, Timestamp)> {
        let watched = self.streams.iter().filter(|(id, stream)| stream.is_live() && self.is_watched(**id));
        watched.filter_map(|(&id, stream)| Some((id, stream.pace?.behind_at(stream.target?))))
    }
}
