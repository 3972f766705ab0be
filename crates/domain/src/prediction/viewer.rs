//! What is known of one viewer: its habits, and its outlook from where it is.

use std::time::Duration;

use crate::prediction::arrival::Arrival;
use crate::prediction::arrivals::Arrivals;
use crate::prediction::expert::{Expert, PerExpert};
use crate::prediction::fading::FadingCounts;
use crate::prediction::key::ChannelKey;
use crate::prediction::order::ChannelOrder;
use crate::prediction::outlook::{LOOK_AHEAD, Outlook, Run, Shares};
use crate::prediction::pairs::Pairs;
use crate::prediction::recency::Recency;
use crate::prediction::steps::Steps;
use crate::prediction::switch::Switch;
use crate::prediction::weights::{Context, Weights};
use crate::time::Timestamp;

const DAY: f64 = 86_400.0;
/// The half-lives of what is watched often, and of what is watched at a time of the day, in seconds.
const FREQUENT: f64 = 7.0 * DAY;
const DAYPART: f64 = 14.0 * DAY;
/// The most channels of either.
const CHANNELS: usize = 64;
/// The number of dayparts, and the hours of each.
const DAYPARTS: usize = 6;
const DAYPART_HOURS: u8 = 4;
/// A viewer who has been on a channel for less than this is surfing, and views it from then on.
pub(super) const SURFING: Duration = Duration::from_secs(60);

/// Where a viewer is.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) channel: ChannelKey,
    pub(super) since: Timestamp,
    pub(super) came_by: Arrival,
    shares: Shares,
    surfing: Outlook,
    viewing: Outlook,
}

impl Place {
    /// The outlook of a viewer who has been here for `age` seconds.
    pub(super) const fn outlook(&self, age: f64) -> &Outlook {
        if age < SURFING.as_secs_f64() { &self.surfing } else { &self.viewing }
    }

    const fn context(&self, age: f64) -> Context {
        Context { is_linear: self.came_by.direction().is_some(), is_surfing: age < SURFING.as_secs_f64() }
    }

    /// What the experts had said, for the viewer who goes to `next` after `age` seconds.
    fn outcome(&self, next: ChannelKey, age: f64) -> Outcome {
        Outcome { context: self.context(age), probabilities: self.shares.get(next) }
    }
}

/// What the experts had said of the channel to which a viewer then went.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    pub(super) context: Context,
    pub(super) probabilities: PerExpert,
}

/// One viewer.
#[derive(Clone, Debug)]
pub(super) struct Viewer {
    /// `None` while it is off.
    pub(super) place: Option<Place>,
    /// The channel that it was on when it switched off, and when that was.
    pub(super) left: Option<(ChannelKey, Timestamp)>,
    pub(super) seen_at: Timestamp,
    weights: Weights,
    steps: Steps,
    /// The channels that it was on, and those of them that it viewed.
    recent: Recency,
    viewed: Recency,
    pairs: Pairs,
    frequent: FadingCounts,
    dayparts: [FadingCounts; DAYPARTS],
    arrivals: Arrivals,
}

impl Viewer {
    pub(super) fn new(pooled: &Weights, now: Timestamp) -> Self {
        Self {
            place: None,
            left: None,
            seen_at: now,
            weights: Weights::of_newcomer(pooled),
            steps: Steps::default(),
            recent: Recency::default(),
            viewed: Recency::default(),
            pairs: Pairs::default(),
            frequent: FadingCounts::new(FREQUENT, CHANNELS),
            dayparts: std::array::from_fn(|_| FadingCounts::new(DAYPART, CHANNELS)),
            arrivals: Arrivals::new(now),
        }
    }

