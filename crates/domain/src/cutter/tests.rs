//! The cutter on streams made by hand.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use crate::cutter::maker::{AUDIO, CLOCK, FRAME, Maker, OTHER_SPS, VIDEO};
use crate::cutter::{Cut, Cutter, Rule};
use crate::mpegts::clock::HERTZ;
use crate::mpegts::facts::Facts;
use crate::mpegts::packet::{PACKET, Packet};
use crate::mpegts::pes::Pes;
use crate::mpegts::scan::Scan;

const RULE: Rule = Rule {
    piece: Duration::from_millis(500),
    target: Duration::from_secs(1),
    first: Duration::from_millis(2200),
    largest: 1 << 20,
};

fn made(make: impl FnOnce(&mut Maker)) -> Vec<u8> {
    let mut maker = Maker::default();
    make(&mut maker);
    maker.out
}

fn cut_in(stream: &[u8], rule: Rule, piece: usize) -> Vec<Cut> {
    let mut cutter = Cutter::new(rule);
    let mut cuts = Vec::new();
    for piece in stream.chunks(piece) {
        cutter.push(&Bytes::copy_from_slice(piece));
        cuts.extend(std::iter::from_fn(|| cutter.poll()));
    }
    cuts.extend(cutter.finish());
    cuts
}

fn cut(stream: &[u8]) -> Vec<Cut> {
    cut_in(stream, RULE, 20_000)
}

/// Lengths in milliseconds; `!` marks a random access point, `/` a discontinuity, `|` the end of a group.
fn lengths(cuts: &[Cut]) -> Vec<String> {
    let mark = |is: bool, mark: &'static str| if is { mark } else { "" };
    cuts.iter()
        .map(|cut| {
            let millis = cut.duration.as_millis();
            let (begins, ends) = (mark(cut.independent, "!"), mark(cut.ends_group, "|"));
            format!("{}{begins}{millis}{ends}", mark(cut.discontinuity, "/"))
        })
        .collect()
}

fn packets_of(bytes: &[u8], pid: u16) -> Vec<Packet<'_>> {
    Packet::all(bytes).filter(|packet| packet.pid() == pid).collect()
}

#[test]
fn pieces_end_at_random_access_points_and_between_them_by_length() {
    let table: [(usize, usize, &[&str]); 6] = [
        // Two seconds: equal shares of the distance.
        (100, 50, &["!520", "520", "520", "440|", "!520", "520", "520", "440|"]),
        // A little more than a piece: one piece, once the distance is known.
        (56, 14, &["!520", "40|", "!560|", "!560|", "!560|"]),
        // Half a second.
        (60, 12, &["!480|", "!480|", "!480|", "!480|", "!480|"]),
        // A second and a half: a short rest is not worth a piece.
        (111, 37, &["!520", "520", "440|", "!520", "520", "440|", "!520", "520", "440|"]),
        // Every picture, as in an intra-coded stream.
        (50, 1, &["!520|", "!520|", "!520|", "!440|"]),
        // Longer than any segment.
        (75, 350, &["!520", "520", "520", "520", "520", "400|"]),
    ];
    for (frames, group, expected) in table {
        let cuts = cut(&made(|maker| {
            maker.pictures(frames, group);
        }));
        assert_eq!(lengths(&cuts), expected, "{frames} by {group}");
    }
}

#[test]
fn one_program_is_kept_and_its_clock() {
    let stream = made(|maker| {
        maker.pictures(100, 25);
    });
    let cuts = cut(&stream);
    let bytes: Vec<u8> = cuts.iter().flat_map(|cut| cut.bytes.to_vec()).collect();
    let count = |bytes: &[u8], pid| packets_of(bytes, pid).len();
    assert_eq!([count(&bytes, AUDIO + 1), count(&bytes, 0x110)], [0, 0]);
    for pid in [VIDEO, AUDIO] {
        assert_eq!(count(&bytes, pid), count(&stream, pid), "{pid:x}");
    }
    // The PCR before the first picture is dropped with it.
    assert_eq!(count(&bytes, CLOCK), count(&stream, CLOCK) - 1);
    assert!(packets_of(&bytes, CLOCK).iter().all(|packet| packet.pcr().is_some()));
    for pid in [0, 0x1000] {
        let counters: Vec<_> = packets_of(&bytes, pid).iter().map(|packet| packet.continuity()).collect();
        assert_eq!(counters, (0..8).collect::<Vec<u8>>(), "{pid:x}");
    }
}

