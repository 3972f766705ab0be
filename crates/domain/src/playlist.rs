//! Reads the server's media playlists and writes ours (RFC 8216bis, section 4).
//!
//! It does not know which segments a window lists, nor who reads them.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::container::Container;

/// A segment in the server's playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The duration in EXTINF.
    pub duration: Duration,
    /// The URI as listed, relative to the playlist.
    pub uri: String,
}

/// The part of a playlist that was read: all of it, or the lines from somewhere on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The segments, in order.
    pub entries: Vec<Entry>,
    /// Whether it has EXT-X-ENDLIST.
    pub ended: bool,
}

/// Reads a whole playlist; `None` if `text` is no playlist.
#[must_use]
pub fn read(text: &str) -> Option<Reading> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let rest = text.strip_prefix("#EXTM3U")?;
    (rest.is_empty() || rest.starts_with(['\r', '\n'])).then(|| read_lines(rest))
}

/// Reads the end of a playlist. The first line may be incomplete, so it is skipped, and a URI without its EXTINF with it.
#[must_use]
pub fn read_tail(text: &str) -> Reading {
    read_lines(text.split_once('\n').map_or("", |(_, rest)| rest))
}

fn read_lines(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut duration = None;
    for line in text.lines().map(str::trim) {
        if let Some(extinf) = line.strip_prefix("#EXTINF:") {
            duration = parse_duration(extinf);
        } else if line == "#EXT-X-ENDLIST" {
            reading.ended = true;
        } else if !line.is_empty()
            && !line.starts_with('#')
            && let Some(duration) = duration.take()
        {
            reading.entries.push(Entry { duration, uri: line.to_owned() });
        }
    }
    reading
}

fn parse_duration(extinf: &str) -> Option<Duration> {
    let seconds = extinf.split(',').next()?.trim().parse::<f64>().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The target duration of a stream, which never changes, from its first segment and the length it is cut at.
///
/// FFmpeg cuts at the first key frame behind each multiple of `cut` (libavformat/hlsenc.c). With regular key frames no
/// segment is longer than the first one, if that is at least `cut`, nor than the sum of both, if it started between two
/// key frames. The server's own EXT-X-TARGETDURATION cannot be used, because it grows
/// (`fixtures/jellyfin/api-12.0-adopt.ndjson`). One more second allows for irregular key frames.
#[must_use]
pub fn target_duration(first: Duration, cut: Duration) -> Duration {
    let longest = if first >= cut { first } else { first + cut };
    let seconds = longest.as_secs() + u64::from(longest.subsec_nanos() > 0);
    Duration::from_secs(seconds.max(cut.as_secs() + 1))
}

/// The least target duration of a playlist in which a segment of this duration may stand (RFC 8216bis, 4.4.3.1).
#[must_use]
pub const fn least_target(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs() + (duration.subsec_millis() >= 500) as u64)
}

/// Whether a segment may stand in a playlist with this target duration (RFC 8216bis, 4.4.3.1).
#[must_use]
pub fn fits(duration: Duration, target: Duration) -> bool {
    duration < target + Duration::from_millis(500)
}

/// A segment to list in a playlist of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The media sequence number.
    pub sequence: u64,
    /// The duration in EXTINF.
    pub duration: Duration,
    /// Whether EXT-X-DISCONTINUITY precedes it.
    pub discontinuity: bool,
    /// How many EXT-X-DISCONTINUITY tags precede this segment's own in the stream.
    pub discontinuity_sequence: u64,
    /// When it began, since 1970.
    pub date: Duration,
}

/// What a live playlist says before its first segment.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// The target duration.
    pub target: Duration,
    /// Whether it offers blocking playlist reload (4.4.3.8).
    pub blocking: bool,
    /// Whether it promises that no segment is ever removed (4.4.3.5).
    pub only_grows: bool,
    /// Whether players are to begin with its first segment, rather than near its end (4.4.2.2).
    pub plays_from_first: bool,
}

/// Writes what stands before the segments of a live playlist that begins with `first`.
///
/// The first segment sets EXT-X-MEDIA-SEQUENCE and EXT-X-DISCONTINUITY-SEQUENCE (4.4.3.2, 4.4.3.3).
#[must_use]
pub fn head(head: Head, first: Option<Listed>) -> String {
    let Head { target, blocking, only_grows, plays_from_first } = head;
    let (sequence, discontinuities) =
        first.map_or((0, 0), |first| (first.sequence, first.discontinuity_sequence));
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:{sequence}\n",
        target.as_secs()
    );
    if only_grows {
        text.push_str("#EXT-X-PLAYLIST-TYPE:EVENT\n");
    }
    if plays_from_first {
        text.push_str("#EXT-X-START:TIME-OFFSET=0\n");
    }
    if blocking {
        text.push_str("#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n");
    }
    if discontinuities > 0 {
        let _ = writeln!(text, "#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuities}");
    }
    if let Some(first) = first.filter(|first| !first.discontinuity) {
        write_date(&mut text, first.date);
    }
    text
}

