//! The scenarios: the actions of a viewer and their times.

/// An action of the viewer, or an event of the network or the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Pause,
    Resume,
    /// Another tab comes to the front.
    Hide,
    Show,
    /// The player is quit in an orderly way, or its tab closed.
    Stop,
    /// SIGKILL.
    Kill,
    /// SIGSTOP, as for a phone in a pocket.
    Freeze,
    Thaw,
    /// The network fails.
    Cut,
    Restore,
}

impl Deed {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Hide => "hide",
            Self::Show => "show",
            Self::Stop => "stop",
            Self::Kill => "kill",
            Self::Freeze => "freeze",
            Self::Thaw => "thaw",
            Self::Cut => "cut",
            Self::Restore => "restore",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scenario {
    /// Three minutes, then stopped
    Stop,
    /// Paused for 90 s in the middle
    Pause,
    /// Two minutes, then killed
    Kill,
    /// Without a network for 30 s
    Cut,
    /// Without a network for good
    Lost,
    /// Two minutes behind another tab, with sound
    Hide,
    /// Eight minutes behind another tab, muted
    HideMuted,
    /// Frozen by the system for a minute
    Freeze,
}

impl Scenario {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Pause => "pause",
            Self::Kill => "kill",
            Self::Cut => "cut",
            Self::Lost => "lost",
            Self::Hide => "hide",
            Self::HideMuted => "hide-muted",
            Self::Freeze => "freeze",
        }
    }

    /// The actions, each with the seconds before it.
    pub(crate) const fn deeds(self) -> &'static [(u64, Deed)] {
        match self {
            Self::Stop => &[(180, Deed::Stop)],
            Self::Pause => &[(60, Deed::Pause), (90, Deed::Resume), (60, Deed::Stop)],
            Self::Kill => &[(120, Deed::Kill)],
            Self::Cut => &[(60, Deed::Cut), (30, Deed::Restore), (90, Deed::Stop)],
            Self::Lost => &[(60, Deed::Cut), (120, Deed::Kill)],
            Self::Hide => &[(60, Deed::Hide), (120, Deed::Show), (40, Deed::Stop)],
            Self::HideMuted => &[(40, Deed::Hide), (480, Deed::Show), (40, Deed::Stop)],
            Self::Freeze => &[(60, Deed::Freeze), (60, Deed::Thaw), (60, Deed::Stop)],
        }
    }
}
