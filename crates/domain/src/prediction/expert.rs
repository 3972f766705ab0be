//! The experts: each says by one rule where a viewer goes next.

/// A rule by which the next channel is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expert {
    /// The neighbour, in the direction of the steps before.
    Linear,
    /// A channel that was watched a few channels ago.
    Recent,
    /// A channel that was viewed a few views ago.
    Viewed,
    /// What followed this channel before.
    Successor,
    /// What the viewer watches often and lately.
    Frequent,
    /// What the viewer watches at this time of the day.
    Daypart,
    /// What all viewers watch.
    Popular,
}

/// The number of experts.
pub(super) const EXPERTS: usize = Expert::ALL.len();

impl Expert {
    /// Every expert, in the order of their weights.
    pub const ALL: [Self; 7] = [
        Self::Linear,
        Self::Recent,
        Self::Viewed,
        Self::Successor,
        Self::Frequent,
        Self::Daypart,
        Self::Popular,
    ];

    /// The one spelling of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Recent => "recent",
            Self::Viewed => "viewed",
            Self::Successor => "successor",
            Self::Frequent => "frequent",
            Self::Daypart => "daypart",
            Self::Popular => "popular",
        }
    }

    /// Its place in [`Self::ALL`].
    pub(super) const fn place(self) -> usize {
        match self {
            Self::Linear => 0,
            Self::Recent => 1,
            Self::Viewed => 2,
            Self::Successor => 3,
            Self::Frequent => 4,
            Self::Daypart => 5,
            Self::Popular => 6,
        }
    }
}

/// A value for each expert, in the order of [`Expert::ALL`].
pub(super) type PerExpert = [f64; EXPERTS];
