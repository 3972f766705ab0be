//! Tries what goes when a watched stream falls behind the clock.

use super::*;

const ROOMY: Limits = Limits { slots: 8, disk_budget: u64::MAX, memory: u64::MAX, ..LIMITS };
/// The length of each segment.
const SEGMENT: u64 = 3000;

/// A household: channels 1 and 2 were watched and encode for nobody, channel 9 is watched.
struct Household {
    bench: Bench,
    idle: [StreamId; 2],
    watched: StreamId,
}

impl Household {
    /// The method makes the streams that encode for nobody.
    fn new(method: ProductionMethod) -> Self {
        let mut bench = Bench::new(ROOMY);
        let produce = match method {
            ProductionMethod::Own => Produce::Own,
            ProductionMethod::Adopted => Produce::Adopt,
        };
        let idle = [1, 2].map(|channel| {
            let (stream, consumer) = bench.watches(channel, produce, at(0));
            bench.delivers(stream, true, at(0));
            if method == ProductionMethod::Own {
                bench.pool.join_input(stream, &tap(channel), at(0)).unwrap();
            }
            bench.pool.leave(vec![(consumer, LeaveReason::Zapped)], at(1000 + u64::from(channel)));
            stream
        });
        let (watched, _) = bench.watches(9, Produce::Adopt, at(2000));
        bench.delivers(watched, false, at(2000));
        bench.actions();
        Self { bench, idle, watched }
    }

    /// The watched stream has another segment.
    fn delivers(&mut self, now: Timestamp) {
        self.bench.delivers(self.watched, false, now);
    }

    /// Whether time that passes has the CPU measured.
    fn asks(&mut self, now: Timestamp) -> bool {
        self.bench.pool.handle_timeout(now);
        assert!(self.bench.pool.next_deadline().is_none_or(|deadline| deadline > now));
        match self.bench.actions()[..] {
            [] => false,
            [Action::MeasureCpu] => true,
            ref other => panic!("{other:?}"),
        }
    }

    /// What is done when this share of the CPU time was idle.
    fn measured(&mut self, idle: Option<f64>, now: Timestamp) -> Vec<Action> {
        self.bench.pool.handle_event(Event::CpuMeasured(idle), now);
        self.bench.actions()
    }
}

impl Bench {
    fn watches(&mut self, channel: u8, produce: Produce, now: Timestamp) -> (StreamId, ConsumerId) {
        self.tokens += 1;
        let fresh = ConsumerId::from_bits(self.tokens);
        let tune = web_tune(key(channel), viewer(channel), produce, fresh);
        match self.pool.tune(tune, now) {
            Admission::Serve { stream, consumer, .. } => (stream, consumer),
            Admission::Refused(reason) => panic!("{reason:?}"),
        }
    }

    fn delivers(&mut self, stream: StreamId, encoded: bool, now: Timestamp) {
        let generation = self.view(stream).generation;
        let duration = Duration::from_millis(SEGMENT);
        let output = Output { target: Duration::from_secs(4), duration, written: 0, held: 1, encoded };
        self.pool.handle_event(Event::SegmentReady { stream, generation, output }, now);
    }
}

const BUSY: Option<f64> = Some(0.02);

#[test]
fn a_stream_that_keeps_up_costs_nobody_anything() {
    let mut home = Household::new(ProductionMethod::Adopted);
    // A list that begins with what the source had, then a segment every three seconds, each at most a second late.
    for now in [2000, 2100, 2200] {
        home.delivers(at(now));
    }
    for segment in 1..20 {
        let due = 2200 + segment * SEGMENT;
        assert!(!home.asks(at(due)));
        let now = due + segment % 2 * 1000;
        assert!(!home.asks(at(now)));
        home.delivers(at(now));
    }
    let stops = home.bench.snapshot().tally.stopped;
    assert!(stops.is_empty(), "{stops:?}");
}

