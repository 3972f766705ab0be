//! Prints the zaps as a table, with their milliseconds and a bar.

use std::fmt::Write as _;
use std::time::Duration;

use crate::demo::zap::{Kind, Zap, way};

/// The width of the longest bar, in characters.
const BAR: u128 = 32;
const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// The table, and a sentence that compares the ways back.
pub(super) fn render(zaps: &[Zap]) -> String {
    let mut text = String::new();
    let longest = zaps.iter().map(|zap| zap.segment).max().unwrap_or_default();
    let bar_width = BAR as usize;
    let mut line = |line: &str| {
        let _ = writeln!(text, "  {}", line.trim_end());
    };
    line(&format!(
        "{:<7} {:<13}  {:>12}  {:>8}  {:>7}  {:bar_width$}  {:>6}  {:>6}",
        "zap", "kind", "PlaybackInfo", "playlist", "segment", "", "FFmpeg", "tuners"
    ));
    line(&format!(
        "{:<7} {:<13}  {:>12}  {:>8}  {:>7}  {:bar_width$}  {:>6}  {:>6}",
        "", "", "ms", "ms", "ms", "from the click", "starts", "in use"
    ));
    for zap in zaps {
        line(&format!(
            "{:<7} {:<13}  {:>12}  {:>8}  {:>7}  {:bar_width$}  {:>6}  {:>6}",
            way(zap.from, zap.to),
            zap.kind.as_str(),
            zap.info.as_millis(),
            zap.playlist.as_millis(),
            zap.segment.as_millis(),
            bar(zap.segment, longest),
            zap.starts,
            zap.tuners,
        ));
    }
    if let Some(sentence) = sentence(zaps) {
        let _ = writeln!(text, "\n  {sentence}");
    }
    text
}

/// Compares the mean time of a way back without the gateway and with it.
fn sentence(zaps: &[Zap]) -> Option<String> {
    let mean = |kind: Kind| {
        let times: Vec<_> = zaps.iter().filter(|zap| zap.kind == kind).map(|zap| zap.segment).collect();
        let count = u32::try_from(times.len()).ok().filter(|&count| count > 0)?;
        Some(times.iter().sum::<Duration>() / count)
    };
    let (bare, back) = (mean(Kind::BareBack)?, mean(Kind::Back)?);
    Some(format!(
        "The way back: {} ms without the gateway, {} ms with it.",
        bare.as_millis(),
        back.as_millis()
    ))
}

/// A bar in eighths of a block, at least one.
fn bar(time: Duration, longest: Duration) -> String {
    let eighths = (time.as_micros() * BAR * 8 / longest.as_micros().max(1)).max(1) as usize;
    let mut bar = "█".repeat(eighths / 8);
    bar.extend(EIGHTHS.get((eighths % 8).wrapping_sub(1)));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zap(kind: Kind, millis: u64) -> Zap {
        let segment = Duration::from_millis(millis);
        let (info, playlist) = (segment / 2, segment / 4 * 3);
        Zap { from: Some(1), to: 2, kind, info, playlist, segment, hit: kind.is_warm(), starts: 3, tuners: 2 }
    }

    #[test]
    fn bars_are_in_proportion() {
        let bar = |part: u64| bar(Duration::from_millis(part), Duration::from_millis(256));
        assert_eq!(bar(256), "█".repeat(32));
        assert_eq!(bar(128), "█".repeat(16));
        assert_eq!((bar(9), bar(4), bar(0)), ("█▏".to_owned(), "▌".to_owned(), "▏".to_owned()));
    }

    #[test]
    fn columns_stand_under_each_other() {
        let text = render(&[zap(Kind::BareBack, 4000), zap(Kind::Back, 40)]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[2],
            format!(
                "  1 → 2   bare back              2000      3000     4000  {}       3       2",
                "█".repeat(32)
            )
        );
        assert_eq!(lines[0].chars().count(), lines[2].chars().count());
        assert_eq!(lines[3].chars().count(), lines[2].chars().count());
        assert_eq!(lines[5], "  The way back: 4000 ms without the gateway, 40 ms with it.");
    }
}
