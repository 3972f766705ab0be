//! A household, and what happened to it.

use std::collections::BTreeMap;

use crate::value::Thrift;

/// A household and its server.
#[derive(Clone, Copy, Debug)]
pub struct Household {
    /// The number of tuners.
    pub tuners: u32,
    /// Whether the server tells it.
    pub tells: bool,
    /// How long it is simulated.
    pub days: f64,
    /// What it draws its chances from.
    pub seed: u64,
    /// How dear a channel is held to be that is started before anybody asks; `None` if none is.
    pub ahead: Option<Thrift>,
}

/// What happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Week {
    /// Openings that viewers asked for.
    pub zaps: u64,
    /// Those that were refused since other viewers and recordings had all tuners.
    pub refused: u64,
    /// Those that were refused although a tuner was open for nobody.
    pub refused_for_warmth: u64,
    /// Openings that found their channel open.
    pub warm: u64,
    /// Channels that were opened before anybody asked.
    pub started_ahead: u64,
    /// Recordings.
    pub recordings: u64,
    /// Their attempts that were denied a tuner since viewers and other recordings had all of them.
    pub recordings_late: u64,
    /// Those that were denied one although a tuner was open for nobody.
    pub recordings_late_for_warmth: u64,
    /// Streams that were stopped under a viewer, by the reason.
    pub cut: BTreeMap<&'static str, u64>,
    /// How often more channels were open for nobody than limit and reserve allow.
    pub surplus: u64,
    /// Tuners that are open once everybody has left and all limits have passed.
    pub left_behind: usize,
}
