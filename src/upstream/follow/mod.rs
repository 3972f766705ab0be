//! Following a job: each of its segments, fetched once and in order, until it ends or is no more.
//!
//! Proof of life is growth: the server answers 200 for a while after a job has died (`jellyfin-observed.md` 2.4), and an
//! error now and then means nothing. It does not know who wants the segments, and never starts or ends a job.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::upstream::jellyfin::{Error, Jellyfin, Media};
use crate::upstream::job::{Job, Piece};
use domain::playlist::Reading;
use domain::reason::Failure;

/// The least time without growth that counts as a stall.
const STALL: Duration = Duration::from_secs(10);
/// … and the least number of target durations.
const STALL_TARGETS: u32 = 3;
/// How often a listed segment is not to be found before the job counts as gone.
const ATTEMPTS: u32 = 3;
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(300);
/// A call that takes longer is given up; the next one may fare better.
const CALL: Duration = Duration::from_secs(10);
/// A job is never left without a poll for longer: after 60 s the server ends it (`jellyfin-observed.md` 2.3).
const PING: Duration = Duration::from_secs(20);

/// What following needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The stream's target duration.
    pub target: Duration,
    /// The length that segments are cut at.
    pub cut: Duration,
    /// Bytes of the largest acceptable segment.
    pub largest: usize,
}

impl Pace {
    fn stall(&self) -> Duration {
        STALL.max(self.target * STALL_TARGETS)
    }

    /// Often enough that a new segment is noticed early in its life, rarely enough to cost the server nothing.
    fn interval(&self) -> Duration {
        (self.target / 8).clamp(Duration::from_millis(200), Duration::from_secs(1))
    }
}

/// A segment of a followed job.
#[derive(Debug)]
pub struct Fetched {
    /// EXTINF, or the usual length where the server's is none.
    pub duration: Duration,
    /// Whether it does not continue the one before: segments are missing, or the input's clock has jumped.
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
    let mut jumped = false;
    let mut polled_at = Instant::now();
    let mut grown_at = polled_at;
    let mut trouble = None;
    loop {
        let pieces = job.pieces(&reading);
        let mut wait = pace.interval();
        let known = next;
        for piece in pieces.iter().filter(|piece| piece.index >= known) {
            let media = tokio::select! {
                fetched = fetch(jellyfin, job, piece, pace) => match fetched {
                    Ok(media) => media,
                    Err(failure) => return failure,
                },
                never = keep_alive(jellyfin, job, &mut polled_at) => match never {},
            };
            let gap = piece.index > next || jumped || piece.duration.is_none();
            deliver(Fetched { duration: piece.duration.unwrap_or(pace.cut), gap, media });
            (next, jumped, trouble) = (piece.index + 1, piece.duration.is_none(), None);
            grown_at = Instant::now();
            wait = quiet(&pieces, pace);
        }
        if reading.ended {
            return Failure::Ended;
        }
        sleep_until(Instant::now().max(polled_at + wait)).await;
        polled_at = Instant::now();
        reading = match timeout(CALL, jellyfin.poll(job)).await.unwrap_or_else(|_| Err(Error::late())) {
            Ok(reading) => reading,
            Err(error) if is_definite(&error) => return gone(trouble),
            Err(error) => {
                trouble = Some(said(&error));
                Reading::default()
            }
        };
        let news = job.pieces(&reading).iter().any(|piece| piece.index >= next);
        if !news && !reading.ended && grown_at.elapsed() > pace.stall() {
            return trouble.unwrap_or(Failure::Stalled);
        }
    }
}

/// For how long nothing can come after something has: most of a segment, and of the shorter one where they alternate.
fn quiet(pieces: &[Piece], pace: Pace) -> Duration {
    let shortest = pieces.iter().rev().take(2).filter_map(|piece| piece.duration).min();
    (shortest.unwrap_or_default() * 3 / 4).clamp(pace.interval(), PING)
}

/// A listed segment: it exists, so it is asked for until it comes, or nothing has come for too long.
async fn fetch(jellyfin: &Jellyfin, job: &Job, piece: &Piece, pace: Pace) -> Result<Media, Failure> {
    let begun = Instant::now();
    let mut missing = 0;
    loop {
        let fetched = timeout(CALL, jellyfin.fetch(job, piece, pace.largest)).await;
        let error = match fetched.unwrap_or_else(|_| Err(Error::late())) {
            Ok(media) => return Ok(media),
            Err(Error::TooLarge) => return Err(Failure::Oversized),
            Err(error) => error,
        };
        missing += u32::from(is_definite(&error));
        if missing >= ATTEMPTS {
            return Err(Failure::Gone);
        }
        if begun.elapsed() > pace.stall() {
            return Err(said(&error));
        }
        sleep(PAUSE).await;
    }
}

/// Polls now and then: only playlists keep a job alive. What they say is read by the next poll.
async fn keep_alive(jellyfin: &Jellyfin, job: &Job, polled_at: &mut Instant) -> Infallible {
    loop {
        sleep_until(*polled_at + PING).await;
        let _ = timeout(CALL, jellyfin.poll(job)).await;
        // Not before: a poll that is cut short by the segment's coming is made up for with the next.
        *polled_at = Instant::now();
    }
}

/// Whether the server says that there is no such thing.
fn is_definite(error: &Error) -> bool {
    error.status().is_some_and(|status| matches!(status.as_u16(), 400 | 404 | 410))
}

/// What it means if nothing better than this comes any more.
const fn said(error: &Error) -> Failure {
    if error.is_absence() { Failure::Unreachable } else { Failure::Stalled }
}

/// A server that was away and does not know the job any more has been started again.
fn gone(trouble: Option<Failure>) -> Failure {
    trouble.filter(|trouble| *trouble == Failure::Unreachable).unwrap_or(Failure::Gone)
}

#[cfg(test)]
mod tests;
