//! Hands the pool over to another process of the gateway, which goes on with its streams, its viewers and what clients have opened.
//!
//! ```text
//! the old one   runs ── freeze ──► frozen ── Event::Shutdown ──► (empty)
//!                 ▲                   │
//!                 └────── thaw ───────┘  the new one has come to nothing
//! the new one   (empty) ── go_on_with ──► runs
//! ```
//!
//! A frozen pool takes in what happens, but starts nothing, and time does not pass for it: it judges nobody and gives nothing back.
//! To the new pool each stream is one whose generation has just ended, without anybody's fault. What the operator has warmed up is warmed
//! up anew. What was learned of viewers' next channels, and which attempts have failed, is told by `begin_with`, where it is remembered; the
//! rhythm of players is learned anew.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Pool;
use crate::consumer::Consumer;
use crate::consumer::parts::ConsumerParts;
use crate::key::{Channel, ConsumerId, DeviceId, ItemId, StreamId, StreamKey, UserId};
use crate::openings::parts::OpeningsParts;
use crate::pool::api::Action;
use crate::pool::expected::Expecter;
use crate::pool::foresight::remembering::ForesightParts;
use crate::pool::legacy::Legacy;
use crate::pool::sent_away::Place;
use crate::pool::stream::Stream;
use crate::produce::{Produce, ProductionMethod};
use crate::producer::{Producer, State};
use crate::reason::CloseReason;
use crate::time::Timestamp;
use crate::viewer::{Account, Viewer};

/// All of a pool that another one goes on with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolParts {
    /// The present when it was frozen, on its own clock, on which all its times are.
    pub now: Timestamp,
    next_stream: u64,
    streams: Vec<StreamParts>,
    consumers: Vec<(ConsumerId, ConsumerParts)>,
    openings: OpeningsParts,
    users: Vec<(Account, UserId)>,
    bypassed: Vec<(Viewer, Channel, Timestamp)>,
    sent_away: Vec<((Account, Place), Timestamp)>,
    sent_media: Vec<(Account, Option<DeviceId>)>,
    /// The channels that the operator has warmed up.
    warmed_up: Vec<ItemId>,
    foresight: ForesightParts,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct StreamParts {
    id: StreamId,
    key: StreamKey,
    produce: Produce,
    method: ProductionMethod,
    generation: u32,
    accounts: Vec<Account>,
    target: Option<Duration>,
    begun: Timestamp,
    watched_at: Timestamp,
    legacy: Legacy,
    #[serde(default)]
    is_pinned: bool,
    held: u64,
}

impl PoolParts {
    /// The sessions with an open WebSocket, each as often as it has one.
    pub fn sockets(&self) -> impl Iterator<Item = &(Account, Option<DeviceId>)> {
        self.openings.sockets()
    }

    /// The players that the server is sending a live stream, each as often as it has asked for one.
    pub fn sent_media(&self) -> impl Iterator<Item = &(Account, Option<DeviceId>)> {
        self.sent_media.iter()
    }

    /// The streams that are handed over.
    pub fn streams(&self) -> impl Iterator<Item = StreamId> {
        self.streams.iter().map(|stream| stream.id)
    }
}

impl Pool {
    /// Freezes the pool, and returns what another one goes on with. What is pulled from a provider is closed, since the other may have no
    /// further connection for it, unless clients read it as it is.
    pub fn freeze(&mut self, now: Timestamp) -> PoolParts {
        self.is_frozen = true;
        let warmed_up = self.warmed_up_by_operator();
        self.inputs.close_pulled(CloseReason::HandedOver);
        let handed_over: Vec<_> = self.running().into_iter().filter(|&id| self.is_handed_over(id)).collect();
        let parts_of = |&id: &StreamId| Some((id, self.streams.get(&id)?));
        let streams = handed_over.iter().filter_map(parts_of).map(|(id, stream)| StreamParts {
            id,
            key: stream.key.clone(),
            produce: stream.producer.produce(),
            method: stream.producer.method(),
            generation: stream.producer.generation(),
            accounts: stream.accounts.iter().copied().collect(),
            target: stream.target,
            begun: stream.begun,
            watched_at: stream.watched_at,
            legacy: stream.legacy,
            is_pinned: stream.is_pinned,
            held: stream.held,
        });
        let consumers = handed_over.iter().flat_map(|&id| self.crowd.of_stream(id));
        PoolParts {
            now,
            next_stream: self.next_stream,
            streams: streams.collect(),
            consumers: consumers.map(|(id, consumer)| (id, consumer.parts())).collect(),
            openings: self.openings.parts(),
            users: self.users.iter().map(|(account, user)| (*account, user.clone())).collect(),
            bypassed: self.bypassed.iter().collect(),
            sent_away: self.sent_away.parts(),
            sent_media: self.sent_media.all().cloned().collect(),
            warmed_up,
            foresight: self.foresight.parts(),
        }
    }

