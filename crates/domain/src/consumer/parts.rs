//! What is known of a consumer, so that another process of the gateway can go on with it.
//!
//! Its requests and connections stay with the process that they came to: to the next one, none is being answered.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::cadence::{Class, Rhythm};
use crate::consumer::presence::Standing;
use crate::consumer::{Consumer, Terms};
use crate::key::StreamId;
use crate::reason::{Evidence, LeaveReason};
use crate::time::Timestamp;
use crate::viewer::Viewer;
use crate::window::JoinPoint;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConsumerParts {
    /// The stream that it watches.
    pub stream: StreamId,
    viewer: Viewer,
    tuned_at: Timestamp,
    list: Option<JoinPoint>,
    comes_from_another: bool,
    left: Option<(Timestamp, LeaveReason)>,
    class: Class,
    rhythm: Rhythm,
    seen: Timestamp,
    asked: Timestamp,
    segment: Option<(u64, Timestamp, Timestamp)>,
    stalled: bool,
    pause: Option<(Timestamp, u32)>,
    polls_in_pause: bool,
    reports: bool,
    goodbye: Option<Timestamp>,
    clues: BTreeSet<Evidence>,
    vouched_at: Timestamp,
    waits_since: Option<Timestamp>,
}

impl ConsumerParts {
    /// The class of its player.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.class
    }

    /// The list that it has been given.
    #[must_use]
    pub const fn list(&self) -> Option<JoinPoint> {
        self.list
    }
}

impl Consumer {
    /// What is known of it.
    #[must_use]
    pub fn parts(&self) -> ConsumerParts {
        ConsumerParts {
            stream: self.stream,
            viewer: self.viewer.clone(),
            tuned_at: self.tuned_at,
            list: self.list,
            comes_from_another: self.comes_from_another,
            left: self.standing.left(),
            class: self.class,
            rhythm: self.rhythm,
            seen: self.seen,
            asked: self.asked,
            segment: self.segment,
            stalled: self.stalled,
            pause: self.pause,
            polls_in_pause: self.polls_in_pause,
            reports: self.reports,
            goodbye: self.goodbye,
            clues: self.clues.clone(),
            vouched_at: self.vouched_at,
            waits_since: self.waits_since,
        }
    }

    /// The consumer of which this is known. Whether it is suspect is judged anew.
    #[must_use]
    pub fn of_parts(parts: ConsumerParts, terms: &Terms) -> Self {
        let mut consumer = Self::new(parts.stream, parts.viewer, parts.class, terms, parts.seen);
        consumer.tuned_at = parts.tuned_at;
        consumer.list = parts.list;
        consumer.comes_from_another = parts.comes_from_another;
        consumer.standing =
            parts.left.map_or(Standing::Present, |(at, reason)| Standing::Left { at, reason });
        consumer.rhythm = parts.rhythm;
        consumer.asked = parts.asked;
        consumer.segment = parts.segment;
        consumer.stalled = parts.stalled;
        consumer.pause = parts.pause;
        consumer.polls_in_pause = parts.polls_in_pause;
        consumer.reports = parts.reports;
        consumer.goodbye = parts.goodbye;
        consumer.clues = parts.clues;
        consumer.vouched_at = parts.vouched_at;
        consumer.waits_since = parts.waits_since;
        consumer.plan(terms);
        consumer
    }
}
