//! What becomes of openings when a viewer or its device goes.

use super::Openings;
use crate::key::{DeviceId, PlaySessionId};
use crate::openings::mention::Mention;
use crate::reason::ReturnReason;
use crate::time::Timestamp;
use crate::viewer::Account;

impl Openings {
    /// The viewer of a play session has left: its openings are due now, as far as only its presence kept them. One that it was
    /// served nothing by yet has nobody who follows it either.
    pub fn viewer_left(&mut self, play_session: &PlaySessionId, now: Timestamp) {
        let mention = Mention { play_session: Some(play_session.clone()), ..Mention::default() };
        for id in self.index.meant(&mention) {
            // The server closes it for its client: once is enough.
            let open = self.index.get(id).filter(|open| !open.is_closing);
            match open.map(|open| (open.state, open.left())) {
                Some((state @ (ReturnReason::Left | ReturnReason::Silent), _)) => {
                    self.index.set(id, state, now);
                }
                Some((ReturnReason::Unfollowed | ReturnReason::Superseded, left)) => {
                    self.index.set(id, left, now);
                }
                // Whether it still plays the server's own stream, only its requests for that tell.
                Some((
                    ReturnReason::PassedOn
                    | ReturnReason::Abandoned
                    | ReturnReason::Stopped
                    | ReturnReason::LoggedOut,
                    _,
                ))
                | None => {}
            }
        }
    }

    /// A device is denied a tuner for another channel: what it has opened and not played here is due now. Returns the play sessions
    /// of what it has not begun to play at all.
    pub fn zapping(&mut self, account: Account, device: &DeviceId, now: Timestamp) -> Vec<PlaySessionId> {
        let mut not_begun = Vec::new();
        for id in self.index.of_device(account, device) {
            let open = self.index.get(id).filter(|open| !open.is_closing);
            match open.map(|open| (open.state, open.reported_at)) {
                Some((ReturnReason::Unfollowed | ReturnReason::Superseded, None)) => {
                    not_begun.extend(open.and_then(|open| open.opening.play_session.clone()));
                    self.index.set(id, ReturnReason::Superseded, now);
                }
                Some((ReturnReason::PassedOn, _)) => self.index.set(id, ReturnReason::PassedOn, now),
                // It plays what does not pass here, and may play on.
                Some((ReturnReason::Unfollowed | ReturnReason::Superseded, Some(_)))
                | Some((
                    ReturnReason::Left
                    | ReturnReason::Silent
                    | ReturnReason::Abandoned
                    | ReturnReason::Stopped
                    | ReturnReason::LoggedOut,
                    _,
                ))
                | None => {}
            }
        }
        not_begun
    }
}
