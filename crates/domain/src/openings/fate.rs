//! Decides what becomes of an opening that no request has mentioned for long enough.

use std::time::Duration;

use crate::openings::index::Open;
use crate::openings::opening::ClientOpening;
use crate::reason::ReturnReason;
use crate::time::Timestamp;

/// A session without a report for this long may have been stopped by the server, which looks every five minutes for those without
/// one for five, and keeps their jobs alive no longer. What such a job played is closed with it (docs/jellyfin.md 7).
const IDLE_SESSION: Duration = Duration::from_secs(4 * 60);

/// A job of a device that plays something else may have timed out after this long: the server's timer is a minute, from the last request
/// for it. The server has closed the opening then.
const JOB_TIMEOUT: Duration = Duration::from_secs(45);

/// What becomes of an opening that is due.
pub(super) enum Fate {
    /// It is looked at again after some time.
    Kept,
    /// The server closes it by itself, or has done so.
    LeftToServer,
    /// It is given back for this reason.
    GivenBack(ReturnReason),
}

/// The fate of an opening for which the gateway has this patience; `is_watched` tells whether a present viewer watches by an opening.
pub(super) fn fate(
    open: &Open,
    patience: Duration,
    is_watched: impl Fn(&ClientOpening) -> bool,
    now: Timestamp,
) -> Fate {
    let is_idle = || open.reported_at.is_some_and(|at| now.since(at) >= IDLE_SESSION);
    let unless_watched = |fate| if is_watched(&open.opening) { Fate::Kept } else { fate };
    match (open.state, open.reported_at) {
        (ReturnReason::PassedOn, Some(_)) => {
            // While it plays, the server keeps its job alive by itself. The job of a paused one ends within a minute, and so does
            // that of one whose device plays something else.
            let timeout = JOB_TIMEOUT.min(patience / 2);
            let is_replaced = open.replaced_at.is_some_and(|at| now.since(at) >= timeout);
            unless_watched(if is_idle() || open.is_paused || is_replaced {
                Fate::LeftToServer
            } else {
                Fate::GivenBack(ReturnReason::Silent)
            })
        }
        // It plays what does not pass here, which only its reports tell.
        (ReturnReason::Unfollowed | ReturnReason::Superseded | ReturnReason::Abandoned, Some(_)) => {
            if open.replaced_at.is_some() {
                Fate::GivenBack(ReturnReason::Silent)
            } else if is_idle() {
                Fate::LeftToServer
            } else {
                Fate::Kept
            }
        }
        (state @ (ReturnReason::Unfollowed | ReturnReason::Superseded | ReturnReason::Abandoned), None)
        | (state @ ReturnReason::LoggedOut, _) => Fate::GivenBack(state),
        (ReturnReason::PassedOn, None) => unless_watched(Fate::GivenBack(ReturnReason::PassedOn)),
        // The job that it was served from, if there was one, is the gateway's to end: the server closes nothing with it.
        (state @ (ReturnReason::Left | ReturnReason::Silent | ReturnReason::Stopped), _) => {
            unless_watched(Fate::GivenBack(state))
        }
    }
}
