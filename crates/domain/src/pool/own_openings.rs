//! The gateway's own openings that the server has refused: what they are for exists, and takes no tuner.

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
    /// The opening of a generation is asked for or refused. Of an earlier generation than the last it tells nothing.
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

    /// Whether the server has refused it, and has not been asked again.
    pub(super) fn is_refused(&self, open: Open) -> bool {
        match self.0.get(&open).map(|attempt| attempt.state) {
            Some(OwnOpening::Refused) => true,
            Some(OwnOpening::Asked) | None => false,
        }
    }
}
