//! The kinds of players, told apart by their `User-Agent` and later by how they behave.

use serde::{Deserialize, Serialize};

/// How a kind of player behaves in a pause and in the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    /// A browser: goes on polling in a pause, and once a minute in a hidden tab.
    Web,
    /// An app (Media3, AVPlayer, Roku): goes on polling in a pause.
    App,
    /// A player that requests only what its reader asks for (FFmpeg, mpv, VLC): silent in a pause.
    Pull,
    /// Treated as a browser.
    Unknown,
}

impl Class {
    /// Every class, in order.
    pub const ALL: [Self; 4] = [Self::Web, Self::App, Self::Pull, Self::Unknown];

    /// The class that a `User-Agent` suggests (docs/presence.md 1). The player's behaviour may correct it later.
    #[must_use]
    pub fn of_user_agent(agent: &str) -> Self {
        const PULL: [&str; 8] =
            ["lavf/", "libmpv", "mpv ", "vlc/", "libvlc", "kodi/", "gstreamer", "mplayer"];
        const APP: [&str; 10] = [
            "exoplayer",
            "media3",
            "applecoremedia",
            "dalvik",
            "okhttp",
            "roku/",
            "swiftfin",
            "infuse",
            "findroid",
            "jellyfin android",
        ];
        let agent = agent.to_ascii_lowercase();
        let names = |known: &[&str]| known.iter().any(|name| agent.contains(name));
        if names(&PULL) {
            Self::Pull
        } else if names(&APP) {
            Self::App
        } else if agent.contains("mozilla/") {
            Self::Web
        } else {
            Self::Unknown
        }
    }

    /// Its name in logs and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::App => "app",
            Self::Pull => "pull",
            Self::Unknown => "unknown",
        }
    }
}
