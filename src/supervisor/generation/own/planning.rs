//! What is made of a channel's input: by what it carried when it was last open, by what it shows that it carries, and until
//! it shows that it carries something else.
//!
//! It does not know how a plan is carried out.

use std::future::pending;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};
use tracing::info;

use crate::supervisor::generation::own::workshop::{Encoding, Workshop};
use crate::supervisor::inputs::open_input::OpenInput;
use crate::supervisor::stream::Stream;
use domain::encoding::plan::{Plan, Tolerance, plan, replan};
use domain::mpegts::facts::Facts;
use domain::produce::Produce;
use domain::reason::{Failure, Obstacle};

/// Receivers that descramble begin with a moment of what is still scrambled.
const DESCRAMBLING: Duration = Duration::from_secs(2);

/// See the module.
pub(super) struct Planning<'a> {
    workshop: &'a Workshop,
    pub(super) stream: &'a Stream,
    pub(super) input: &'a OpenInput,
}

/// A plan, and what of a source it was made for.
pub(super) struct Planned {
    pub(super) plan: Plan,
    facts: Facts,
    /// Whether it has yet to be seen that the source carries that.
    is_guess: bool,
}

/// What was made until now.
#[derive(Clone, Copy)]
pub(super) enum Before<'a> {
    /// Nothing.
    Nothing,
    /// This was begun, and nothing has come of it.
    Begun(&'a Plan),
    /// This, and it is watched: what the server would only do better is no reason to end it, and its sound goes on.
    Played(&'a Plan),
}

impl<'a> Before<'a> {
    const fn plan(self) -> Option<&'a Plan> {
        match self {
            Self::Nothing => None,
            Self::Begun(plan) | Self::Played(plan) => Some(plan),
        }
    }
}

impl<'a> Planning<'a> {
    pub(super) const fn new(workshop: &'a Workshop, stream: &'a Stream, input: &'a OpenInput) -> Self {
        Self { workshop, stream, input }
    }

    /// By what the channel carried when it was last open, if that takes an FFmpeg: it can be started before the input has shown
    /// what it carries.
    pub(super) fn remembered(&self) -> Option<Planned> {
        let facts = self.workshop.source_facts.of(&self.stream.channel.source)?;
        let plan = self.made_of(&facts, Before::Nothing).ok()?;
        (self.takes_ffmpeg(&plan) && self.is_foreseeable(&plan)).then_some(Planned {
            plan,
            facts,
            is_guess: true,
        })
    }

    /// By what the input shows that it carries.
    pub(super) async fn shown(&self, before: Before<'_>, deadline: Instant) -> Result<Planned, Failure> {
        let feed = &self.input.feed;
        let mut facts = feed.facts().await.ok_or_else(|| self.input.failure())?;
        if facts.is_scrambled()
            && let Ok(Some(clear)) =
                timeout(DESCRAMBLING, feed.facts_when(|facts| !facts.is_scrambled())).await
        {
            facts = clear;
        }
        self.workshop.source_facts.note(&self.stream.channel.source, &facts);
        match self.made_at_last(&facts, before, deadline).await {
            Ok(plan) => Ok(Planned { plan, facts, is_guess: false }),
            Err(obstacle) => {
                info!(obstacle = obstacle.as_str(), ?facts, "left to the server");
                Err(obstacle.failure())
            }
        }
    }