#[test]
fn another_audio_stream_is_kept_if_asked_for() {
    let stream = made(|maker| {
        maker.pictures(50, 25);
    });
    for (wished, kept) in [(0, AUDIO), (1, AUDIO + 1), (2, AUDIO)] {
        let mut cutter = Cutter::new(RULE).with_audio(wished);
        cutter.push(&stream.clone().into());
        let first = cutter.poll().unwrap();
        let missing = [AUDIO, AUDIO + 1].map(|pid| packets_of(&first.bytes, pid).is_empty());
        assert_eq!(missing, [kept != AUDIO, kept != AUDIO + 1], "{wished}");
    }
}

#[test]
fn audio_packets_are_whole_in_every_segment() {
    let cuts = cut(&made(|maker| {
        for frame in 0..100 {
            if frame % 25 == 0 {
                maker.tables();
            }
            maker.picture(frame % 25 == 0);
            // Three packets; a picture stands between the second and the third.
            let content = [0; 500];
            maker.pes(AUDIO, 0xc0, maker.now, &content);
            let last = maker.out.split_off(maker.out.len() - PACKET);
            maker.now += FRAME;
            maker.picture(false);
            maker.out.extend(last);
            maker.now += FRAME;
        }
    }));
    assert!(cuts.len() > 2);
    for cut in cuts {
        let mut missing = 0;
        for packet in packets_of(&cut.bytes, AUDIO) {
            if packet.starts_unit() {
                assert_eq!(missing, 0);
                missing = Pes::read(packet.payload()).unwrap().length.unwrap();
            }
            missing -= packet.payload().len();
        }
        assert_eq!(missing, 0);
    }
}

#[test]
fn the_first_segment_has_audio_but_none_from_before_it() {
    let mut maker = Maker::default();
    maker.tables();
    // The audio lags by 0.8 s.
    for frame in 0..75 {
        maker.picture(frame % 50 == 0);
        maker.audio(AUDIO, maker.now - 8 * HERTZ / 10);
        maker.now += FRAME;
    }
    let cuts = cut(&maker.out);
    let first = packets_of(&cuts[0].bytes, AUDIO);
    let shown = Pes::read(first[0].payload()).unwrap().stamps.pts.unwrap();
    assert!((10 * HERTZ - HERTZ / 10..=10 * HERTZ).contains(&shown), "{shown}");
    assert_eq!(lengths(&cuts)[..2], ["!760", "520"]);
}

#[test]
fn what_does_not_continue_is_a_discontinuity() {
    type Change = fn(&mut Maker);
    let cases: [(&str, Change, &[&str]); 8] = [
        ("nothing", |_| {}, &["!520", "520", "520", "440|", "!520", "520", "520", "440|"]),
        (
            "ahead",
            |maker| maker.now += 10 * HERTZ,
            &["!520", "520", "520", "440|", "/!520", "520", "520", "440|"],
        ),
        (
            "back",
            |maker| maker.now -= 5 * HERTZ,
            &["!520", "520", "520", "440|", "/!520", "520", "520", "440|"],
        ),
        (
            "a little back",
            |maker| maker.now -= HERTZ / 2,
            &["!520", "520", "520", "440|", "/!520", "520", "520", "440|"],
        ),
        (
            "size",
            |maker| maker.sps = OTHER_SPS,
            &["!520", "520", "520", "440|", "/!520", "520", "520", "440|"],
        ),
        (
            "size and still",
            |maker| {
                maker.sps = OTHER_SPS;
                maker.now -= FRAME;
            },
            &["!520", "520", "520", "440|", "/!520", "520", "520", "440|"],
        ),
        (
            "sound",
            |maker| maker.map.streams.remove(1).pid = 0,
            &["!520", "520", "520", "440|", "/!520", "520", "520", "440|"],
        ),
        (
            "data",
            |maker| maker.map.streams.truncate(3),
            &["!520", "520", "520", "440|", "!520", "520", "520", "440|"],
        ),
    ];
    for (what, change, expected) in cases {
        let stream = made(|maker| {
            maker.pictures(50, 50);
            change(maker);
            maker.pictures(50, 50);
        });
        assert_eq!(lengths(&cut(&stream)), expected, "{what}");
    }
}

