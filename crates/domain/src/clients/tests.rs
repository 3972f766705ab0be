//! Each rule, header and condition: what it does alone, and against one that contradicts it.

use std::time::Duration;

use http::header::CACHE_CONTROL;
use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::wishes::{FIELDS, Wishes, viewer};
use super::*;
use crate::produce::Produce;
use crate::profile::ProfileChoice;
use crate::reason::{IgnoredWish, RefuseReason};
use crate::window::{Listing, ListingChoice, StartChoice};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn fields(fields: &[(&str, &str)]) -> HeaderMap {
    let named = fields.iter().map(|(name, value)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
    });
    named.collect()
}

fn urgency(urgency: u8) -> Option<Priority> {
    Priority::of_urgency(urgency)
}

fn rule(matches: Conditions, streams: u32) -> ClientRule {
    ClientRule { matches, set: ClientSettings { streams: Some(streams), ..ClientSettings::default() } }
}

#[test]
fn the_first_rule_that_matches_applies() {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let header = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let rules = [
        rule(Conditions { device: texts(&["tv"]), user: texts(&["Alice"]), ..Conditions::default() }, 0),
        rule(Conditions { user: texts(&["bob", "ALICE"]), ..Conditions::default() }, 1),
        rule(Conditions { user: texts(&["0A-0B"]), ..Conditions::default() }, 2),
        rule(Conditions { user_agent: texts(&["tizen"]), ..Conditions::default() }, 3),
        rule(Conditions { network: vec!["10.0.0.0/8".parse().unwrap()], ..Conditions::default() }, 4),
        rule(
            Conditions {
                header: header(&[("X-Room", "kitchen"), ("x-floor", "1")]),
                ..Conditions::default()
            },
            5,
        ),
        rule(Conditions { header: header(&[("X-Room", "kitchen")]), ..Conditions::default() }, 6),
    ];
    let (tv, nobody) = (DeviceId::new("tv"), Client::default());
    let (room, floor, hall) = (
        fields(&[("x-room", "kitchen")]),
        fields(&[("x-room", "hall"), ("x-room", "kitchen"), ("x-floor", "1")]),
        fields(&[("x-room", "Kitchen")]),
    );
    for (client, streams) in [
        (nobody.clone(), None),
        (Client { user: Some(("1", "alice")), device: Some(&tv), ..nobody.clone() }, Some(0)),
        (Client { user: Some(("1", "alice")), ..nobody.clone() }, Some(1)),
        (Client { device: Some(&tv), ..nobody.clone() }, None),
        (Client { user: Some(("0a0b", "carol")), ..nobody.clone() }, Some(2)),
        (Client { user_agent: "SMART-TV; Tizen 6", ..nobody.clone() }, Some(3)),
        (Client { address: Some("::ffff:10.1.2.3".parse().unwrap()), ..nobody.clone() }, Some(4)),
        (Client { address: Some("11.1.2.3".parse().unwrap()), ..nobody.clone() }, None),
        (Client { headers: Some(&floor), ..nobody.clone() }, Some(5)),
        (Client { headers: Some(&room), ..nobody.clone() }, Some(6)),
        (Client { headers: Some(&hall), ..nobody.clone() }, None),
    ] {
        assert_eq!(settings(&rules, &client).streams, streams, "{client:?}");
    }
    assert_eq!(settings(&[rule(Conditions::default(), 9)], &nobody).streams, Some(9), "for everybody");
    let alice = Client { user: Some(("1", "alice")), ..nobody };
    assert_eq!(rules[0].matches.unmet(&alice), Some(Condition::Device));
}

