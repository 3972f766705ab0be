//! One stream, listed in two ways: in pieces of half a second, and from key frame to key frame.

use std::time::Duration;

use broadcast_hls::MediaPlaylist;
use domain::produce::{Produce, ProductionMethod};
use domain::window::{Listing, ListingChoice};
use jellyfin_alike::Settings;
use jellyfin_alike::viewer::Answer;
use warmgate::config::{ClientRule, ClientSettings, Conditions, Config};

use crate::support::stage::{Stage, all_fetched, is_ours, poll, tune};
use crate::support::wait::eventually;

const GOP: Duration = Duration::from_secs(2);

fn sparse(settings: &mut Settings) {
    settings.gop = GOP;
}

/// Bob gets fine lists; nothing tells of Alice's player, so hers are keyed.
fn fine_for_bob(config: &mut Config) {
    config.produce.default = Produce::Auto;
    config.clients.rules = vec![ClientRule {
        conditions: Conditions { user: vec!["bob".to_owned()], ..Conditions::default() },
        set: ClientSettings { cut: Some(ListingChoice::Always(Listing::Fine)), ..ClientSettings::default() },
    }];
}

fn read(answer: &Answer) -> MediaPlaylist {
    MediaPlaylist::parse(&answer.text()).unwrap()
}

fn lengths(list: &MediaPlaylist) -> Vec<f64> {
    list.segments.iter().map(|segment| segment.duration.get()).collect()
}

/// The methods of the streams.
fn methods(stage: &Stage) -> Vec<ProductionMethod> {
    stage.snapshot().streams.iter().map(|stream| stream.method).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stream_is_listed_in_two_ways() {
    let stage = Stage::with(sparse, fine_for_bob).await;
    let (alice, bob) = (stage.viewer(0, "tv"), stage.viewer(1, "tablet"));
    let (_, fine) = tune(&bob, &stage.channel(1)).await;
    let (_, keyed) = tune(&alice, &stage.channel(1)).await;
    assert!(is_ours(&fine) && is_ours(&keyed));
    assert_eq!(methods(&stage), [ProductionMethod::Own], "one stream for both");

    let list = read(&fine);
    assert_eq!(list.target_duration, 1);
    assert!(list.segments.len() >= 2, "enough to play on: {}", fine.text());
    assert!(lengths(&list).iter().all(|length| *length < 0.7), "{}", fine.text());
    assert!(fine.text().contains("CAN-BLOCK-RELOAD=YES"));
    all_fetched(&bob, &fine).await;

    let list = read(&keyed);
    assert_eq!(list.target_duration, 2);
    assert!(list.segments.len() >= 2, "enough to play on: {}", keyed.text());
    assert!(
        lengths(&list).iter().all(|length| (length - GOP.as_secs_f64()).abs() < 0.05),
        "{}",
        keyed.text()
    );
    assert!(!keyed.text().contains("CAN-BLOCK-RELOAD"));
    all_fetched(&alice, &keyed).await;
}

/// The tuner fails too often, so the server's job takes over. Its segments last two seconds and more.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_takes_over_is_cut_into_pieces() {
    let stage = Stage::with(sparse, fine_for_bob).await;
    let bob = stage.viewer(1, "tablet");
    let (playback, answer) = tune(&bob, &stage.channel(1)).await;
    let mut newest = newest_of(&read(&answer));
    while methods(&stage) == [ProductionMethod::Own] {
        stage.origin().end(1);
        let before = newest;
        eventually("the list goes on", async || {
            newest = newest_of(&read(&poll(&bob, &playback).await));
            newest > before + 2
        })
        .await;
    }
    assert_eq!(methods(&stage), [ProductionMethod::Adopted]);
    let begun = newest;
    eventually("its segments are listed", async || {
        let answer = poll(&bob, &playback).await;
        let list = read(&answer);
        assert!(is_ours(&answer), "{}", answer.field("cache-status"));
        assert_eq!(list.target_duration, 1, "a promise of the list");
        assert!(lengths(&list).iter().all(|length| *length < 1.5), "{}", answer.text());
        assert!(newest_of(&list) >= newest, "the sequence fell");
        newest = newest_of(&list);
        newest > begun + 8
    })
    .await;
    let answer = poll(&bob, &playback).await;
    all_fetched(&bob, &answer).await;
    assert_eq!(methods(&stage), [ProductionMethod::Adopted], "it is the same stream");
}

fn newest_of(list: &MediaPlaylist) -> u64 {
    list.media_sequence + list.segments.len() as u64
}
