//! How a job is followed, in paused time, before a server of the tests' own.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::upstream::fake::{Fake, Reply};
use domain::playlist;

/// A playlist of segments that last so many seconds.
fn listing(durations: &[&str]) -> String {
    let mut text = "#EXTM3U\n".to_owned();
    for (index, duration) in durations.iter().enumerate() {
        let _ = write!(text, "#EXTINF:{duration},\nhls/j/j{index}.ts\n");
    }
    text
}

fn reply(status: u16, body: &str) -> Reply {
    Some((status, body.to_owned()))
}

const SETTINGS: FollowSettings =
    FollowSettings { target: Duration::from_secs(4), cut: Duration::from_secs(3), largest: 1000 };

/// Follows the job of `fake` from `first` on, and says which segments came how, and how it ended.
async fn followed(fake: &Fake, first: &str) -> (Vec<(u64, bool)>, Failure) {
    let job = Job::of("/videos/1", "hls/j/j0.ts").unwrap();
    let mut seen = Vec::new();
    let deliver = |fetched: Fetched| {
        seen.push((fetched.duration.as_secs(), fetched.gap));
        Ok(())
    };
    let failure = follow(&fake.jellyfin, &job, playlist::read(first).unwrap(), SETTINGS, deliver).await;
    (seen, failure)
}

/// Answers polls with one of `polls` after the other, and then with the last of them; segments are there.
async fn polled(polls: Vec<Reply>) -> Fake {
    let turn = Arc::new(AtomicUsize::new(0));
    Fake::start(move |line| {
        let poll = line.contains(".m3u8");
        let reply = if poll {
            polls[turn.fetch_add(1, Ordering::Relaxed).min(polls.len() - 1)].clone()
        } else {
            reply(200, "G")
        };
        async move { reply }
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn one_bad_answer_is_no_end() {
    let ended = format!("{}#EXT-X-ENDLIST\n", listing(&["3", "3"]));
    for bad in [reply(500, ""), reply(503, ""), reply(416, ""), reply(200, "<html>"), None] {
        let fake = polled(vec![bad.clone(), bad.clone(), bad.clone(), bad.clone(), reply(200, &ended)]).await;
        let outcome = followed(&fake, &listing(&["3"])).await;
        assert_eq!(outcome, (vec![(3, false), (3, false)], Failure::Ended), "{bad:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_silence_and_a_definite_no_are_ends() {
    let same = listing(&["3"]);
    for (answer, expected) in [
        (reply(404, ""), Failure::Gone),
        (reply(410, ""), Failure::Gone),
        (reply(400, ""), Failure::Gone),
        (reply(500, ""), Failure::Stalled),
        (reply(200, "<html>"), Failure::Stalled),
        (reply(200, &same), Failure::Stalled),
        (reply(503, ""), Failure::Unreachable),
        (None, Failure::Unreachable),
    ] {
        let begun = Instant::now();
        let (_, failure) = followed(&polled(vec![answer.clone()]).await, &same).await;
        assert_eq!(failure, expected, "{answer:?}");
        assert!(failure == Failure::Gone || begun.elapsed() >= Duration::from_secs(12), "{answer:?}");
    }
}

/// A server that was away and does not know the job any more has been started again.
#[tokio::test(start_paused = true)]
async fn a_restart_is_told_from_a_job_that_ended() {
    let fake = polled(vec![None, None, reply(404, "")]).await;
    assert_eq!(followed(&fake, &listing(&["3"])).await.1, Failure::Unreachable);
}

#[tokio::test(start_paused = true)]
async fn a_listed_segment_is_asked_for_with_patience() {
    let first = format!("{}#EXT-X-ENDLIST\n", listing(&["3"]));
    for (status, times, expected) in [
        (500, 20, Failure::Ended),
        (500, 1000, Failure::Stalled),
        (503, 1000, Failure::Unreachable),
        (404, 2, Failure::Ended),
        (404, 3, Failure::Gone),
    ] {
        let turn = Arc::new(AtomicUsize::new(0));
        let fake = Fake::start(move |_| {
            let bad = turn.fetch_add(1, Ordering::Relaxed) < times;
            async move { reply(if bad { status } else { 200 }, "G") }
        })
        .await;
        assert_eq!(followed(&fake, &first).await.1, expected, "{status} {times} times");
    }
}

/// A timestamp jump is no duration, neither the listed nor the promised one; what comes behind it does not continue it.
#[tokio::test(start_paused = true)]
async fn a_jump_of_the_clock_is_a_discontinuity() {
    for odd in ["0", "60.1", "95443.7"] {
        let first = format!("{}#EXT-X-ENDLIST\n", listing(&["3", odd, "3", "3"]));
        let (seen, _) = followed(&polled(vec![]).await, &first).await;
        assert_eq!(seen, [(3, false), (3, true), (3, true), (3, false)], "{odd}");
    }
    let (seen, _) =
        followed(&polled(vec![]).await, &format!("{}#EXT-X-ENDLIST\n", listing(&["3", "nan", "3"]))).await;
    assert_eq!(seen, [(3, false), (3, true)]);
}

/// Playlists keep a job alive, segments do not.
#[tokio::test(start_paused = true)]
async fn slow_segments_do_not_cost_the_job_its_life() {
    let first = format!("{}#EXT-X-ENDLIST\n", listing(&["3"; 12]));
    let fake = Fake::start(|line| async move {
        if !line.contains(".m3u8") {
            sleep(Duration::from_secs(5)).await;
        }
        reply(200, "#EXTM3U\n")
    })
    .await;
    let begun = Instant::now();
    assert_eq!(followed(&fake, &first).await.0.len(), 12);
    assert!(begun.elapsed() >= Duration::from_secs(60));
    let mut pings: Vec<_> = fake.asked(".m3u8").into_iter().map(|(at, _)| at - begun).collect();
    pings.insert(0, Duration::ZERO);
    pings.push(begun.elapsed());
    assert!(pings.windows(2).all(|pair| pair[1] - pair[0] <= Duration::from_secs(21)), "{pings:?}");
}

/// Nothing can have come right after something has.
#[tokio::test(start_paused = true)]
async fn an_idle_server_is_not_asked_needlessly() {
    let fake = polled(vec![reply(200, &format!("{}#EXT-X-ENDLIST\n", listing(&["4", "4"])))]).await;
    let begun = Instant::now();
    followed(&fake, &listing(&["4"])).await;
    assert!(begun.elapsed() >= Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(fake.asked(".m3u8").len(), 1);
}
