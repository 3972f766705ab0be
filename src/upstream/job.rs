//! A running HLS job of the server's, as its playlist and file names show it (`DynamicHlsController.cs`).
//!
//! It does not ask for anything.

use std::time::Duration;

use domain::container::Container;
use domain::playlist::{self, Reading};

/// FFmpeg's difference of two timestamps is no duration any more where the input's clock jumps between them.
const LONGEST: Duration = Duration::from_secs(60);

/// A running HLS job of the server's.
#[derive(Clone, Debug)]
pub struct Job {
    /// The path of its folder, with a slash at the end.
    pub(super) folder: String,
    /// The stem of its file names.
    stem: String,
}

/// A segment's place: its number within the job, and its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Counted from 0.
    pub index: u64,
    /// EXTINF; `None` where it is none, for the input's clock has jumped.
    pub duration: Option<Duration>,
    pub(super) file: String,
}

impl Job {
    /// From the URI of its first segment, `hls/{stem}/{stem}{index}.ts`, relative to `videos`.
    pub(super) fn of(videos: &str, uri: &str) -> Option<Self> {
        let (folder, file) = uri.rsplit_once('/')?;
        let stem = folder.strip_prefix("hls/")?;
        let job = Self { folder: format!("{videos}/{folder}/"), stem: stem.to_owned() };
        job.index_of(file).map(|_| job)
    }

    /// The path of its playlist, read through the segment route, which keeps the job alive and needs no token.
    #[must_use]
    pub fn playlist(&self) -> String {
        format!("{}{}.m3u8", self.folder, self.stem)
    }

    /// The pieces that a reading of its playlist lists; what is no segment of this job is left out.
    #[must_use]
    pub fn pieces(&self, reading: &Reading) -> Vec<Piece> {
        let piece = |entry: &playlist::Entry| {
            let file = entry.uri.rsplit('/').next()?;
            let duration =
                Some(entry.duration).filter(|duration| !duration.is_zero() && *duration <= LONGEST);
            Some(Piece { index: self.index_of(file)?, duration, file: file.to_owned() })
        };
        reading.entries.iter().filter_map(piece).collect()
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
        let pieces = job.pieces(&reading);
        assert_eq!(pieces.iter().map(|piece| piece.index).collect::<Vec<_>>(), [11]);
        assert!(Job::of("/videos/1", "hls/7a1f/7a1f-1.mp4").is_none());
        assert!(Job::of("/videos/1", "https://elsewhere/x.ts").is_none());
    }
}