    /// With what `plan` is carried out, if that takes an FFmpeg.
    pub(super) fn encoding(&self, plan: &Plan) -> Option<&'a Encoding> {
        self.workshop.encoding.as_ref().filter(|encoding| !encoding.copies(plan))
    }

    /// Whether `plan` is carried out by an FFmpeg.
    pub(super) fn takes_ffmpeg(&self, plan: &Plan) -> bool {
        self.encoding(plan).is_some()
    }

    /// Whether what is carried out goes on when the source carries `facts`.
    pub(super) fn holds(&self, planned: &Planned, facts: &Facts) -> bool {
        let codecs = |facts: &Facts| {
            let sound = facts.audio.get(planned.plan.audio_index);
            (facts.video.as_ref().map(|video| video.codec), sound.map(|audio| audio.codec))
        };
        let decodable = codecs(facts) == codecs(&planned.facts);
        match self.made_of(facts, Before::Played(&planned.plan)) {
            // An FFmpeg decodes what it was begun for, and nothing else.
            Ok(other) => other == planned.plan && (decodable || !self.takes_ffmpeg(&other)),
            Err(obstacle) => decodable && is_borne(obstacle),
        }
    }

    /// Returns when the input shows that what an FFmpeg carries out is not what is to be made of it.
    pub(super) async fn disproved(&self, planned: &Planned) {
        let feed = &self.input.feed;
        let Some(first) = feed.facts().await else { return pending().await };
        let is_right = || self.made_of(&first, Before::Begun(&planned.plan)).as_ref() == Ok(&planned.plan);
        let is_begun = !planned.is_guess || is_right();
        if is_begun && feed.facts_when(|facts| !self.holds(planned, facts)).await.is_none() {
            pending().await
        }
    }

    /// What is made of `facts`, once all is known that it takes: how the server would encode it; and, at the gateway's start,
    /// what FFmpeg can do before it is said to be able to do nothing.
    async fn made_at_last(
        &self,
        facts: &Facts,
        before: Before<'_>,
        deadline: Instant,
    ) -> Result<Plan, Obstacle> {
        let mut plan = self.made_of(facts, before);
        if let (Err(Obstacle::EncoderMissing | Obstacle::DecoderMissing), Some(encoding)) =
            (&plan, &self.workshop.encoding)
        {
            let mut found = encoding.ffmpeg.found();
            if !matches!(timeout_at(deadline, found.wait_for(Option::is_some)).await, Ok(Ok(_))) {
                return Err(Obstacle::NotTried);
            }
            plan = self.made_of(facts, before);
        }
        if plan.as_ref().is_ok_and(|plan| !self.is_foreseeable(plan)) {
            self.workshop.hardware.learn(&self.workshop.callers.about(&self.stream.access)).await;
            plan = self.made_of(facts, before);
        }
        plan
    }

    /// Whether all that bears on `plan` is known, and not only what the source carries.
    fn is_foreseeable(&self, plan: &Plan) -> bool {
        let Self { workshop, stream, .. } = self;
        !plan.encodes_in_software() || stream.produce == Produce::Own || workshop.hardware.known().is_some()
    }

    /// What is made of `facts`, in the place of what was made `before`.
    fn made_of(&self, facts: &Facts, before: Before<'_>) -> Result<Plan, Obstacle> {
        let Self { workshop, stream, .. } = self;
        let demand = stream.demand.as_ref().ok_or(Obstacle::UnreadableWish)?;
        let mut abilities =
            workshop.encoding.as_ref().map(|encoding| encoding.ffmpeg.abilities()).unwrap_or_default();
        let leaves = usize::from(before.plan().is_some_and(|before| self.takes_ffmpeg(before)));
        abilities.processes_left += leaves;
        abilities.encodes_left += leaves;
        abilities.server_hardware = workshop.hardware.known().unwrap_or(false);
        let tolerance = match stream.produce {
            Produce::Auto | Produce::Adopt => Tolerance::NONE,
            Produce::Own => Tolerance::FORCED,
        };
        let plan = match before {
            Before::Nothing | Before::Begun(_) => plan(demand, facts, &abilities, tolerance),
            Before::Played(before) => replan(demand, facts, &abilities, before),
        }?;
        if !plan.is_copy() && workshop.encoding.is_none() { Err(Obstacle::EncoderMissing) } else { Ok(plan) }
    }
}

/// Whether what meets this obstacle in mid-stream goes on all the same.
const fn is_borne(obstacle: Obstacle) -> bool {
    match obstacle {
        // If it is not clear again in a moment, nothing comes of it, and that is noticed.
        Obstacle::Scrambled
        | Obstacle::UnknownSource
        | Obstacle::Interlaced
        | Obstacle::HighDynamicRange
        | Obstacle::BurntInSubtitles
        | Obstacle::ServerHardware => true,
        Obstacle::UnreadableWish
        | Obstacle::NothingToPlay
        | Obstacle::DecoderMissing
        | Obstacle::EncoderMissing
        | Obstacle::NotTried
        | Obstacle::ProcessesTaken
        | Obstacle::EncodesTaken => false,
    }
}
