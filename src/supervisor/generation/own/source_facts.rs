//! Remembers what sources carried when they were last open: FFmpeg, which takes its time to start, need not wait until they
//! have shown it again.
//!
//! It does not know whether they still carry it; whoever relies on that finds out.

use moka::sync::Cache;

use domain::key::MediaSourceId;
use domain::mpegts::facts::Facts;

/// Channels, those asked for most often and last.
const AT_MOST: u64 = 4096;

/// See the module.
#[derive(Debug)]
pub(super) struct SourceFacts(Cache<MediaSourceId, Facts>);

impl Default for SourceFacts {
    fn default() -> Self {
        Self(Cache::new(AT_MOST))
    }
}

impl SourceFacts {
    /// What `source` was seen to carry.
    pub(super) fn of(&self, source: &MediaSourceId) -> Option<Facts> {
        self.0.get(source)
    }

    /// `source` was seen to carry `facts`.
    pub(super) fn note(&self, source: &MediaSourceId, facts: &Facts) {
        self.0.insert(source.clone(), facts.clone());
    }
}