/// Writes a segment, with a name that resolves in the folder of its playlist.
pub fn write_segment(text: &mut String, segment: &Listed) {
    if segment.discontinuity {
        text.push_str("#EXT-X-DISCONTINUITY\n");
        write_date(text, segment.date);
    }
    let name = Container::MpegTs.file(segment.sequence);
    let _ = writeln!(text, "#EXTINF:{:.6},\n{name}", segment.duration.as_secs_f64());
}

/// Writes EXT-X-PROGRAM-DATE-TIME (4.4.4.6).
fn write_date(text: &mut String, date: Duration) {
    let millis = i64::try_from(date.as_millis()).unwrap_or(i64::MAX);
    if let Ok(date) = jiff::Timestamp::from_millisecond(millis) {
        let _ = writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{date:.3}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `fixtures/jellyfin/api-12.0-adopt.ndjson`, "playlist by id, 4 s later".
    const RECORDED: &str = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:0\n\
        #EXT-X-PLAYLIST-TYPE:EVENT\n#EXTINF:2.000000,\nhls/7a1f/7a1f0.ts\n#EXTINF:4.000000,\nhls/7a1f/7a1f1.ts\n";

    fn entry(seconds: u64, uri: &str) -> Entry {
        Entry { duration: Duration::from_secs(seconds), uri: uri.to_owned() }
    }

    #[test]
    fn reads_what_the_server_was_seen_to_send() {
        let reading = read(RECORDED).unwrap();
        assert_eq!(reading.entries, [entry(2, "hls/7a1f/7a1f0.ts"), entry(4, "hls/7a1f/7a1f1.ts")]);
        assert!(!reading.ended);
    }

    #[test]
    fn a_tail_read_anywhere_invents_nothing() {
        let whole = read(RECORDED).unwrap().entries;
        for cut in 0..RECORDED.len() {
            let tail = read_tail(&RECORDED[cut..]).entries;
            assert!(whole.ends_with(&tail), "cut at {cut}: {tail:?}");
        }
    }

    #[test]
    fn what_is_no_playlist_is_refused() {
        for text in ["", "<html>", "Error processing request.", "#EXTM3U8\n", " #EXTM3U\n"] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn odd_lines_do_no_harm() {
        let text = "#EXTM3U\r\n#EXTINF:-1,\r\na.ts\r\n#EXTINF:nan,\nb.ts\n#EXTINF:3.5,title, with comma\n\nc.ts\n\
                    #EXT-X-ENDLIST\n#EXTINF:9";
        let reading = read(text).unwrap();
        assert_eq!(
            reading.entries,
            [Entry { duration: Duration::from_millis(3500), uri: "c.ts".to_owned() }]
        );
        assert!(reading.ended);
    }

    #[test]
    fn the_target_duration_covers_what_is_yet_to_come() {
        let target = |first: u64, cut: u64| {
            target_duration(Duration::from_millis(first), Duration::from_secs(cut)).as_secs()
        };
        assert_eq!(target(3000, 3), 4); // encoded: key frames forced every 3 s
        assert_eq!(target(4000, 3), 4); // copied, 2 s apart: 4, 2, 4, 2 …
        assert_eq!(target(2000, 3), 5); // the same, begun in mid-air: 2, 4, 2, 4 …
        assert_eq!(target(14_000, 3), 14); // copied, 14 s apart
        assert_eq!(target(6006, 6), 7); // Apple
    }

    #[test]
    fn writes_a_list() {
        let listed = [(7, false, 1), (8, true, 1)].map(|(sequence, discontinuity, before)| Listed {
            sequence,
            duration: Duration::from_millis(2002),
            discontinuity,
            discontinuity_sequence: before,
            date: Duration::from_millis(1_796_000_000_000 + sequence),
        });
        let written = |only_grows, listed: &[Listed]| {
            let target = Duration::from_secs(4);
            let head_of = Head { target, blocking: false, only_grows, plays_from_first: only_grows };
            let mut text = head(head_of, listed.first().copied());
            listed.iter().for_each(|segment| write_segment(&mut text, segment));
            text
        };
        assert_eq!(
            written(true, &listed),
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:7\n\
             #EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-START:TIME-OFFSET=0\n#EXT-X-DISCONTINUITY-SEQUENCE:1\n\
             #EXT-X-PROGRAM-DATE-TIME:2026-11-30T00:53:20.007Z\n#EXTINF:2.002000,\n7.ts\n\
             #EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2026-11-30T00:53:20.008Z\n#EXTINF:2.002000,\n8.ts\n"
        );
        assert_eq!(
            written(false, &listed[1..]),
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:8\n\
             #EXT-X-DISCONTINUITY-SEQUENCE:1\n\
             #EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2026-11-30T00:53:20.008Z\n#EXTINF:2.002000,\n8.ts\n"
        );
    }
}