#[test]
fn idle_encodings_go_one_by_one_while_a_watched_stream_is_behind() {
    let mut home = Household::new(ProductionMethod::Adopted);
    assert!(!home.asks(at(6499)));
    assert!(home.asks(at(6500)), "no segment for a whole target duration");
    assert!(!home.asks(at(6600)), "it is asked once");
    let reason = StopReason::Pressure;
    assert_eq!(home.measured(BUSY, at(7000)), [Action::Stop { stream: home.idle[0], reason }]);
    assert!(!home.asks(at(11_499)), "what went may be enough");
    assert!(home.asks(at(11_500)));
    assert_eq!(home.measured(BUSY, at(12_000)), [Action::Stop { stream: home.idle[1], reason }]);
    assert!(!home.asks(at(60_000)), "nothing is left to go");
    assert_eq!(home.bench.snapshot().tally.stopped, [(reason, 2)].into());
}

/// It makes nine seconds in ten.
#[test]
fn falling_behind_slowly_is_falling_behind() {
    let mut home = Household::new(ProductionMethod::Adopted);
    let mut now = 2000;
    let asked = (1..30).find(|_| {
        now += SEGMENT * 10 / 9;
        let asks = home.asks(at(now));
        home.delivers(at(now));
        asks
    });
    assert_eq!(asked, Some(5), "1.5 s are lost");
}

#[test]
fn a_source_that_stalls_costs_nothing_while_the_cpu_is_idle() {
    let mut home = Household::new(ProductionMethod::Adopted);
    for now in [6500, 11_500, 16_500] {
        assert!(home.asks(at(now)));
        assert_eq!(home.measured(Some(0.4), at(now + 500)), []);
    }
    // Nor does one that has failed.
    let failed = Event::Failed { stream: home.watched, generation: 1, failure: Failure::Stalled };
    home.bench.pool.handle_event(failed, at(18_000));
    home.bench.actions();
    assert_eq!(home.measured(BUSY, at(18_500)), []);
}

#[test]
fn what_cannot_be_measured_counts_as_short() {
    let mut home = Household::new(ProductionMethod::Adopted);
    assert!(home.asks(at(6500)));
    assert_eq!(home.measured(None, at(7000)).len(), 1);
}

#[test]
fn a_stream_that_has_caught_up_meanwhile_costs_nothing() {
    let mut home = Household::new(ProductionMethod::Adopted);
    assert!(home.asks(at(6500)));
    home.delivers(at(6600));
    assert_eq!(home.measured(BUSY, at(7000)), []);
}

/// The gateway's own idle stream keeps its input, which costs no CPU time.
#[test]
fn an_own_encoding_goes_and_its_input_stays() {
    let mut home = Household::new(ProductionMethod::Own);
    assert!(home.asks(at(6500)));
    let reason = StopReason::Pressure;
    assert_eq!(home.measured(BUSY, at(7000)), [Action::Rest { stream: home.idle[0], reason }]);
    assert_eq!(home.bench.snapshot().tally.rested, [(reason, 1)].into());
    assert!(home.asks(at(11_500)));
    assert_eq!(home.measured(BUSY, at(12_000)), [Action::Rest { stream: home.idle[1], reason }]);
    assert!(!home.asks(at(60_000)), "what rests costs nothing");
}

/// Whoever is watched, even while it only encodes, is never the one that goes; nor does a copy help.
#[test]
fn only_what_encodes_for_nobody_goes() {
    let mut home = Household::new(ProductionMethod::Adopted);
    for (number, &stream) in home.idle.clone().iter().enumerate() {
        match number {
            0 => home.bench.delivers(stream, false, at(2000)),
            _ => drop(home.bench.watches(2, Produce::Adopt, at(2000))),
        }
    }
    home.bench.actions();
    assert!(!home.asks(at(60_000)));
}

/// A stream of the server's that encodes ends as one of the gateway's does.
#[test]
fn an_adopted_encoding_stays_warm_no_longer_than_an_own_one() {
    for encoded in [true, false] {
        let mut bench = Bench::new(ROOMY);
        let (stream, consumer) = bench.watches(1, Produce::Adopt, at(0));
        bench.delivers(stream, encoded, at(0));
        bench.pool.leave(vec![(consumer, LeaveReason::Zapped)], at(1000));
        bench.actions();
        let until = if encoded { 121_000 } else { 601_000 };
        assert_eq!(bench.pool.next_deadline(), Some(at(until)));
        bench.pool.handle_timeout(at(until));
        assert_eq!(bench.actions(), [Action::Stop { stream, reason: StopReason::Idle }]);
    }
}
