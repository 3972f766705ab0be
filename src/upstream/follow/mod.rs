//! Follows a job: fetches each of its segments once and in order, until the job ends or is lost.
//!
//! Only growth of the playlist proves that the job is alive: the server goes on answering 200 for a while after it has died
//! (docs/jellyfin.md 2), and single errors mean nothing. It does not know who wants the segments, and never starts or ends a job.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::upstream::jellyfin::{Error, Jellyfin, Media};
use crate::upstream::job::{Job, ListedSegment};
use domain::playlist::Reading;
use domain::reason::Failure;

/// The shortest time without growth that counts as a stall.
const STALL: Duration = Duration::from_secs(10);
/// A stall lasts at least this many target durations.
const STALL_TARGETS: u32 = 3;
/// How many times a listed segment may be missing before the job counts as gone.
const ATTEMPTS: u32 = 3;
/// The pause between two attempts to fetch a segment.
const PAUSE: Duration = Duration::from_millis(300);
/// The deadline of one call; the next attempt may succeed.
const CALL: Duration = Duration::from_secs(10);
/// The longest time between two polls: after 60 s without one the server ends the job (docs/jellyfin.md 2).
const PING: Duration = Duration::from_secs(20);

/// The stream's settings that following depends on.
#[derive(Clone, Copy, Debug)]
pub struct FollowSettings {
    /// The stream's target duration.
    pub target: Duration,
    /// The length at which the server cuts segments.
    pub cut: Duration,
    /// Bytes of the largest segment that is accepted.
    pub largest: usize,
}

impl FollowSettings {
    fn stall(&self) -> Duration {
        STALL.max(self.target * STALL_TARGETS)
    }

    /// The time between two polls: short enough to find a new segment early, long enough to cost the server nothing.
    fn interval(&self) -> Duration {
        (self.target / 8).clamp(Duration::from_millis(200), Duration::from_secs(1))
    }
}

/// A segment of a followed job.
#[derive(Debug)]
pub struct Fetched {
    /// Its `EXTINF`, or the usual length if that cannot be a duration.
    pub duration: Duration,
    /// Whether it does not continue the segment before it: segments are missing, or the input's clock has jumped.
    pub gap: bool,
    /// Its bytes and headers.
    pub media: Media,
}

/// Follows `job` from the playlist `first` on, hands each segment to `deliver` until that fails, and returns why it ended.
pub async fn follow(
    jellyfin: &Jellyfin,
    job: &Job,
    first: Reading,
    settings: FollowSettings,
    mut deliver: impl FnMut(Fetched) -> Result<(), Failure>,
) -> Failure {
    let mut reading = first;
    let mut next = 0;
    let mut jumped = false;
    let mut polled_at = Instant::now();
    let mut grown_at = polled_at;
    let mut trouble = None;
    loop {
        let segments = job.segments(&reading);
        let mut wait = settings.interval();
        let known = next;
        for segment in segments.iter().filter(|segment| segment.index >= known) {
            let media = tokio::select! {
                fetched = fetch(jellyfin, job, segment, settings) => match fetched {
                    Ok(media) => media,
                    Err(failure) => return failure,
                },
                never = keep_alive(jellyfin, job, &mut polled_at) => match never {},
            };
            let gap = segment.index > next || jumped || segment.duration.is_none();
            let duration = segment.duration.unwrap_or(settings.cut);
            if let Err(failure) = deliver(Fetched { duration, gap, media }) {
                return failure;
            }
            (next, jumped, trouble) = (segment.index + 1, segment.duration.is_none(), None);
            grown_at = Instant::now();
            wait = quiet(&segments, settings);
        }
        if reading.ended {
            return Failure::Ended;
        }
        sleep_until(Instant::now().max(polled_at + wait)).await;
        polled_at = Instant::now();
        reading = match timeout(CALL, jellyfin.poll(job)).await.unwrap_or_else(|_| Err(Error::late())) {
            Ok(reading) => reading,
            Err(error) if is_not_found(&error) => return gone(trouble),
            Err(error) => {
                trouble = Some(failure_of(&error));
                Reading::default()
            }
        };
        let news = job.segments(&reading).iter().any(|segment| segment.index >= next);
        if !news && !reading.ended && grown_at.elapsed() > settings.stall() {
            return trouble.unwrap_or(Failure::Stalled);
        }
    }
}

/// How long no further segment can appear after one has: three quarters of a segment, of the shorter one if lengths alternate.
fn quiet(segments: &[ListedSegment], settings: FollowSettings) -> Duration {
    let shortest = segments.iter().rev().take(2).filter_map(|segment| segment.duration).min();
    (shortest.unwrap_or_default() * 3 / 4).clamp(settings.interval(), PING)
}

/// Fetches a listed segment. It exists, so errors are retried until the job counts as stalled or gone.
async fn fetch(
    jellyfin: &Jellyfin,
    job: &Job,
    segment: &ListedSegment,
    settings: FollowSettings,
) -> Result<Media, Failure> {
    let begun = Instant::now();
    let mut missing = 0;
    loop {
        let fetched = timeout(CALL, jellyfin.fetch(job, segment, settings.largest)).await;
        let error = match fetched.unwrap_or_else(|_| Err(Error::late())) {
            Ok(media) => return Ok(media),
            Err(Error::TooLarge) => return Err(Failure::Oversized),
            Err(error) => error,
        };
        missing += u32::from(is_not_found(&error));
        if missing >= ATTEMPTS {
            return Err(Failure::Gone);
        }
        if begun.elapsed() > settings.stall() {
            return Err(failure_of(&error));
        }
        sleep(PAUSE).await;
    }
}

/// Polls regularly while a segment is being fetched, because only playlist requests keep a job alive. The answers are dropped: the next
/// regular poll reads the same.
async fn keep_alive(jellyfin: &Jellyfin, job: &Job, polled_at: &mut Instant) -> Infallible {
    loop {
        sleep_until(*polled_at + PING).await;
        let _ = timeout(CALL, jellyfin.poll(job)).await;
        // Only now: if the segment arrives during the poll, this future is dropped, and the poll does not count.
        *polled_at = Instant::now();
    }
}

/// Whether the server says that the resource does not exist.
fn is_not_found(error: &Error) -> bool {
    error.status().is_some_and(|status| matches!(status.as_u16(), 400 | 404 | 410))
}

/// The failure of a job whose last answer was `error`.
const fn failure_of(error: &Error) -> Failure {
    if error.is_absence() { Failure::Unreachable } else { Failure::Stalled }
}

/// The failure of a job that the server no longer knows: if the server was down before, it has been restarted.
fn gone(trouble: Option<Failure>) -> Failure {
    trouble.filter(|trouble| *trouble == Failure::Unreachable).unwrap_or(Failure::Gone)
}

#[cfg(test)]
mod tests;
