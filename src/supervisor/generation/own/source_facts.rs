//! Remembers the codecs and other facts that each media source had when it was last open, so that FFmpeg can start before the
//! source has shown them again.
//!
//! It does not know whether they are still true; `planning` checks that.

use moka::sync::Cache;

use crate::supervisor::remembering::Remembering;
use domain::key::MediaSourceId;
use domain::mpegts::facts::Facts;

/// The number of media sources that are remembered.
const MAX_SOURCES: u64 = 4096;

/// The facts, by media source.
#[derive(Debug)]
pub(super) struct SourceFacts {
    known: Cache<MediaSourceId, Facts>,
    remembering: Remembering,
}

impl SourceFacts {
    /// Begins with what an earlier process has remembered, and remembers the rest through `remembering`.
    pub(super) fn new(remembering: Remembering, remembered: Vec<(MediaSourceId, String)>) -> Self {
        let known = Cache::new(MAX_SOURCES);
        for (source, facts) in remembered {
            // What another version has written is found out anew.
            if let Ok(facts) = serde_json::from_str(&facts) {
                known.insert(source, facts);
            }
        }
        Self { known, remembering }
    }

    /// The facts of `source`, if they are remembered.
    pub(super) fn of(&self, source: &MediaSourceId) -> Option<Facts> {
        self.known.get(source)
    }

    /// Remembers the facts of `source`.
    pub(super) fn note(&self, source: &MediaSourceId, facts: &Facts) {
        if self.of(source).as_ref() != Some(facts) {
            self.known.insert(source.clone(), facts.clone());
            if let Ok(text) = serde_json::to_string(facts) {
                self.remembering.source(source, text);
            }
        }
    }
}
