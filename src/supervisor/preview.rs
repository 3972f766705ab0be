//! The list and the segments of a stream for whoever only looks at it on the dashboard, who is no viewer: nothing is kept running for that.
//!
//! It does not know who may look.

use std::time::Duration;

use bytes::Bytes;

use crate::supervisor::Supervisor;
use domain::key::StreamId;
use domain::window::{JoinPoint, Listing};

impl Supervisor {
    /// A list of the newest segments of a stream, whose names are `{number}.ts`; `None` if there is no such stream, or too little of it.
    #[must_use]
    pub fn preview_list(&self, stream: StreamId) -> Option<Bytes> {
        let stream = self.streams.get(stream)?;
        // From key frame to key frame, so that any segment can be the first. Whoever comes next begins later, so it is a list that slides.
        let start = stream.join_point(Listing::Keyed, None)?;
        let start = JoinPoint { longest: Some(Duration::ZERO), plays_from_first: false, ..start };
        Some(stream.playlist(start, false)?.text.plain())
    }

    /// A segment in that list; `None` if it is there no longer.
    pub async fn preview_segment(&self, stream: StreamId, sequence: u64) -> Option<Bytes> {
        let segment = self.streams.get(stream)?.segment(Listing::Keyed, sequence).await?;
        let pieces: Vec<_> = segment.pieces.into_iter().map(|piece| piece.body).collect();
        segment.is_asked_for.then(|| pieces.concat().into())
    }
}
