//! A viewer that checks the rules of HLS: no playlist may take back what the one before promised.

use std::time::{Duration, Instant};

use broadcast_hls::MediaPlaylist;
use jellyfin_alike::viewer::{Answer, Playback, Viewer};

use crate::support::stage::{all_fetched, is_ours, poll, short};
use crate::support::wait::soon;

/// A viewer that checks each playlist against the one before.
pub(crate) struct Watch {
    pub(crate) viewer: Viewer,
    pub(crate) playback: Playback,
    pub(crate) last: Answer,
}

impl Watch {
    pub(crate) async fn begin(viewer: Viewer, item: &str) -> Self {
        Self::begin_with(viewer, item, "").await
    }

    /// The same with more parameters.
    pub(crate) async fn begin_with(viewer: Viewer, item: &str, more: &str) -> Self {
        let mut playback = short(soon(viewer.open(item)).await.unwrap());
        playback.playlist += more;
        let last = poll(&viewer, &playback).await;
        assert!(is_ours(&last), "{} {}", last.status, last.field("cache-status"));
        Self { viewer, playback, last }
    }

    /// Gets the next playlist, whose numbers may not fall and whose target duration may not change.
    pub(crate) async fn look(&mut self) -> &Answer {
        let next = poll(&self.viewer, &self.playback).await;
        assert_eq!(next.status, 200, "{}", next.field("cache-status"));
        assert!(is_ours(&next), "{}", next.field("cache-status"));
        MediaPlaylist::parse(&next.text()).unwrap();
        let tags = |answer: &Answer| (answer.tag("EXT-X-TARGETDURATION"), answer.tag("EXT-X-MEDIA-SEQUENCE"));
        let (before, after) = (tags(&self.last), tags(&next));
        assert_eq!(after.0, before.0);
        assert!(after.1 >= before.1, "the sequence fell: {} {}", self.last.text(), next.text());
        let (old, new) = (self.last.segments(), next.segments());
        assert!(old.last() <= new.last() || old.last().unwrap().len() < new.last().unwrap().len());
        self.last = next;
        &self.last
    }

    /// Waits until a discontinuity and two segments after it are listed, and gets all segments.
    pub(crate) async fn resume(&mut self, at_most: Duration) {
        let deadline = Instant::now() + at_most;
        loop {
            let text = self.look().await.text();
            let behind = text.split_once("#EXT-X-DISCONTINUITY\n").map(|(_, behind)| behind.to_owned());
            if behind.is_some_and(|behind| behind.matches("#EXTINF").count() >= 2) {
                break;
            }
            assert!(Instant::now() < deadline, "it does not go on:\n{text}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        all_fetched(&self.viewer, &self.last).await;
    }
}
