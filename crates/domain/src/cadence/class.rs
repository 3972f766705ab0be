//! The kinds of players, told apart by their `User-Agent` and later by how they behave.

/// How a player behaves when nothing is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// In a browser: polls on in a pause, once a minute in a hidden tab.
    Web,
    /// In an app (Media3, AVPlayer, Roku): polls on in a pause.
    App,
    /// Asks only when its reader does (FFmpeg, mpv, VLC): silent in a pause.
    Pull,
    /// Treated as a browser.
    Unknown,
}

impl Class {
    /// Every class, in order.
    pub const ALL: [Self; 4] = [Self::Web, Self::App, Self::Pull, Self::Unknown];

    /// What `User-Agent` lets expect (zapping 3.1); behaviour may say otherwise later.
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

    /// The one spelling of it.
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
