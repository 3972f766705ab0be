//! Following a job: each of its segments, fetched once and in order, until it ends or is no more.
//!
//! Proof of life is growth: the server answers 200 for a while after a job has died (`jellyfin-observed.md` 2.4).
//! It does not know who wants the segments, and never starts or ends a job.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::domain::playlist::Reading;
use crate::domain::reason::Failure;
use crate::upstream::jellyfin::{Error, Jellyfin, Media};
use crate::upstream::job::{Job, Piece};

/// The least time without growth that counts as a stall.
const STALL: Duration = Duration::from_secs(10);
/// … and the least number of target durations.
const STALL_TARGETS: u32 = 3;
/// How often a listed segment is asked for before the job counts as gone.
const ATTEMPTS: u32 = 3;
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(200);
/// A call that takes longer is given up; the next one may fare better.
const CALL: Duration = Duration::from_secs(10);

/// What following needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The stream's target duration.
    pub target: Duration,
    /// Bytes of the largest acceptable segment.
    pub largest: usize,
}

/// A segment of a followed job.
#[derive(Debug)]
pub struct Fetched {
    /// EXTINF.
    pub duration: Duration,
    /// Whether segments are missing between this one and the one before.
    pub gap: bool,
    /// What it is.
    pub media: Media,
}

/// Follows `job` from its first reading on and hands each segment to `deliver`; says how it came to its end.
pub async fn follow(
    jellyfin: &Jellyfin,
    job: &Job,
    first: Reading,
    pace: Pace,
    mut deliver: impl FnMut(Fetched),
) -> Failure {
    let mut reading = first;
    let mut next = 0;
    let mut grown_at = Instant::now();
    let stall = STALL.max(pace.target * STALL_TARGETS);
    loop {
        for piece in job.pieces(&reading).into_iter().filter(|piece| piece.index >= next).collect::<Vec<_>>()
        {
            match fetch(jellyfin, job, &piece, pace.largest).await {
                Ok(media) => deliver(Fetched { duration: piece.duration, gap: piece.index > next, media }),
                Err(failure) => return failure,
            }
            next = piece.index + 1;
            grown_at = Instant::now();
        }
        if reading.ended {
            return Failure::Ended;
        }
        sleep(interval(pace.target)).await;
        reading = match timeout(CALL, jellyfin.poll(job)).await {
            Ok(Ok(reading)) => reading,
            Ok(Err(Error::Status(_) | Error::Unreadable(_) | Error::TooLarge)) => return Failure::Gone,
            Ok(Err(Error::Unreachable(_))) if grown_at.elapsed() > stall => return Failure::Unreachable,
            Ok(Err(Error::Unreachable(_) | Error::Broken(_))) | Err(_) => Reading::default(),
        };
        if grown_at.elapsed() > stall && job.pieces(&reading).iter().all(|piece| piece.index < next) {
            return Failure::Stalled;
        }
    }
}

/// Often enough that a new segment is noticed early in its life, rarely enough to cost the server nothing.
fn interval(target: Duration) -> Duration {
    (target / 8).clamp(Duration::from_millis(200), Duration::from_secs(1))
}

async fn fetch(jellyfin: &Jellyfin, job: &Job, piece: &Piece, largest: usize) -> Result<Media, Failure> {
    let mut failure = Failure::Gone;
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            sleep(PAUSE).await;
        }
        failure = match timeout(CALL, jellyfin.fetch(job, piece, largest)).await {
            Ok(Ok(media)) => return Ok(media),
            Ok(Err(Error::TooLarge)) => return Err(Failure::Oversized),
            Ok(Err(Error::Unreachable(_))) => Failure::Unreachable,
            Ok(Err(Error::Status(_) | Error::Broken(_) | Error::Unreadable(_))) | Err(_) => Failure::Gone,
        };
    }
    Err(failure)
}