/// Each header alone.
#[test]
fn each_header_says_what_it_says() {
    let set = |change: fn(&mut ClientSettings)| {
        let mut settings = ClientSettings::default();
        change(&mut settings);
        (settings, None)
    };
    let nothing = || set(|_| ());
    let aged = |seconds| (ClientSettings::default(), Some(secs(seconds)));
    for (sent, (settings, max_age)) in [
        (("warmgate-mode", "auto"), set(|set| set.mode = Some(Mode::Auto))),
        (("warmgate-mode", "bypass"), set(|set| set.mode = Some(Mode::Bypass))),
        (("warmgate-mode", "warm-only"), set(|set| set.mode = Some(Mode::WarmOnly))),
        (("warmgate-mode", "fresh"), set(|set| set.mode = Some(Mode::Fresh))),
        (("warmgate-mode", "fresh;later=1"), set(|set| set.mode = Some(Mode::Fresh))),
        (("warmgate-produce", "auto"), set(|set| set.produce = Some(Produce::Auto))),
        (("warmgate-produce", "adopt"), set(|set| set.produce = Some(Produce::Adopt))),
        (("warmgate-produce", "own"), set(|set| set.produce = Some(Produce::Own))),
        (("warmgate-linger", "120"), set(|set| set.linger = Some(secs(120)))),
        (("warmgate-linger", "0"), set(|set| set.linger = Some(secs(0)))),
        (("warmgate-window", "30"), set(|set| set.window = Some(secs(30)))),
        (("warmgate-priority", "0"), set(|set| set.priority = urgency(0))),
        (("warmgate-priority", "7"), set(|set| set.priority = urgency(7))),
        (("warmgate-max-bitrate", "8000000"), set(|set| set.max_bitrate = Some(8_000_000))),
        (("warmgate-profile", "as-is"), set(|set| set.profile = Some(ProfileChoice::AsIs))),
        (("warmgate-profile", "compatible"), set(|set| set.profile = Some(ProfileChoice::Compatible))),
        (("warmgate-viewer", "\"kitchen\""), nothing()),
        (("cache-control", "no-cache"), set(|set| set.mode = Some(Mode::Fresh))),
        (("cache-control", "No-Store"), set(|set| set.mode = Some(Mode::Bypass))),
        (("cache-control", "only-if-cached"), set(|set| set.mode = Some(Mode::WarmOnly))),
        (("cache-control", "max-age=5"), aged(5)),
        (("cache-control", "max-age=0, min-fresh=3"), aged(0)),
        (("cache-control", "no-transform, stale-if-error=3"), nothing()),
        (("x-warmgate-produce", "own"), nothing()),
    ] {
        let read = Wishes::of(&fields(&[sent]), true);
        assert_eq!(read, Wishes { settings, max_age, ignored: Vec::new() }, "{sent:?}");
    }
    assert_eq!(viewer(&fields(&[("warmgate-viewer", "\"kitchen\"")])), Some(DeviceId::new("kitchen")));
}

#[test]
fn what_cannot_be_understood_has_no_effect_and_is_named() {
    use IgnoredWish::{UnknownField, UnknownValue};
    for (name, value, reason) in [
        ("warmgate-mode", "Fresh", UnknownValue),
        ("warmgate-mode", "\"fresh\"", UnknownValue),
        ("warmgate-mode", "fresh, auto", UnknownValue),
        ("warmgate-mode", "", UnknownValue),
        ("warmgate-mode", "(fresh)", UnknownValue),
        ("warmgate-produce", "remux", UnknownValue),
        ("warmgate-profile", "raw", UnknownValue),
        ("warmgate-linger", "-1", UnknownValue),
        ("warmgate-linger", "1.5", UnknownValue),
        ("warmgate-linger", "120s", UnknownValue),
        ("warmgate-linger", "86401", UnknownValue),
        ("warmgate-window", "0", UnknownValue),
        ("warmgate-window", "999999999999999", UnknownValue),
        ("warmgate-priority", "8", UnknownValue),
        ("warmgate-priority", "-1", UnknownValue),
        ("warmgate-priority", "256", UnknownValue),
        ("warmgate-max-bitrate", "0", UnknownValue),
        ("warmgate-max-bitrate", "8Mbit/s", UnknownValue),
        ("warmgate-viewer", "kitchen", UnknownValue),
        ("warmgate-viewer", "\"\"", UnknownValue),
        ("warmgate-prewarm", "\"57b5d46725cae4dcca3c98c5b7336cac\"", UnknownField),
        ("warmgate-", "1", UnknownField),
        ("cache-control", "max-age=soon", UnknownValue),
    ] {
        let read = Wishes::of(&fields(&[(name, value)]), true);
        let ignored = vec![(HeaderName::from_static(name), reason)];
        assert_eq!(read, Wishes { ignored, ..Wishes::default() }, "{name}: {value}");
    }
    for field in FIELDS {
        let ignored = Wishes::of(&fields(&[(field, "?")]), true).ignored;
        assert_eq!(ignored, [(HeaderName::from_static(field), UnknownValue)], "{field} is a field");
    }
    let twice = Wishes::of(&fields(&[("warmgate-mode", "fresh"), ("warmgate-mode", "fresh")]), true);
    assert_eq!((twice.settings.mode, twice.ignored.len()), (None, 1));
    let long = format!("\"{}\"", "x".repeat(129));
    assert_eq!(viewer(&fields(&[("warmgate-viewer", &long)])), None);
    let many: Vec<_> = (0..90).map(|at| format!("warmgate-x{at}")).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_str(), "1")).collect();
    assert_eq!(Wishes::of(&fields(&many), true).ignored.len(), 16, "the answer stays short");
}

/// Headers that contradict each other.
#[test]
fn of_two_headers_one_counts() {
    for (sent, mode, max_age) in [
        ("no-cache, only-if-cached", Some(Mode::WarmOnly), None),
        ("no-store, only-if-cached", Some(Mode::WarmOnly), None),
        ("no-cache, no-store", Some(Mode::Bypass), None),
        ("max-age=0, no-cache", Some(Mode::Fresh), Some(0)),
        ("only-if-cached, max-age=9", Some(Mode::WarmOnly), Some(9)),
    ] {
        let read = Wishes::of(&fields(&[("cache-control", sent)]), true);
        assert_eq!((read.settings.mode, read.max_age), (mode, max_age.map(secs)), "{sent}");
        let both = Wishes::of(&fields(&[("cache-control", sent), ("warmgate-mode", "auto")]), true);
        assert_eq!((both.settings.mode, both.max_age), (Some(Mode::Auto), None), "the mode wins over {sent}");
        let wrong = Wishes::of(&fields(&[("cache-control", sent), ("warmgate-mode", "x")]), true);
        assert_eq!(
            (wrong.settings.mode, wrong.max_age),
            (mode, max_age.map(secs)),
            "an unknown mode does not"
        );
    }
    let lines = fields(&[("cache-control", "max-age=9"), ("cache-control", "no-store")]);
    assert_eq!(Wishes::of(&lines, true).settings.mode, Some(Mode::Bypass), "several lines are one list");
    assert_eq!(lines.get_all(CACHE_CONTROL).iter().count(), 2);
}

