//! What streams and inputs may take: memory and disk, of 1000 bytes each.

use super::*;

const IDLE: u64 = 30_000;

impl Bench {
    /// A stream of the gateway's own.
    fn own(&mut self, channel: u8, number: u8, now: Timestamp) -> StreamId {
        self.tokens += 1;
        let fresh = ConsumerId::from_bits(self.tokens);
        let (key, viewer) = (key(channel), viewer(number));
        let tune = Tune { key, viewer, class: Class::Web, produce: Produce::Auto, fresh };
        match self.pool.tune(tune, now) {
            Admission::Serve { stream, .. } => stream,
            Admission::Refused(reason) => panic!("refused: {}", reason.as_str()),
        }
    }

    /// What is done when these inputs are open.
    fn told(&mut self, inputs: &[Input], now: Timestamp) -> Vec<Action> {
        self.actions();
        self.pool.handle_event(Event::Inputs(inputs.to_vec()), now);
        self.actions()
    }
}

fn input(id: u64, streams: &[StreamId], claim: Claim, held: u64, written: u64) -> Input {
    Input { id: InputId(id), streams: streams.to_vec(), claim, held, written }
}

fn stopped(stream: StreamId, reason: StopReason) -> Action {
    Action::Stop { stream, reason }
}

const fn closed(input: u64, reason: StopReason) -> Action {
    Action::Close { input: InputId(input), reason }
}

#[test]
fn an_input_is_on_the_disk_once_however_much_is_made_of_it() {
    let mut bench = Bench::new(OWN);
    let streams = [bench.own(1, 1, at(0)), bench.own(2, 2, at(0))];
    let tap = |written| [input(1, &streams, Claim::Nobody, 0, written)];
    assert_eq!(bench.told(&tap(1001), at(1)), [], "they are watched");
    assert_eq!(bench.told(&tap(1000), at(2)), []);
    bench.pool.handle_timeout(at(IDLE));
    assert_eq!(bench.pool.running(), streams);
    let all = streams.map(|stream| stopped(stream, StopReason::DiskBudget));
    assert_eq!(bench.told(&tap(1001), at(IDLE)), all);
    assert_eq!(bench.told(&tap(1002), at(IDLE)), [], "it is being closed");
}

#[test]
fn an_input_grows_while_its_stream_rests_and_while_somebody_is_expected() {
    let mut bench = Bench::new(OWN);
    let stream = bench.deserted(true);
    bench.pool.handle_timeout(at(121_000));
    assert_eq!(bench.view(stream).state, State::Resting);
    let resting = input(1, &[stream], Claim::Nobody, 0, 600);
    assert_eq!(bench.told(std::slice::from_ref(&resting), at(122_000)), []);
    let expected = input(2, &[], Claim::Expected, 0, 401);
    assert_eq!(
        bench.told(&[resting, expected.clone()], at(123_000)),
        [stopped(stream, StopReason::DiskBudget)]
    );
    let more = Input { written: 1001, ..expected };
    assert_eq!(bench.told(&[more], at(124_000)), [closed(2, StopReason::DiskBudget)]);
}

#[test]
fn what_is_adopted_and_what_is_tapped_are_on_one_disk() {
    let mut bench = Bench::new(LIMITS);
    let (adopted, ..) = bench.serve(1, 1, at(0));
    let own = bench.own(2, 2, at(0));
    bench.segment(adopted, 251, at(0));
    bench.pool.handle_timeout(at(IDLE));
    assert_eq!(bench.told(&[input(1, &[own], Claim::Nobody, 0, 498)], at(IDLE)), []);
    let larger = input(1, &[own], Claim::Nobody, 0, 503);
    assert_eq!(
        bench.told(&[larger], at(IDLE)),
        [stopped(own, StopReason::DiskBudget)],
        "the larger one goes"
    );
    let closing = input(1, &[own], Claim::Nobody, 0, 499);
    assert_eq!(bench.told(&[closing], at(IDLE)), [], "what is being closed counts no more");
    assert_eq!(bench.pool.running(), [adopted]);
}

#[test]
fn who_reads_an_input_keeps_it() {
    let mut bench = Bench::new(OWN);
    let idle = bench.deserted(false);
    let read = |held, written| [input(1, &[idle], Claim::Read, held, written)];
    assert_eq!(bench.told(&read(0, 5000), at(2000)), []);
    assert_eq!(
        bench.told(&read(5000, 0), at(2000)),
        [stopped(idle, StopReason::Memory)],
        "not what is made of it"
    );
    assert_eq!(bench.told(&read(5000, 0), at(2000)), []);
}

#[test]
fn inputs_are_part_of_the_memory_and_what_is_missed_least_goes_first() {
    let mut bench = Bench::new(Limits { slots: 3, ..OWN });
    let idle = bench.deserted(false);
    let (watched, ..) = bench.serve(2, 2, at(IDLE));
    bench.segment(watched, 100, at(IDLE));
    let left = input(1, &[], Claim::Left, 300, 0);
    let made = input(2, &[idle], Claim::Nobody, 300, 0);
    let expected = |id| input(id, &[], Claim::Expected, 100, 0);
    let used = |held| input(5, &[watched], Claim::Nobody, held, 0);
    let mut open = vec![left, made, expected(3), expected(4), used(99)];
    assert_eq!(bench.told(&open, at(IDLE)), [], "1000 bytes, a segment of each stream's among them");
    open[4] = used(100);
    assert_eq!(bench.told(&open, at(IDLE)), [closed(1, StopReason::Memory)]);
    open.remove(0);
    open[3] = used(401);
    assert_eq!(bench.told(&open, at(IDLE)), [stopped(idle, StopReason::Memory)]);
    open.remove(0);
    open[2] = used(750);
    assert_eq!(bench.told(&open, at(IDLE)), [closed(3, StopReason::Memory)], "the older one");
    let shed = [closed(4, StopReason::Memory), Action::Shed(watched)];
    assert_eq!(bench.told(&[expected(4), used(901)], at(IDLE)), shed);
    assert_eq!(bench.tune(3, 3, at(IDLE)), Admission::Refused(RefuseReason::MemoryFull));
}