/// Audio tells its format somewhere near the picture it belongs to: the next random access point is the first chance.
#[test]
fn another_audio_format_is_a_discontinuity_at_the_next_random_access_point() {
    let stream = made(|maker| {
        maker.pictures(50, 50);
        maker.stereo = true;
        maker.pictures(100, 50);
    });
    assert_eq!(
        lengths(&cut(&stream)),
        ["!520", "520", "520", "440|", "!520", "520", "520", "440|", "/!520", "520", "520", "440|"]
    );
}

#[test]
fn a_splice_drops_what_may_be_half_there() {
    let stream: Bytes = made(|maker| {
        maker.pictures(60, 50);
    })
    .into();
    let mut cutter = Cutter::new(RULE);
    cutter.push(&stream.slice(..stream.len() - 100));
    cutter.splice();
    cutter.push(&stream);
    let mut cuts: Vec<_> = std::iter::from_fn(|| cutter.poll()).collect();
    cuts.extend(cutter.finish());
    assert_eq!(
        lengths(&cuts),
        ["!520", "520", "520", "440|", "!360|", "/!520", "520", "520", "440|", "!400|"]
    );
}

/// A hundred pictures with audio and data; the packets of `pids` are scrambled.
fn scrambled(pids: &[u16]) -> Vec<u8> {
    let mut stream = made(|maker| {
        maker.pictures(100, 25);
    });
    for packet in stream.chunks_mut(PACKET) {
        if pids.contains(&Packet::new(packet).unwrap().pid()) {
            packet[3] |= 0x80;
            packet[4..].iter_mut().for_each(|byte| *byte ^= 0x5a);
        }
    }
    stream
}

#[test]
fn what_is_scrambled_is_said_at_once_and_not_cut() {
    let stream = scrambled(&[VIDEO, AUDIO, AUDIO + 1]);
    let mut scan = Scan::default();
    let read = Packet::all(&stream).position(|packet| {
        scan.read(packet);
        scan.facts().is_some_and(Facts::is_scrambled)
    });
    // Two tables and the PCR precede it.
    assert_eq!(read, Some(3));
    let mut cutter = Cutter::new(RULE);
    cutter.push(&stream.into());
    assert!(cutter.facts().unwrap().is_scrambled());
    assert!(cutter.counts().scrambled > 100);
    assert!(cutter.poll().is_none() && cutter.finish().is_none());
}

#[test]
fn a_scrambled_audio_stream_beside_another_does_no_harm() {
    for (hidden, kept) in [(AUDIO + 1, 0), (AUDIO, 1)] {
        let stream = scrambled(&[hidden]);
        let mut scan = Scan::default();
        let settled = Packet::all(&stream).position(|packet| {
            scan.read(packet);
            scan.is_settled()
        });
        assert!(settled.is_some_and(|settled| settled < 12), "not waited for: {settled:?}");
        let facts = scan.facts().unwrap();
        assert!(!facts.is_scrambled());
        assert_eq!([0, 1].map(|nth| facts.audio[nth].scrambled), [kept == 1, kept == 0]);

        let mut cutter = Cutter::new(RULE).with_audio(kept);
        cutter.push(&stream.clone().into());
        let mut cuts: Vec<_> = std::iter::from_fn(|| cutter.poll()).collect();
        cuts.extend(cutter.finish());
        assert_eq!(lengths(&cuts), lengths(&cut(&scrambled(&[]))));
        let bytes: Vec<u8> = cuts.iter().flat_map(|cut| cut.bytes.to_vec()).collect();
        let counts = [AUDIO, AUDIO + 1].map(|pid| packets_of(&bytes, pid).len());
        assert_eq!(counts.iter().sum::<usize>(), packets_of(&stream, AUDIO).len());
        assert_eq!(counts[1 - kept], 0);
    }
}

