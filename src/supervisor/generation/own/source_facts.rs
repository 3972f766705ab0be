//! Remembers the codecs and other facts that each media source had when it was last open, so that FFmpeg can start before the
//! source has shown them again.
//!
//! It does not know whether they are still true; `planning` checks that.

use moka::sync::Cache;

use domain::key::MediaSourceId;
use domain::mpegts::facts::Facts;

/// The number of media sources that are remembered.
const MAX_SOURCES: u64 = 4096;

/// The facts, by media source.
#[derive(Debug)]
pub(super) struct SourceFacts(Cache<MediaSourceId, Facts>);

impl Default for SourceFacts {
    fn default() -> Self {
        Self(Cache::new(MAX_SOURCES))
    }
}

impl SourceFacts {
    /// The facts of `source`, if they are remembered.
    pub(super) fn of(&self, source: &MediaSourceId) -> Option<Facts> {
        self.0.get(source)
    }

    /// Remembers the facts of `source`.
    pub(super) fn note(&self, source: &MediaSourceId, facts: &Facts) {
        self.0.insert(source.clone(), facts.clone());
    }
}
