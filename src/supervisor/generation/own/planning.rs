//! Plans the encoding of a channel's input: from the facts that it had when it was last open, then from those that it shows,
//! and again when they change.
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

/// How long a scrambled input may take to become clear: receivers that descramble begin with scrambled packets.
const DESCRAMBLING: Duration = Duration::from_secs(2);

/// Makes the plans of one generation.
pub(super) struct Planning<'a> {
    workshop: &'a Workshop,
    pub(super) stream: &'a Stream,
    pub(super) input: &'a OpenInput,
}

/// A plan, and the facts that it was made from.
pub(super) struct Planned {
    pub(super) plan: Plan,
    facts: Facts,
    /// Whether the input has not shown these facts yet.
    is_guess: bool,
}

/// The plan that the generation has tried before.
#[derive(Clone, Copy)]
pub(super) enum Before<'a> {
    /// None.
    Nothing,
    /// The plan was begun, and nothing was delivered.
    Begun(&'a Plan),
    /// The plan has delivered segments that viewers watch. It is kept where the server would only do better, with its audio
    /// track.
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

    /// The plan from the facts of the last time, if it takes an FFmpeg: that can start before the input has shown its facts.
    pub(super) fn remembered(&self) -> Option<Planned> {
        let facts = self.workshop.source_facts.of(&self.stream.channel.source)?;
        let plan = self.plan_for(&facts, Before::Nothing).ok()?;
        (self.takes_ffmpeg(&plan) && self.is_foreseeable(&plan)).then_some(Planned {
            plan,
            facts,
            is_guess: true,
        })
    }

    /// The plan from the facts that the input shows.
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
        match self.plan_when_known(&facts, before, deadline).await {
            Ok(plan) => Ok(Planned { plan, facts, is_guess: false }),
            Err(obstacle) => {
                let item = &self.stream.access.place.item;
                info!(%item, obstacle = obstacle.as_str(), ?facts, "the gateway cannot make this stream");
                Err(obstacle.failure())
            }
        }
    }

    /// The encoder that carries out `plan`; `None` if the plan needs no FFmpeg.
    pub(super) fn encoding(&self, plan: &Plan) -> Option<&'a Encoding> {
        self.workshop.encoding.as_ref().filter(|encoding| !encoding.copies(plan))
    }

    /// Whether an FFmpeg carries out `plan`.
    pub(super) fn takes_ffmpeg(&self, plan: &Plan) -> bool {
        self.encoding(plan).is_some()
    }

    /// Whether a plan that is being carried out stays valid when the source has `facts`.
    pub(super) fn holds(&self, planned: &Planned, facts: &Facts) -> bool {
        let codecs = |facts: &Facts| {
            let audio = facts.audio.get(planned.plan.audio_index);
            (facts.video.as_ref().map(|video| video.codec), audio.map(|audio| audio.codec))
        };
        let decodable = codecs(facts) == codecs(&planned.facts);
        match self.plan_for(facts, Before::Played(&planned.plan)) {
            // An FFmpeg decodes only the codecs that it was started for.
            Ok(other) => other == planned.plan && (decodable || !self.takes_ffmpeg(&other)),
            Err(obstacle) => decodable && is_tolerated(obstacle),
        }
    }

    /// Returns when the facts of the input require another plan than the one that an FFmpeg carries out.
    pub(super) async fn disproved(&self, planned: &Planned) {
        let feed = &self.input.feed;
        let Some(first) = feed.facts().await else { return pending().await };
        let is_right = || self.plan_for(&first, Before::Begun(&planned.plan)).as_ref() == Ok(&planned.plan);
        let is_begun = !planned.is_guess || is_right();
        if is_begun && feed.facts_when(|facts| !self.holds(planned, facts)).await.is_none() {
            pending().await
        }
    }

    /// The plan from `facts`, after waiting for the abilities of FFmpeg, which are tested at the gateway's start, and asking
    /// whether the server encodes in hardware, where either matters.
    async fn plan_when_known(
        &self,
        facts: &Facts,
        before: Before<'_>,
        deadline: Instant,
    ) -> Result<Plan, Obstacle> {
        let mut plan = self.plan_for(facts, before);
        if let (Err(Obstacle::EncoderMissing | Obstacle::DecoderMissing), Some(encoding)) =
            (&plan, &self.workshop.encoding)
        {
            let mut found = encoding.ffmpeg.found();
            if !matches!(timeout_at(deadline, found.wait_for(Option::is_some)).await, Ok(Ok(_))) {
                return Err(Obstacle::NotTried);
            }
            plan = self.plan_for(facts, before);
        }
        if plan.as_ref().is_ok_and(|plan| !self.is_foreseeable(plan)) {
            self.workshop.hardware.learn(&self.workshop.callers.about(&self.stream.access)).await;
            plan = self.plan_for(facts, before);
        }
        plan
    }

    /// Whether `plan` does not depend on an answer of the server's that is not known.
    fn is_foreseeable(&self, plan: &Plan) -> bool {
        let Self { workshop, stream, .. } = self;
        !plan.encodes_in_software() || stream.produce == Produce::Own || workshop.hardware.known().is_some()
    }

    /// The plan from `facts`, as the successor of the plan `before`, whose FFmpeg becomes free.
    fn plan_for(&self, facts: &Facts, before: Before<'_>) -> Result<Plan, Obstacle> {
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

/// Whether a stream that is watched goes on despite this obstacle.
const fn is_tolerated(obstacle: Obstacle) -> bool {
    match obstacle {
        // If the input stays scrambled, no segment is made, and the generation stalls.
        Obstacle::Scrambled
        | Obstacle::UnknownSource
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