#[test]
fn what_was_scrambled_and_is_not_any_more_can_be_read() {
    let mut scan = Scan::default();
    for stream in [scrambled(&[VIDEO, AUDIO]), scrambled(&[])] {
        for packet in Packet::all(&stream) {
            scan.read(packet);
        }
    }
    let facts = scan.facts().unwrap();
    assert!(!facts.video.as_ref().unwrap().scrambled && !facts.audio[0].scrambled);
}

#[test]
fn no_segment_is_too_large() {
    let stream = made(|maker| {
        maker.filling = 5000;
        maker.pictures(200, 50);
    });
    let largest = 100_000;
    let cuts = cut_in(&stream, Rule { largest, ..RULE }, 20_000);
    assert!(cuts.iter().all(|cut| cut.bytes.len() <= largest));
    assert_eq!(cuts.iter().map(|cut| cut.duration).sum::<Duration>(), Duration::from_secs(8));
    // A single picture above the limit is dropped, and so are those that depend on it.
    let mut cutter = Cutter::new(Rule { largest: 4000, ..RULE });
    cutter.push(&stream.into());
    assert!(cutter.finish().is_none_or(|cut| cut.bytes.len() <= 4000));
}

#[test]
fn a_packet_that_is_sent_twice_counts_once() {
    let stream = made(|maker| {
        maker.pictures(100, 25);
    });
    let twice: Vec<u8> = stream.chunks(PACKET).flat_map(|packet| [packet, packet].concat()).collect();
    let (once, twice) = (cut(&stream), cut(&twice));
    assert_eq!(lengths(&once), lengths(&twice));
    let pictures =
        |cuts: &[Cut]| -> usize { cuts.iter().map(|cut| packets_of(&cut.bytes, VIDEO).len()).sum() };
    assert_eq!(pictures(&once), pictures(&twice));
}

#[test]
fn radio_is_cut_by_its_audio() {
    let cuts = cut(&made(|maker| {
        maker.map.streams.remove(0);
        for frame in 0..300 {
            if frame % 10 == 0 {
                maker.tables();
            }
            maker.audio(AUDIO, maker.now);
            maker.now += FRAME;
        }
    }));
    assert_eq!((cuts.len(), &lengths(&cuts)[..2]), (24, &["!520|".to_owned(), "!520|".to_owned()][..]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// The same bytes give the same segments, whatever pieces they come in.
    #[test]
    fn pieces_make_no_difference(piece in 1_usize..2000, from in 0_usize..3000, group in 5_usize..60) {
        let stream = made(|maker| { maker.pictures(100, group); });
        let stream = &stream[from..];
        prop_assert!(cut_in(stream, RULE, piece) == cut_in(stream, RULE, usize::MAX));
    }

    /// However a stream is damaged, segments stay within their limits and come again afterwards.
    #[test]
    fn damage_is_survived(damage in proptest::collection::vec((0_usize..40_000, 0_u8..4, any::<u8>(), 1_usize..500), 0..60)) {
        let mut stream = made(|maker| { maker.pictures(100, 25); });
        for (at, how, byte, length) in damage {
            let at = at % stream.len();
            let end = (at + length).min(stream.len());
            match how {
                0 => stream[at] = byte,
                1 => drop(stream.drain(at..end)),
                2 => stream[at..end].fill(byte),
                _ => drop(stream.splice(at..at, std::iter::repeat_n(byte, length))),
            }
        }
        let damaged = stream.len();
        stream.extend(made(|maker| { maker.now += 500 * HERTZ; maker.pictures(200, 25); }));
        let rule = Rule { largest: 300 * PACKET, ..RULE };
        let cuts = cut_in(&stream, rule, 7777);
        let promised = cuts.first().map_or(1.0, |cut| cut.duration.as_secs_f64().round().max(1.0));
        for cut in &cuts {
            prop_assert!(cut.bytes.len() <= rule.largest && cut.bytes.len() % PACKET == 0);
            prop_assert!(cut.duration.as_secs_f64().round() <= promised, "{:?} of {promised} in {:?}", cut.duration, lengths(&cuts));
        }
        let intact: Duration = cut(&stream[damaged..]).iter().map(|cut| cut.duration).sum();
        let last: Duration = cuts.iter().rev().take(8).map(|cut| cut.duration).sum();
        prop_assert!(intact == Duration::from_secs(8) && last > Duration::from_secs(3), "{:?}", lengths(&cuts));
    }
}
