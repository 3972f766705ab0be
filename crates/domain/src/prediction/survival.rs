//! How long viewers stay on a channel: a hazard for each span of dwell, learned from all viewers.
//!
//! A dwell that ends by switching off says only that the viewer stayed so long. So the hazards are counted, as switches for each
//! second of dwelling at that age, and the survival follows from them (Nelson, Aalen).

/// The ages between which a hazard is constant: so many, evenly spread on a logarithmic scale from the first to the last.
const EDGES: usize = 26;
const FIRST: f64 = 1.0;
const LAST: f64 = 4.0 * 3600.0;
/// How many dwells the assumed law is worth, and what it is (docs/worth.md 2): a mixture of lognormal laws of surfing and of
/// viewing, each with its share, its median in seconds and its sigma.
const PRIOR: f64 = 60.0;
const PRIOR_LAWS: [(f64, f64, f64); 2] = [(0.7, 6.0, 0.8), (0.3, 318.0, 1.15)];
/// Dwells are forgotten so that no more than this many count: habits change, and sums stay small.
const REMEMBERED: f64 = 5000.0;

/// The law of dwells.
#[derive(Clone, Debug)]
pub(super) struct Survival {
    edges: [f64; EDGES],
    /// Switches and seconds of dwelling, from each edge to the next; from the last edge on in the last one.
    switches: [f64; EDGES],
    seconds: [f64; EDGES],
    /// Cumulated hazard at each edge, and the hazard from there on.
    cumulated: [f64; EDGES],
    hazards: [f64; EDGES],
    counted: f64,
}

impl Default for Survival {
    fn default() -> Self {
        let ratio = (LAST / FIRST).ln() / (EDGES - 1) as f64;
        let edges = std::array::from_fn(|at| if at == 0 { 0.0 } else { FIRST * (ratio * at as f64).exp() });
        let ends = |at: usize| edges.get(at + 1).copied().unwrap_or(4.0 * LAST);
        let span = |at: usize| (edges.get(at).copied().unwrap_or(LAST), ends(at));
        let switches = std::array::from_fn(|at| {
            let (from, to) = span(at);
            PRIOR * (assumed(from) - assumed(to))
        });
        let seconds = std::array::from_fn(|at| {
            let (from, to) = span(at);
            PRIOR * (assumed(from) + assumed(to)) / 2.0 * (to - from)
        });
        let zeros = [0.0; EDGES];
        let mut survival =
            Self { edges, switches, seconds, cumulated: zeros, hazards: zeros, counted: PRIOR };
        survival.settle();
        survival
    }
}

/// The assumed share of dwells that are longer. The normal law is taken as the logistic one, which differs by less than 0.01.
fn assumed(age: f64) -> f64 {
    let beyond = |(share, median, sigma): (f64, f64, f64)| {
        share / (1.0 + (1.702 * (age.max(1e-3) / median).ln() / sigma).exp())
    };
    PRIOR_LAWS.into_iter().map(beyond).sum()
}

impl Survival {
    /// A dwell was `age` seconds long; it ended with another channel, or else nobody knows how much longer it would have been.
    pub(super) fn ended(&mut self, age: f64, switched: bool) {
        self.counted += 1.0;
        let kept = (REMEMBERED / self.counted).min(1.0);
        self.counted *= kept;
        let last = self.place(age);
        let ends: Vec<_> = self.edges.iter().skip(1).copied().chain([f64::INFINITY]).collect();
        let spans = self.edges.iter().zip(ends).zip(self.switches.iter_mut().zip(&mut self.seconds));
        for (at, ((&from, to), (switches, seconds))) in spans.enumerate() {
            *switches = *switches * kept + f64::from(switched && at == last);
            *seconds = *seconds * kept + (age.min(to) - from).max(0.0);
        }
        self.settle();
    }

    /// The probability that a viewer who has stayed for `age` seconds goes elsewhere within `span` more.
    pub(super) fn leaves_within(&self, age: f64, span: f64) -> f64 {
        1.0 - (self.cumulated(age) - self.cumulated(age + span)).exp()
    }

    /// The cumulated hazard up to an age in seconds.
    fn cumulated(&self, age: f64) -> f64 {
        let at = self.place(age);
        let (edge, sum, hazard) = (self.edges.get(at), self.cumulated.get(at), self.hazards.get(at));
        let (Some(edge), Some(sum), Some(hazard)) = (edge, sum, hazard) else { return 0.0 };
        sum + hazard * (age - edge)
    }

    fn place(&self, age: f64) -> usize {
        self.edges.partition_point(|&edge| edge <= age).saturating_sub(1)
    }

    fn settle(&mut self) {
        for (hazard, (switches, seconds)) in
            self.hazards.iter_mut().zip(self.switches.iter().zip(&self.seconds))
        {
            *hazard = switches / seconds.max(1e-9);
        }
        let (mut sum, mut before) = (0.0, 0.0);
        let spans = self.edges.iter().zip(&self.hazards).zip(&mut self.cumulated);
        let mut earlier = 0.0;
        for ((&edge, &hazard), cumulated) in spans {
            sum += earlier * (edge - before);
            *cumulated = sum;
            (earlier, before) = (hazard, edge);
        }
    }
}
