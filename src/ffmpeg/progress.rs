//! Parses FFmpeg's standard error: progress reports and log lines.
//!
//! Addresses are cut out of log lines, since they may contain a password.

use std::time::Duration;

use tracing::Level;

/// The progress of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The time written last, by the source's clock.
    pub time: Duration,
    /// Bytes written.
    pub bytes: u64,
    /// Pictures written.
    pub frames: u64,
}

/// The kind of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line of a report.
    Part,
    /// The last line of a report.
    Report,
    /// A log line, without addresses.
    Log(Level, String),
}

impl Progress {
    /// Parses one line and updates the progress from it.
    pub(super) fn read(&mut self, line: &str) -> Line {
        let line = line.trim();
        let Some((key, value)) = line.split_once('=').filter(|(key, _)| is_key(key)) else {
            return log(line);
        };
        match key {
            "out_time_us" => self.time = value.parse().map_or(self.time, Duration::from_micros),
            "total_size" => self.bytes = value.parse().unwrap_or(self.bytes),
            "frame" => self.frames = value.parse().unwrap_or(self.frames),
            "progress" => return Line::Report,
            _ => {}
        }
        Line::Part
    }
}

/// Keys of reports are words; log lines begin with a bracket.
fn is_key(key: &str) -> bool {
    !key.is_empty()
        && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// `[mpegts @ 0x55d] [warning] text`, or without the first bracket.
fn log(line: &str) -> Line {
    const LEVELS: [(&str, Level); 7] = [
        // The launcher's message if it could not become FFmpeg.
        ("warmgate: ", Level::ERROR),
        ("[panic] ", Level::ERROR),
        ("[fatal] ", Level::ERROR),
        ("[error] ", Level::WARN),
        ("[warning] ", Level::DEBUG),
        ("[info] ", Level::DEBUG),
        ("[verbose] ", Level::TRACE),
    ];
    let found = LEVELS.iter().find_map(|(mark, level)| Some((line.find(mark)?, mark, *level)));
    let Some((at, mark, level)) = found else { return Line::Log(Level::DEBUG, without_addresses(line)) };
    let component = line[..at].trim_start_matches('[').split(" @ ").next().unwrap_or_default().trim();
    let text = without_addresses(&line[at + mark.len()..]);
    Line::Log(level, if component.is_empty() { text } else { format!("{component}: {text}") })
}

/// `text` with every address reduced to its scheme.
fn without_addresses(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        clean.push_str(&rest[..at + 3]);
        clean.push('…');
        let address = &rest[at + 3..];
        let end = address.find(|c: char| c.is_whitespace() || "'\"<>".contains(c)).unwrap_or(address.len());
        // A colon at the end separates the address from the error.
        let end = if address[..end].ends_with(':') { end - 1 } else { end };
        rest = &address[end..];
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports() {
        let mut progress = Progress::default();
        for line in
            ["frame=12", "fps=0.0", "stream_0_0_q=28.0", "total_size=1880", "out_time_us=520000", "speed=N/A"]
        {
            assert_eq!(progress.read(line), Line::Part, "{line}");
        }
        assert_eq!(progress.read("progress=continue"), Line::Report);
        let seen = Progress { time: Duration::from_millis(520), bytes: 1880, frames: 12 };
        assert_eq!(progress, seen);
        for line in ["out_time_us=N/A", "out_time_us=-5", "total_size=N/A"] {
            progress.read(line);
        }
        assert_eq!(progress, seen, "what is no number is no news");
    }

    #[test]
    fn complaints() {
        let said = |line: &str| Progress::default().read(line);
        let log = |level, text: &str| Line::Log(level, text.to_owned());
        assert_eq!(
            said("[mpegts @ 0x5] [warning] corrupt packet"),
            log(Level::DEBUG, "mpegts: corrupt packet")
        );
        assert_eq!(said("[error] Invalid data"), log(Level::WARN, "Invalid data"));
        assert_eq!(said("[fatal] a=b"), log(Level::ERROR, "a=b"));
        assert_eq!(said("warmgate: no such file"), log(Level::ERROR, "no such file"));
        assert_eq!(said("what=is this? no: it is"), Line::Part);
        assert_eq!(said("Bare words"), log(Level::DEBUG, "Bare words"));
    }

    #[test]
    fn no_address_is_repeated() {
        for (line, clean) in [
            (
                "[error] http://me:secret@tv/live?token=1: Server returned 404",
                "http://…: Server returned 404",
            ),
            ("[error] Opening 'rtsp://a:b@c/d' for reading", "Opening 'rtsp://…' for reading"),
            ("[error] http://a https://b", "http://… https://…"),
            ("[error] nothing", "nothing"),
        ] {
            assert_eq!(Progress::default().read(line), Line::Log(Level::WARN, clean.to_owned()));
        }
    }
}
