//! Says to a viewer who gets no tuner what the tuners are used for.

use std::fmt::Write as _;
use std::time::Duration;

/// The most channels that are listed; a household has no more tuners.
const LISTED: usize = 8;

/// What a tuner is used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenTuner {
    /// The channel's name, if it is known.
    pub channel: Option<String>,
    /// Who or what needs it.
    pub by: TakenBy,
}

/// Who or what needs a tuner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TakenBy {
    /// A recording, which goes on for so long.
    Recording(Duration),
    /// A recording, which goes on until this time of the viewer's clock.
    RecordingUntil(String),
    /// The users with these names.
    Users(Vec<String>),
    /// The viewer that is told of it, on another device.
    Yourself,
    /// Users whose names are unknown, or not for everybody to know.
    Others,
}

/// The sentence about all tuners.
#[must_use]
pub fn all_are_taken(tuners: &[TakenTuner]) -> String {
    let mut text = match tuners.len() {
        1 => "The only tuner is in use".to_owned(),
        2 => "Both tuners are in use".to_owned(),
        count => format!("All {count} tuners are in use"),
    };
    for (at, TakenTuner { channel, by }) in tuners.iter().take(LISTED).enumerate() {
        let channel = channel.as_deref().unwrap_or("another channel");
        let by = match by {
            TakenBy::Recording(left) => format!("recording for {} more", span(*left)),
            TakenBy::RecordingUntil(time) => format!("recording until {time}"),
            TakenBy::Users(names) => names.join(", "),
            TakenBy::Yourself => "watched by you on another device".to_owned(),
            TakenBy::Others => "watched by others".to_owned(),
        };
        // Writing to a text does not fail.
        let _ = write!(text, "{} {channel} ({by})", if at == 0 { ":" } else { "," });
    }
    text
}

/// The sentence about a limit of streams.
#[must_use]
pub fn too_many_streams(limit: u32) -> String {
    match limit {
        0 => "You may not watch live TV on this device".to_owned(),
        1 => "You may watch one channel at a time, and another of your devices is watching".to_owned(),
        limit => {
            format!("You may watch {limit} channels at a time, and as many of your devices are watching")
        }
    }
}

/// A span in whole minutes, rounded up.
fn span(left: Duration) -> String {
    let minutes = left.as_secs().div_ceil(60).max(1);
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_channels_and_what_they_are_needed_for() {
        let taken = |channel: Option<&str>, by| TakenTuner { channel: channel.map(str::to_owned), by };
        let tuners = [
            taken(Some("Channel 1"), TakenBy::Users(vec!["alice".to_owned(), "bob".to_owned()])),
            taken(Some("Channel 3"), TakenBy::Recording(Duration::from_secs(3601))),
            taken(None, TakenBy::Others),
            taken(Some("Channel 4"), TakenBy::RecordingUntil("21:00".to_owned())),
        ];
        assert_eq!(
            all_are_taken(&tuners),
            "All 4 tuners are in use: Channel 1 (alice, bob), Channel 3 (recording for 1 h 1 min more), \
             another channel (watched by others), Channel 4 (recording until 21:00)"
        );
        let own = [taken(Some("News"), TakenBy::Yourself)];
        assert_eq!(all_are_taken(&own), "The only tuner is in use: News (watched by you on another device)");
        assert!(all_are_taken(&tuners[..2]).starts_with("Both tuners are in use: Channel 1"));
    }

    #[test]
    fn spans_are_whole_minutes() {
        for (seconds, text) in
            [(0, "1 min"), (60, "1 min"), (61, "2 min"), (7200, "2 h"), (7201, "2 h 1 min")]
        {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }
}
