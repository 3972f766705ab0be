//! How far the gateway's own openings have come. Of one that the server has refused, what it was for exists, and takes no tuner.

use std::collections::BTreeMap;

use crate::pool::api::{Open, OwnOpening};

#[derive(Clone, Copy, Debug)]
struct Attempt {
    generation: u32,
    state: OwnOpening,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct OwnOpenings(BTreeMap<Open, Attempt>);

impl OwnOpenings {
    /// How far the opening of a generation has come. Of an earlier generation than the last it tells nothing.
    pub(super) fn tell(&mut self, open: Open, generation: u32, state: OwnOpening) {
        let last = self.0.entry(open).or_insert(Attempt { generation, state });
        if last.generation <= generation {
            *last = Attempt { generation, state };
        }
    }

    /// What it was for is gone.
    pub(super) fn forget(&mut self, open: Open) {
        self.0.remove(&open);
    }

    /// Whether the server is asked for one and has not answered.
    pub(super) fn are_asked(&self) -> bool {
        self.0.values().any(|attempt| attempt.state == OwnOpening::Asked)
    }

    /// How far the last one has come. Where nothing was told, it is open: a client has opened it.
    pub(super) fn state(&self, open: Open) -> OwnOpening {
        self.0.get(&open).map_or(OwnOpening::Granted, |attempt| attempt.state)
    }
}
