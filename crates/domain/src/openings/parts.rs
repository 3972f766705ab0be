//! The openings of clients, so that another process of the gateway can go on with them.
//!
//! What is being given back stays with the process that does so.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::key::{DeviceId, LiveStreamId, OpeningId};
use crate::openings::Openings;
use crate::openings::given_back::Status;
use crate::openings::index::Open;
use crate::openings::opening::ClientOpening;
use crate::reason::ReturnReason;
use crate::time::Timestamp;
use crate::viewer::Account;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OpeningsParts {
    open: Vec<(OpeningId, OpenParts)>,
    given_back: Vec<(Account, LiveStreamId, Status)>,
    /// The sessions with an open WebSocket, each as often as it has one.
    sockets: Vec<(Account, Option<DeviceId>)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct OpenParts {
    opening: ClientOpening,
    state: ReturnReason,
    due: Timestamp,
    reported_at: Option<Timestamp>,
    is_paused: bool,
    replaced_at: Option<Timestamp>,
    is_closing: bool,
}

impl OpeningsParts {
    /// The sessions with an open WebSocket, each as often as it has one.
    pub fn sockets(&self) -> impl Iterator<Item = &(Account, Option<DeviceId>)> {
        self.sockets.iter()
    }
}

impl Openings {
    /// All that is known of openings that are not being given back.
    #[must_use]
    pub fn parts(&self) -> OpeningsParts {
        let given_back = self.given_back.0.iter();
        OpeningsParts {
            open: self.index.iter().map(|(id, open)| (id, OpenParts::of(open))).collect(),
            given_back: given_back
                .map(|((account, live), status)| (*account, live.clone(), *status))
                .collect(),
            sockets: self.sockets.all().cloned().collect(),
        }
    }

    /// Goes on with what another process knew.
    pub fn go_on_with(&mut self, parts: OpeningsParts) {
        let OpeningsParts { open, given_back, sockets } = parts;
        open.into_iter().for_each(|(id, open)| self.index.insert(id, open.whole()));
        let given_back = given_back.into_iter().map(|(account, live, status)| ((account, live), status));
        self.given_back.0 = given_back.collect::<BTreeMap<_, _>>();
        sockets.into_iter().for_each(|session| self.sockets.add(session));
    }
}

impl OpenParts {
    fn of(open: &Open) -> Self {
        let Open { opening, state, due, reported_at, is_paused, replaced_at, is_closing } = open;
        Self {
            opening: opening.clone(),
            state: *state,
            due: *due,
            reported_at: *reported_at,
            is_paused: *is_paused,
            replaced_at: *replaced_at,
            is_closing: *is_closing,
        }
    }

    fn whole(self) -> Open {
        let Self { opening, state, due, reported_at, is_paused, replaced_at, is_closing } = self;
        Open { opening, state, due, reported_at, is_paused, replaced_at, is_closing }
    }
}
