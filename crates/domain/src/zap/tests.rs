//! Zaps, event by event.

use std::time::Duration;

use super::*;
use crate::key::{ConsumerId, DeviceId, ItemId};
use crate::reason::ZapOutcome;
use crate::time::Timestamp;
use crate::viewer::Account;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn zapper(account: u64) -> Zapper {
    let item = ItemId::parse(&"a".repeat(32)).unwrap();
    Zapper { account: Account(account), device: Some(DeviceId::new("tv")), item }
}

fn consumer(bits: u128) -> ConsumerId {
    ConsumerId::from_bits(bits)
}

fn last(book: &ZapBook) -> &Zap {
    book.over().next_back().unwrap()
}

#[test]
fn a_zap_lasts_from_the_opening_to_the_first_segment() {
    let (mut book, who) = (ZapBook::default(), zapper(1));
    book.opened(&who, at(0), false, at(600));
    book.opened(&who, at(700), false, at(1_100));
    book.listed(&who, at(1_200), (consumer(7), ZapOutcome::Cold), at(1_900));
    book.segment_asked(consumer(7), at(1_910));
    book.segment_asked(consumer(8), at(1_911));
    book.segment_sent(consumer(7), at(1_950));
    book.segment_sent(consumer(7), at(2_500));
    assert!(book.is_any_under_way());
    book.listed_again(consumer(7), at(2_600));
    assert!(!book.is_any_under_way());
    let zap = last(&book);
    assert_eq!((zap.begun, zap.opened, zap.list_asked), (at(0), Some(at(600)), Some(at(1_200))));
    assert_eq!((zap.listed, zap.segment_asked), (Some(at(1_900)), Some(at(1_910))));
    assert_eq!((zap.segment_sent, zap.listed_again), (Some(at(1_950)), Some(at(2_600))));
    assert_eq!(zap.waited(), Some(Duration::from_millis(1_950)));
    let waits = &book.waits()[&ZapOutcome::Cold];
    assert_eq!((waits.count(), waits.sum), (1, Duration::from_millis(1_950)));
    book.segment_sent(consumer(7), at(3_000));
    assert_eq!(book.over().count(), 1, "it plays");
    book.opened(&who, at(9_000), true, at(9_100));
    book.listed(&who, at(9_100), (consumer(7), ZapOutcome::Cold), at(9_200));
    book.opened(&who, at(9_300), true, at(9_400));
    assert_eq!(last(&book).outcome, ZapOutcome::Near, "it has a list, and zaps again");
}

#[test]
fn a_viewer_that_opened_elsewhere_is_measured_from_its_first_list() {
    let (mut book, who) = (ZapBook::default(), zapper(1));
    book.listed(&who, at(5_000), (consumer(7), ZapOutcome::Hit), at(5_004));
    book.segment_asked(consumer(7), at(5_020));
    book.segment_sent(consumer(7), at(5_040));
    assert_eq!(book.expire(at(6_000)), Some(at(17_040)), "it may ask for its list again");
    assert_eq!(book.expire(at(17_040)), None);
    assert_eq!(last(&book).waited(), Some(Duration::from_millis(40)));
}

#[test]
fn whoever_turns_away_is_not_counted_as_waiting() {
    let (mut book, who) = (ZapBook::default(), zapper(1));
    book.opened(&who, at(0), false, at(0));
    book.expire(at(29_999));
    assert!(book.is_any_under_way());
    book.expire(at(30_000));
    assert_eq!((last(&book).outcome, last(&book).waited()), (ZapOutcome::Abandoned, None));
    assert!(book.waits().is_empty());
    assert_eq!(book.counts()[&ZapOutcome::Abandoned], 1);
}

#[test]
fn refusals_and_the_servers_own_streams_are_told_apart() {
    let mut book = ZapBook::default();
    book.refused(&zapper(1), at(0), (ZapOutcome::Conflict, "tuners-taken"), at(300));
    assert_eq!((last(&book).outcome, last(&book).reason), (ZapOutcome::Conflict, "tuners-taken"));
    book.opened(&zapper(2), at(0), false, at(900));
    let bypass = (ZapOutcome::Bypass, "container");
    book.passed_on(&zapper(2), at(1_000), bypass, at(4_000));
    assert_eq!(last(&book).waited(), Some(Duration::from_secs(4)));
    book.passed_on(&zapper(2), at(6_900), bypass, at(7_000));
    assert_eq!(book.over().count(), 2, "its later polls are no zaps");
}

#[test]
fn zaps_with_a_picture_are_judged_by_the_objective() {
    let mut book = ZapBook::judging(Duration::from_millis(500));
    for (account, sent) in [(1, 500), (2, 501), (3, 9_000)] {
        let (who, consumer) = (zapper(account), consumer(account.into()));
        book.listed(&who, at(0), (consumer, ZapOutcome::Cold), at(1));
        book.segment_sent(consumer, at(sent));
        book.listed_again(consumer, at(sent + 1));
    }
    book.refused(&zapper(4), at(0), (ZapOutcome::Conflict, "tuners-taken"), at(1));
    assert_eq!(book.judged(), Judged { within: 1, over: 2 });
}

#[test]
fn the_book_is_bounded() {
    let mut book = ZapBook::default();
    for account in 0..3_000 {
        book.opened(&zapper(account), at(0), false, at(account));
    }
    assert_eq!((book.over().count(), book.counts()[&ZapOutcome::Abandoned]), (500, 2_000));
    assert_eq!(book.expire(at(60_000)), None);
    assert_eq!(book.counts()[&ZapOutcome::Abandoned], 3_000);
}

#[test]
fn waits_are_counted_by_length() {
    let mut histogram = Histogram::default();
    for millis in [0, 50, 51, 500, 501, 60_000] {
        histogram.add(Duration::from_millis(millis));
    }
    assert_eq!(histogram.counts, [2, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!((histogram.count(), histogram.sum), (6, Duration::from_millis(61_102)));
}