    /// Goes on after all.
    pub fn thaw(&mut self) {
        self.is_frozen = false;
        self.foresight.review_at = Some(Timestamp::default());
    }

    /// Goes on with the streams of another pool, which has been frozen: starts a generation of each. This pool is empty, and its clock
    /// is the other's.
    pub fn go_on_with(&mut self, parts: PoolParts) {
        let PoolParts {
            now: _,
            next_stream,
            streams,
            consumers,
            openings,
            users,
            bypassed,
            sent_away,
            sent_media,
            warmed_up,
            foresight,
        } = parts;
        self.next_stream = next_stream;
        self.users = users.into_iter().collect();
        bypassed
            .into_iter()
            .for_each(|(viewer, channel, until)| self.bypassed.insert(viewer, channel, until));
        self.sent_away.go_on_with(sent_away);
        sent_media.into_iter().for_each(|player| self.sent_media.add(player));
        self.foresight.go_on_with(foresight);
        self.openings.go_on_with(openings);
        for stream in streams {
            let producer = Producer::resumed(stream.produce, stream.method, stream.generation);
            let start = Action::Start {
                stream: stream.id,
                generation: producer.generation(),
                method: producer.method(),
            };
            self.streams.insert(stream.id, resumed(stream, producer));
            self.actions.push_back(start);
            self.tally.starts += 1;
        }
        for (id, consumer) in consumers {
            let terms = self.terms(consumer.stream, consumer.class(), consumer.list());
            self.crowd.insert(id, Consumer::of_parts(consumer, &terms));
        }
        let warmed_up = warmed_up.into_iter();
        self.actions.extend(warmed_up.map(|item| Action::WarmUp(item, Expecter::Operator)));
        self.check_invariants();
    }

    /// All viewers, each with a channel that it watches or has watched.
    pub fn viewers(&self) -> impl Iterator<Item = (&Viewer, &Channel)> {
        self.streams.iter().flat_map(|(&id, stream)| {
            self.crowd.of_stream(id).map(|(_, consumer)| (consumer.viewer(), &stream.key.channel))
        })
    }

    /// Whether every stream has had a segment since the pool began, or has failed.
    #[must_use]
    pub fn is_established(&self) -> bool {
        self.streams.values().all(|stream| stream.producer.state() != State::Starting)
    }

    /// Whether another process goes on with a stream. One that rests has no generation to follow.
    fn is_handed_over(&self, id: StreamId) -> bool {
        self.is_watched(id)
            || self.streams.get(&id).is_some_and(|stream| match stream.producer.state() {
                State::Starting | State::Live => true,
                State::Resting | State::BackingOff { .. } | State::Retiring(_) => false,
            })
    }
}

/// A stream whose next generation is about to start.
fn resumed(parts: StreamParts, producer: Producer) -> Stream {
    let StreamParts { key, begun, accounts, target, watched_at, legacy, is_pinned, held, .. } = parts;
    Stream {
        key,
        begun,
        producer,
        accounts: accounts.into_iter().collect(),
        target,
        grew_at: None,
        cut: BTreeSet::new(),
        watched_at,
        legacy,
        is_doubted: false,
        is_pinned,
        written: 0,
        held,
        encoded: false,
        pace: None,
        released: false,
        published: State::Starting,
    }
}