    /// The viewer tunes to a channel. Returns what the experts had said if it was on another one, and how it came.
    pub(super) fn tuned(
        &mut self,
        channel: ChannelKey,
        everybody: &Everybody<'_>,
        hour: u8,
        now: Timestamp,
    ) -> (Option<Outcome>, Switch) {
        self.seen_at = now;
        let before = self.place.take();
        let (mut came_by, mut switch) = (Arrival::First, Switch::On);
        let outcome = before.map(|before| {
            let age = now.since(before.since).as_secs_f64();
            let outcome = before.outcome(channel, age);
            self.weights.learn(outcome.context, &outcome.probabilities);
            self.pairs.followed(before.channel, channel);
            let last = self.recent.returns(before.channel).next().map(|(last, _)| last);
            self.recent.went(before.channel, channel);
            self.viewed.went(before.channel, channel);
            if age >= SURFING.as_secs_f64() {
                self.viewed.was_on(before.channel);
                if before.came_by.direction().is_some() {
                    self.likes(before.channel, hour, now);
                }
            }
            let direction = everybody.order.direction(before.channel, channel);
            came_by = direction.map_or(Arrival::Choice, Arrival::Step);
            let chosen = if last == Some(channel) { Switch::Back } else { Switch::Choice };
            switch = direction.map_or(chosen, Switch::step);
            if let Some(direction) = direction {
                self.steps.made(direction, before.came_by.direction());
            }
            outcome
        });
        if outcome.is_none() {
            self.arrivals.arrived(channel, hour, now);
        }
        self.recent.was_on(channel);
        // What is passed by in steps is not liked for it.
        if came_by.direction().is_none() {
            self.likes(channel, hour, now);
        }
        self.place = Some(self.look_around(channel, came_by, everybody, hour, now));
        (outcome, switch)
    }

    /// The viewer has chosen a channel, or stayed where it came to by a step.
    fn likes(&mut self, channel: ChannelKey, hour: u8, now: Timestamp) {
        self.frequent.add(channel, now);
        if let Some(daypart) = self.dayparts.get_mut(daypart(hour)) {
            daypart.add(channel, now);
        }
    }

    fn look_around(
        &self,
        channel: ChannelKey,
        came_by: Arrival,
        everybody: &Everybody<'_>,
        hour: u8,
        now: Timestamp,
    ) -> Place {
        let order = everybody.order;
        let directions = self.steps.directions(came_by.direction());
        let step = |(direction, share)| Some((order.ahead(channel, direction, 1)?, share));
        let linear = |is_linear, is_surfing| {
            let [linear, ..] = self.weights.get(Context { is_linear, is_surfing });
            linear
        };
        let goes_on = linear(true, true) * self.steps.goes_on();
        let runs = directions.map(|(direction, share)| Run { direction, share, goes_on });
        let ahead = directions.iter().flat_map(|&(direction, _)| {
            LOOK_AHEAD.filter_map(move |steps| order.ahead(channel, direction, steps))
        });
        let by = |expert: Expert| move |(channel, share): (ChannelKey, f64)| (channel, expert, share);
        let mut said: Vec<_> = directions.into_iter().filter_map(step).map(by(Expert::Linear)).collect();
        // They are listed so that what lies ahead has an outlook of its own.
        said.extend(ahead.map(|channel| (channel, Expert::Linear, 0.0)));
        said.extend(self.recent.returns(channel).map(by(Expert::Recent)));
        said.extend(self.viewed.returns(channel).map(by(Expert::Viewed)));
        said.extend(self.pairs.successors(channel).map(by(Expert::Successor)));
        said.extend(self.frequent.others(channel).map(by(Expert::Frequent)));
        let daypart = self.dayparts.get(daypart(hour)).into_iter();
        said.extend(daypart.flat_map(|counts| counts.others(channel)).map(by(Expert::Daypart)));
        said.extend(everybody.popular.others(channel).map(by(Expert::Popular)));
        said.retain(|&(other, _, _)| other != channel);
        let shares = Shares::new(said, everybody.elsewhere());
        let outlook = |is_surfing| {
            let weights = self.weights.get(Context { is_linear: came_by.direction().is_some(), is_surfing });
            Outlook::new(&shares, &weights, order, channel, &runs)
        };
        let (surfing, viewing) = (outlook(true), outlook(false));
        Place { channel, since: now, came_by, shares, surfing, viewing }
    }

    /// Arrivals a second at this hour, of a viewer who is off.
    pub(super) fn arrival_rate(&self, hour: u8, now: Timestamp) -> f64 {
        self.arrivals.rate(hour, now)
    }

    /// The probability that a viewer who switches on at this hour begins with this channel.
    pub(super) fn begins_with(&self, channel: ChannelKey, hour: u8) -> f64 {
        (self.arrivals.share(channel, hour) + self.frequent.share(channel)) / 2.0
    }
}

fn daypart(hour: u8) -> usize {
    usize::from(hour / DAYPART_HOURS) % DAYPARTS
}

/// What is known beside a single viewer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Everybody<'a> {
    pub(super) order: &'a ChannelOrder,
    pub(super) popular: &'a FadingCounts,
}

impl Everybody<'_> {
    /// The share of a channel that nobody has watched lately: half of what it were if all channels were alike.
    fn elsewhere(&self) -> f64 {
        0.5 / self.popular.len().max(self.order.len()).max(1) as f64
    }
}
