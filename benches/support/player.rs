//! A viewer that plays, for benches that load the gateway in other ways meanwhile.

use std::time::{Duration, Instant};

use jellyfin_alike::viewer::Viewer;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Plays a channel until it is told to stop. Returns the longest time from one new segment to the next.
pub(crate) async fn play(viewer: Viewer, item: String, stop: CancellationToken) -> anyhow::Result<Duration> {
    let playback = viewer.open(&item).await.map_err(anyhow::Error::from_boxed)?;
    let (mut last, mut longest) = (None::<(String, Instant)>, Duration::ZERO);
    while !stop.is_cancelled() {
        let list = viewer.poll(&playback).await.map_err(anyhow::Error::from_boxed)?;
        let newest = list.segments().pop();
        if let Some(uri) = newest.filter(|uri| last.as_ref().is_none_or(|(known, _)| known != uri)) {
            let segment = viewer.listed(&list, &uri).await.map_err(anyhow::Error::from_boxed)?;
            anyhow::ensure!(segment.status == 200, "{} for {uri}", segment.status);
            longest = last.map_or(longest, |(_, at)| longest.max(at.elapsed()));
            last = Some((uri, Instant::now()));
        }
        sleep(Duration::from_millis(500)).await;
    }
    longest = last.map_or(longest, |(_, at)| longest.max(at.elapsed()));
    viewer.leave(&playback).await.map_err(anyhow::Error::from_boxed)?;
    Ok(longest)
}
