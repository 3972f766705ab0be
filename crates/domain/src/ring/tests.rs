//! The ring, with literal times, and runs whose bytes say where they are.

use proptest::prelude::*;

use super::*;

const SECOND: Ticks = 90_000;
const TABLES: Bytes = Bytes::from_static(b"tables");

fn ring(seconds: u64, bytes: u64) -> Ring {
    Ring::new(Size { span: Duration::from_secs(seconds), bytes })
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// A chunk of the first timeline.
fn chunk(text: &str) -> Chunk {
    Chunk { bytes: bytes(text), splice: false, timeline: 0 }
}

/// A ring of 12 s that got one run per second of the stream, all at once; `|` marks a random access point.
fn of(runs: &str) -> Ring {
    let mut ring = ring(12, 1 << 20);
    for (second, run) in runs.split(' ').enumerate() {
        let start = ring.end();
        ring.push(
            run.trim_start_matches('|').as_bytes(),
            false,
            Some(second as Ticks * SECOND),
            Timestamp::default(),
        );
        if run.starts_with('|') {
            ring.mark(start, TABLES);
        }
    }
    ring
}

/// Everything that a reader at `join` reads.
fn read(ring: &Ring, join: Join) -> Option<String> {
    let mut cursor = ring.join(join)?;
    let mut all = String::new();
    while let Read::Chunk(chunk) = ring.read(&mut cursor) {
        all.push_str(std::str::from_utf8(&chunk.bytes).unwrap());
    }
    Some(all)
}

/// How many bytes can be read at once.
fn read_bytes(ring: &Ring) -> usize {
    let mut cursor = Cursor { at: ring.runs[0].start, tables: None };
    let mut all = 0;
    while let Read::Chunk(chunk) = ring.read(&mut cursor) {
        all += chunk.bytes.len();
    }
    all
}

const fn burst(seconds: u64) -> Join {
    Join::Burst(Duration::from_secs(seconds))
}

#[test]
fn readers_begin_with_tables_at_the_newest_point_that_leaves_a_burst() {
    let ring = of("|a b |c d e |f g");
    assert_eq!(read(&ring, burst(0)).unwrap(), "tablesfg");
    assert_eq!(read(&ring, burst(1)).unwrap(), "tablesfg");
    assert_eq!(read(&ring, burst(2)).unwrap(), "tablescdefg");
    assert_eq!(read(&ring, burst(4)).unwrap(), "tablescdefg");
    assert_eq!(read(&ring, burst(5)).unwrap(), "tablesabcdefg");
    assert_eq!(read(&ring, burst(60)).unwrap(), "tablesabcdefg", "else at the oldest");
    assert_eq!(read(&ring, Join::Oldest).unwrap(), "tablesabcdefg");
}

#[test]
fn a_point_may_lie_within_a_run_or_an_earlier_one() {
    let mut ring = of("abcd efgh");
    ring.mark(2, TABLES);
    ring.mark(6, Bytes::new());
    ring.mark(5, TABLES);
    assert_eq!(read(&ring, Join::Oldest).unwrap(), "tablescdefgh");
    assert_eq!(read(&ring, burst(0)).unwrap(), "gh", "points come in order");
}

#[test]
fn readers_wait_for_a_point_but_not_for_ever() {
    assert_eq!(read(&of("a b c d e"), burst(0)), None);
    assert_eq!(read(&of("a b c d e f"), burst(0)).unwrap(), "abcdef");
    let mut short = ring(12, 300);
    short.push(b"abc", false, None, Timestamp::default());
    assert_eq!(read(&short, Join::Oldest), None);
    short.push(b"def", false, None, Timestamp::default());
    assert_eq!(read(&short, Join::Oldest).unwrap(), "abcdef", "half of it is full");
}

#[test]
fn the_oldest_goes_with_its_points_when_the_span_is_reached() {
    let ring = of("|a b |c d e f g h i j k l m n");
    assert_eq!(ring.span(), Duration::from_secs(12));
    assert_eq!(read(&ring, Join::Oldest).unwrap(), "tablescdefghijklmn");
    assert_eq!(ring.held(), 13 * (1 + OVERHEAD) + TABLES.len() as u64 + OVERHEAD);
}

#[test]
fn without_stamps_the_arrival_counts() {
    let mut ring = ring(2, 1 << 20);
    for second in 0..5 {
        ring.push(b"x", false, None, Timestamp::from_millis(second * 1000));
    }
    assert_eq!((ring.span(), ring.bitrate()), (Duration::from_secs(2), Some(8)));
}

#[test]
fn a_burst_stays_within_the_bytes() {
    let mut ring = ring(12, 1000);
    for _ in 0..1000 {
        ring.push(b"0123456789", false, None, Timestamp::default());
        assert!(ring.held() <= 1000);
    }
    assert_eq!((ring.end(), ring.bitrate()), (10_000, None));
}

#[test]
fn memory_goes_with_what_lay_in_it() {
    let (mut ring, packets) = (ring(1, 1 << 30), vec![0; 100 * PACKET]);
    for second in 0..100 {
        ring.push(&packets, false, None, Timestamp::from_millis(second * 500));
        assert!(
            ring.blocks.iter().map(|block| block.memory.len()).sum::<usize>() <= 3 * packets.len() + BLOCK
        );
        assert!(ring.runs.iter().all(|run| run.len % PACKET == 0), "packets are whole");
    }
    assert_eq!(read_bytes(&ring), 3 * packets.len());
}

#[test]
fn who_is_too_slow_is_told() {
    let mut ring = of("|a b c");
    let mut cursor = ring.join(Join::Oldest).unwrap();
    let mut in_time = cursor.clone();
    assert_eq!(ring.read(&mut in_time), Read::Chunk(chunk("tables")));
    assert_eq!(ring.read(&mut in_time), Read::Chunk(chunk("a")));
    for second in 3..13 {
        ring.push(b"-", false, Some(second * SECOND), Timestamp::default());
    }
    ring.push(b"z", false, Some(13 * SECOND - 1), Timestamp::default());
    assert_eq!(ring.read(&mut cursor), Read::Lagged);
    assert_eq!(ring.read(&mut in_time), Read::Chunk(chunk("b")));
    assert_eq!(ring.read(&mut in_time), Read::Chunk(chunk("c")));
    for _ in 3..13 {
        assert_eq!(ring.read(&mut in_time), Read::Chunk(chunk("-")));
    }
    assert_eq!(ring.read(&mut in_time), Read::Chunk(chunk("z")));
    assert_eq!(ring.read(&mut in_time), Read::CaughtUp);
}

#[test]
fn a_splice_is_told_to_who_read_what_it_does_not_continue() {
    let mut ring = of("|a b");
    ring.push(b"cd", true, Some(0), Timestamp::from_millis(100));
    ring.mark(3, Bytes::new());
    assert_eq!(ring.span(), Duration::from_millis(1100), "stamps begin anew");
    let mut across = ring.join(Join::Oldest).unwrap();
    let reads = std::array::from_fn::<_, 4, _>(|_| ring.read(&mut across));
    assert_eq!(reads[3], Read::Chunk(Chunk { bytes: bytes("cd"), splice: true, timeline: 1 }));
    let mut behind = ring.join(burst(0)).unwrap();
    let within = Chunk { timeline: 1, ..chunk("d") };
    assert_eq!(ring.read(&mut behind), Read::Chunk(within), "whoever begins within it joins nothing");
}

/// The clock jumps; its second PCR confirms it.
#[test]
fn a_jump_begins_another_timeline() {
    let mut ring = of("|a b |c");
    let push = |ring: &mut Ring, text: &str, second: Ticks| {
        ring.push(text.as_bytes(), false, Some(second * SECOND), Timestamp::from_millis(100));
    };
    push(&mut ring, "d", 900);
    ring.mark(3, TABLES);
    let mut early = ring.join(Join::Oldest).unwrap();
    let timelines = |cursor: &mut Cursor, ring: &Ring| {
        let mut all = Vec::new();
        while let Read::Chunk(chunk) = ring.read(cursor) {
            all.push(chunk.timeline);
        }
        all
    };
    assert_eq!(timelines(&mut early, &ring), [0; 5], "it may be damage");
    push(&mut ring, "e", 901);
    assert_eq!(timelines(&mut early, &ring), [1]);
    assert_eq!(read(&ring, burst(9)).unwrap(), "tablesde");
    assert_eq!(
        timelines(&mut ring.join(burst(0)).unwrap(), &ring),
        [1; 3],
        "who begins with it meets no other"
    );
    push(&mut ring, "f", 5);
    push(&mut ring, "g", 902);
    assert_eq!(timelines(&mut early, &ring), [1, 1], "that was damage");
}

#[test]
fn a_burst_does_not_reach_behind_a_splice() {
    let mut ring = of("|a b |c d e f");
    ring.push(b"gh", true, Some(0), Timestamp::from_millis(100));
    assert_eq!(read(&ring, burst(0)), None, "there is a point, but what follows it breaks off");
    ring.mark(7, TABLES);
    assert_eq!(read(&ring, burst(4)).unwrap(), "tablesh");
    assert_eq!(read(&ring, Join::Oldest).unwrap(), "tablesabcdefgh");
}

proptest! {
    /// Whatever is pushed and read, the bytes are those pushed, without a gap, until the reader lags.
    #[test]
    fn readers_read_what_was_pushed(
        sizes in prop::collection::vec(1_usize..40, 1..60),
        reads in prop::collection::vec(0_usize..4, 60),
        bytes in 200_u64..4000,
    ) {
        let mut ring = ring(1000, bytes);
        let mut cursor: Option<Cursor> = None;
        let mut expected = 0_u64;
        for (size, reads) in sizes.into_iter().zip(reads) {
            let start = ring.end();
            let run: Vec<u8> = (start..start + size as u64).map(|at| at as u8).collect();
            ring.push(&run, false, None, Timestamp::default());
            ring.mark(start, Bytes::new());
            prop_assert!(ring.held() <= bytes.max(size as u64 + 2 * OVERHEAD) + OVERHEAD);
            for _ in 0..reads {
                let Some(cursor) = &mut cursor else {
                    cursor = ring.join(Join::Oldest);
                    expected = cursor.as_ref().map_or(0, |cursor| cursor.at);
                    continue;
                };
                match ring.read(cursor) {
                    Read::Chunk(chunk) => for byte in chunk.bytes {
                        prop_assert_eq!(byte, expected as u8);
                        expected += 1;
                    },
                    Read::CaughtUp => prop_assert_eq!(expected, ring.end()),
                    Read::Lagged => {
                        prop_assert!(ring.runs[0].start > expected);
                        return Ok(());
                    }
                }
            }
        }
    }
}
