//! Names the playlist and the segments of a running HLS job of the server's (`DynamicHlsController.cs`).
//!
//! It makes no calls.

use std::time::Duration;

use domain::container::Container;
use domain::playlist::{self, Reading};

/// The longest duration that is believed. A larger one is FFmpeg's difference of two timestamps between which the input's clock jumped.
const LONGEST: Duration = Duration::from_secs(60);

/// A running HLS job of the server's.
#[derive(Clone, Debug)]
pub struct Job {
    /// The path of its folder, with a slash at the end.
    pub(super) folder: String,
    /// The stem of the names of its files.
    stem: String,
}

/// A segment in a job's playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSegment {
    /// Its number within the job, from 0.
    pub index: u64,
    /// Its `EXTINF`; `None` if that cannot be a duration because the input's clock has jumped.
    pub duration: Option<Duration>,
    /// The name of its file.
    pub(super) file: String,
}

impl Job {
    /// Reads the job from the URI of its first segment, `hls/{stem}/{stem}{index}.ts`, relative to `videos`.
    pub(super) fn of(videos: &str, uri: &str) -> Option<Self> {
        let (folder, file) = uri.rsplit_once('/')?;
        let stem = folder.strip_prefix("hls/")?;
        let job = Self { folder: format!("{videos}/{folder}/"), stem: stem.to_owned() };
        job.index_of(file).map(|_| job)
    }

    /// The path of its playlist under the segment route, which keeps the job alive and needs no token (docs/jellyfin.md 2).
    #[must_use]
    pub fn playlist(&self) -> String {
        format!("{}{}.m3u8", self.folder, self.stem)
    }

    /// The segments in its playlist, without entries that belong to no segment of this job.
    #[must_use]
    pub fn segments(&self, reading: &Reading) -> Vec<ListedSegment> {
        let segment = |entry: &playlist::Entry| {
            let file = entry.uri.rsplit('/').next()?;
            let duration =
                Some(entry.duration).filter(|duration| !duration.is_zero() && *duration <= LONGEST);
            Some(ListedSegment { index: self.index_of(file)?, duration, file: file.to_owned() })
        };
        reading.entries.iter().filter_map(segment).collect()
    }

    fn index_of(&self, file: &str) -> Option<u64> {
        let (name, Container::MpegTs) = Container::split(file)?;
        name.strip_prefix(&self.stem)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_knows_its_own_segments() {
        let job = Job::of("/jf/videos/1", "hls/7a1f/7a1f0.ts").unwrap();
        let reading =
            playlist::read("#EXTM3U\n#EXTINF:2,\nhls/7a1f/7a1f11.ts\n#EXTINF:2,\nhls/7a1f/beef12.ts\n")
                .unwrap();
        let segments = job.segments(&reading);
        assert_eq!(segments.iter().map(|segment| segment.index).collect::<Vec<_>>(), [11]);
        assert!(Job::of("/videos/1", "hls/7a1f/7a1f-1.mp4").is_none());
        assert!(Job::of("/videos/1", "https://elsewhere/x.ts").is_none());
    }
}