/// Each setting of a rule alone, a wish alone, and both.
#[test]
fn a_wish_wins_over_a_rule_but_for_limits() {
    let fine = ListingChoice::Always(Listing::Fine);
    let rule = ClientSettings {
        streams: Some(1),
        max_bitrate: Some(8),
        profile: Some(ProfileChoice::Compatible),
        cut: Some(fine),
        start: Some(StartChoice::Programme),
        window: Some(secs(60)),
        produce: Some(Produce::Adopt),
        mode: Some(Mode::Bypass),
        linger: Some(secs(120)),
        priority: urgency(7),
    };
    let wish = ClientSettings {
        streams: None,
        max_bitrate: Some(9),
        profile: Some(ProfileChoice::AsIs),
        cut: None,
        start: None,
        window: Some(secs(30)),
        produce: Some(Produce::Own),
        mode: Some(Mode::Auto),
        linger: Some(secs(0)),
        priority: urgency(0),
    };
    let (none, lower) = (ClientSettings::default(), ClientSettings { max_bitrate: Some(7), ..wish });
    assert_eq!(rule.with(none), rule, "a rule alone");
    assert_eq!(none.with(wish), wish, "a wish alone");
    let both = ClientSettings { streams: Some(1), cut: rule.cut, start: rule.start, ..wish };
    assert_eq!(rule.with(wish), ClientSettings { max_bitrate: Some(8), ..both }, "no wish lifts a limit");
    assert_eq!(rule.with(lower), ClientSettings { max_bitrate: Some(7), ..both }, "it may lower one");
    assert_eq!(rule.with(none).profile(), rule.profile);
    assert_eq!(rule.with(wish).profile(), None, "a copy may exceed the limit");
    assert_eq!(ClientSettings { max_bitrate: None, ..wish }.profile(), wish.profile);
}

/// Each mode and age, with a stream that has segments of some age and without one.
#[test]
fn a_mode_decides_who_answers() {
    use RefuseReason::{BypassWished, NotFresh, NotWarm};
    for (mode, max_age, cold, recent, old) in [
        (Mode::Auto, None, None, None, None),
        (Mode::Auto, Some(0), None, None, Some(NotFresh)),
        (Mode::Auto, Some(3), None, None, Some(NotFresh)),
        (Mode::Auto, Some(10), None, None, None),
        (Mode::Bypass, None, Some(BypassWished), Some(BypassWished), Some(BypassWished)),
        (Mode::WarmOnly, None, Some(NotWarm), None, None),
        (Mode::WarmOnly, Some(3), Some(NotWarm), None, Some(NotWarm)),
        (Mode::Fresh, None, None, Some(NotFresh), Some(NotFresh)),
        (Mode::Fresh, Some(60), None, Some(NotFresh), Some(NotFresh)),
    ] {
        let conditions = TuneConditions { mode, max_age: max_age.map(secs), ..TuneConditions::default() };
        for (age, refusal) in
            [(None, cold), (Some(Duration::from_millis(900)), recent), (Some(secs(10)), old)]
        {
            assert_eq!(conditions.refusal(age), refusal, "{mode:?} {max_age:?} {age:?}");
        }
    }
}

#[test]
fn urgencies_are_numbered_as_in_rfc_9218() {
    assert_eq!(urgency(3), Some(Priority::default()));
    assert_eq!(urgency(8), None);
    let all: Vec<_> = (0..=7).rev().filter_map(Priority::of_urgency).collect();
    assert!(all.is_sorted() && all.len() == 8, "the highest number is the least");
    assert!(all.iter().zip((0..=7).rev()).all(|(priority, number)| priority.urgency() == number));
}

proptest! {
    /// Whatever a header contains, reading it ends, and what it does not say is as without it.
    #[test]
    fn no_header_is_too_strange(name in "warmgate-[a-z-]{0,12}", value in proptest::collection::vec(32_u8..=255, 0..64)) {
        prop_assume!(!value.contains(&127));
        let (name, value) = (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_bytes(&value).unwrap());
        let headers = HeaderMap::from_iter([(name, value)]);
        let read = Wishes::of(&headers, true);
        if !read.ignored.is_empty() {
            prop_assert_eq!(read.settings, ClientSettings::default());
        }
        let _ = viewer(&headers);
    }
}
