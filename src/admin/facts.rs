//! What is shown beside the pool: what does not change, and what is only counted.
//!
//! It does not know who counts.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::access_log::AccessLog;
use crate::admin::views;
use crate::config::Running;
use crate::server::tls::Tls;
use crate::spool::{Spool, SpoolView};
use crate::supervisor::Supervisor;
use crate::telemetry::counts::{Counts, Requests, STATUS_CLASSES};
use crate::upstream::client::Health;
use crate::webhooks::Webhooks;
use domain::pool::{Tally, Warmth};
use domain::reason::{
    ConnectionEnd, Failure, LeaveReason, OpeningRefusal, RefuseReason, ReturnReason, RouteClass, StopReason,
};

/// What does not change while the gateway runs.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Where the media server is.
    pub upstream: String,
    /// How long a zap may take.
    pub slo: Duration,
    /// The configuration in effect.
    pub running: Running,
    /// Who is told what happens.
    pub webhooks: Webhooks,
    /// The requests of players.
    pub requests: Requests,
    /// Their connections that were refused or ended.
    pub connection_ends: Counts,
    /// How the media server is.
    pub health: Health,
    /// The old pieces on disk, if any are kept.
    pub spool: Option<Spool>,
    /// The log of their requests, if there is one.
    pub access_log: Option<AccessLog>,
    /// What shows players a certificate, if anything does.
    pub tls: Option<Tls>,
}

/// What is only counted, at a moment.
#[derive(Debug)]
pub(super) struct Figures {
    /// The requests of players, by what they are about and the class of the answer's status.
    pub(super) requests: Vec<(RouteClass, [u64; STATUS_CLASSES.len()])>,
    /// Their connections that were refused or ended.
    pub(super) connection_ends: Vec<(&'static str, u64)>,
    /// Whether the last request found the media server.
    pub(super) is_upstream_up: bool,
    /// The requests that it did not answer.
    pub(super) upstream_failures: Vec<(&'static str, u64)>,
    /// Lines of the access log that were dropped.
    pub(super) access_log_dropped: u64,
    /// The old pieces on disk.
    pub(super) spool: SpoolView,
    /// When the certificate for players expires, if there is one.
    pub(super) certificate_ends: Option<SystemTime>,
    /// The memory that segments and inputs may take.
    pub(super) memory_limit: u64,
}

impl Figures {
    /// Reads them.
    pub(super) fn now(facts: &Facts, supervisor: &Supervisor) -> Self {
        let Facts { requests, connection_ends, health, spool, tls, access_log, .. } = facts;
        let ends = ConnectionEnd::ALL.iter();
        Self {
            requests: RouteClass::ALL.iter().map(|class| (*class, requests.get(*class))).collect(),
            connection_ends: ends.map(|end| (end.as_str(), connection_ends.get(*end as usize))).collect(),
            is_upstream_up: !health.is_away(),
            upstream_failures: health.failures().collect(),
            access_log_dropped: access_log.as_ref().map_or(0, AccessLog::dropped),
            spool: spool.as_ref().map(Spool::view).unwrap_or_default(),
            certificate_ends: tls.as_ref().and_then(Tls::expires),
            memory_limit: supervisor.memory_limit(),
        }
    }
}

/// What has happened since the start. Each reason is there from the start, with a 0, so that its first event is seen as a step.
pub(super) fn counts(tally: &Tally) -> views::Counts {
    fn named<K: Copy + Ord>(
        all: &[K],
        counts: &BTreeMap<K, u64>,
        name: impl Fn(K) -> &'static str,
    ) -> BTreeMap<&'static str, u64> {
        all.iter().map(|key| (name(*key), counts.get(key).copied().unwrap_or_default())).collect()
    }
    let warmths = Warmth::ALL.map(Warmth::as_str);
    views::Counts {
        starts: tally.starts,
        starts_ahead: tally.ahead.made,
        starts_ahead_hit: tally.ahead.hit,
        starts_ahead_in_vain: tally.ahead.in_vain,
        recordings_helped: tally.recordings_helped,
        revived: tally.revived,
        tuned: named(&warmths, &tally.tuned, |warmth| warmth),
        refused: named(RefuseReason::ALL, &tally.refused, RefuseReason::as_str),
        refused_openings: named(OpeningRefusal::ALL, &tally.refused_openings, OpeningRefusal::as_str),
        stopped: named(StopReason::ALL, &tally.stopped, StopReason::as_str),
        rested: named(StopReason::ALL, &tally.rested, StopReason::as_str),
        failures: named(Failure::ALL, &tally.failures, Failure::as_str),
        returned: named(ReturnReason::ALL, &tally.returned, ReturnReason::as_str),
        left: named(LeaveReason::ALL, &tally.left, LeaveReason::as_str),
    }
}
