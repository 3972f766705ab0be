//! The two ways to list the pieces of a stream as segments, and which players get which.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How the pieces of a stream are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Listing {
    /// Each piece is a segment: it may start between two random access points. For players that begin with the first segment of a
    /// list and go on with whatever follows.
    Fine,
    /// The pieces from one random access point to another are a segment. For players that may begin with any segment.
    #[default]
    Keyed,
}

impl Listing {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Fine, Self::Keyed];

    /// The listing for a player with this `User-Agent`; `as_media` says whether the browser itself asks for the list, as for the
    /// source of a media element (`Sec-Fetch-Dest`, W3C Fetch Metadata). Browsers say so to https and localhost only.
    ///
    /// Fine is for hls.js alone, as jellyfin-web sets it up in browsers other than those of Apple, LG and Samsung, where it leaves
    /// playing to the system (htmlVideoPlayer/plugin.js). FFmpeg, Media3 and AVPlayer begin near the end of a list.
    #[must_use]
    pub fn of_player(agent: &str, as_media: bool) -> Self {
        const ENGINES: [&str; 3] = ["chrome/", "firefox/", "chromium/"];
        const SYSTEMS: [&str; 8] =
            ["iphone", "ipad", "ipod", "tizen", "web0s", "webos", "crkey", "applecoremedia"];
        let agent = agent.to_ascii_lowercase();
        let names = |known: &[&str]| known.iter().any(|name| agent.contains(name));
        if !as_media && names(&ENGINES) && !names(&SYSTEMS) { Self::Fine } else { Self::Keyed }
    }

    /// Its name in `gateway.yaml`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Keyed => "keyed",
        }
    }
}

/// The operator's choice of a listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListingChoice {
    /// The one that suits the player ([`Listing::of_player`]).
    #[default]
    Auto,
    /// This one.
    Always(Listing),
}

impl ListingChoice {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Always(Listing::Fine), Self::Always(Listing::Keyed)];

    /// The one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always(listing) => listing.as_str(),
        }
    }
}

/// The operator's choice of where the list of a new viewer begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartChoice {
    /// Near live.
    #[default]
    Join,
    /// At the beginning of the programme that is on, as far back as the stream is kept.
    Programme,
}

impl StartChoice {
    /// Every choice.
    pub const ALL: [Self; 2] = [Self::Join, Self::Programme];

    /// The one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Programme => "program",
        }
    }
}

/// Where a viewer's list begins, and how it goes on. It never changes while the viewer watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinPoint {
    /// How the list is made.
    pub listing: Listing,
    /// The media sequence number of its first segment.
    pub sequence: u64,
    /// Its target duration.
    pub target: Duration,
    /// Whether players are told to begin with its first segment, rather than near live.
    pub plays_from_first: bool,
    /// From which length on it slides, where it is not to grow as long as the window reaches; never under three target durations.
    pub longest: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_players_that_begin_with_the_first_segment_get_fine_lists() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
        let firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0";
        for agent in [chrome, firefox] {
            assert_eq!(Listing::of_player(agent, false), Listing::Fine, "{agent}");
            assert_eq!(Listing::of_player(agent, true), Listing::Keyed, "the browser's own player: {agent}");
        }
        for agent in [
            "",
            "Lavf/61.7.100",
            "Jellyfin Android/2.6.3 (Linux;Android 14) AndroidXMedia3/1.4.1",
            "AppleCoreMedia/1.0.0.21A329 (iPhone; U; CPU OS 17_0 like Mac OS X; en_us)",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Safari/605.1.15",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/119.0 Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko) 76.0.3809.146/6.0 TV Safari/537.36 Chrome/76.0",
            "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/87.0.4280.88 Safari/537.36 WebAppManager",
            "Mozilla/5.0 (X11; Linux armv7l) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/90.0.4430.225 Safari/537.36 CrKey/1.56.500000",
        ] {
            assert_eq!(Listing::of_player(agent, false), Listing::Keyed, "{agent}");
        }
    }
}
