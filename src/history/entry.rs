//! What is written into the history.

use std::time::Duration;

use domain::key::{ItemId, MediaSourceId};
use domain::pool::foresight::Remembered;
use domain::reason::ZapOutcome;
use domain::time::Timestamp;
use domain::viewer::PlayerKey;

/// An entry.
#[derive(Clone, Debug)]
pub enum Entry {
    /// The pool has told it.
    Remembered(Remembered),
    /// A change of channel is over.
    Zapped(Zapped),
    /// The name and the number of a channel.
    Channel(ItemId, String, Option<String>),
    /// The name of the user or device with this fingerprint.
    Person(u64, String),
    /// What a media source carries, as its reader writes it.
    Source(MediaSourceId, String),
    /// The gateway ends: nobody watches any more.
    End(Timestamp),
}

/// A change of channel that is over.
#[derive(Clone, Debug)]
pub struct Zapped {
    /// The player.
    pub player: PlayerKey,
    /// The channel.
    pub item: ItemId,
    /// When it began.
    pub begun: Timestamp,
    /// How long its viewer waited; `None` where nothing came.
    pub waited: Option<Duration>,
    /// What it met.
    pub outcome: ZapOutcome,
    /// Why, in one word; empty where the outcome says it all.
    pub reason: &'static str,
}
