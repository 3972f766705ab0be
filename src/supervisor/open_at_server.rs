//! What is open at the server on the gateway's account, for whoever looks: the ledger without its secrets.
//!
//! It closes nothing.

use std::collections::BTreeSet;
use std::time::SystemTime;

use crate::supervisor::Supervisor;
use crate::upstream::ledger::Entry;
use domain::guid;
use domain::key::ItemId;

/// How many digits of the hash of its name something is known by.
const DIGITS: usize = 12;

/// Something that is open at the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenAtServer {
    /// Its id here. Its name in the ledger may be a play session, with which whoever knows it could end it.
    pub id: String,
    /// The channel's item, if it is known.
    pub item: Option<ItemId>,
    /// When it was opened; `None` if another process of the gateway did it.
    pub since: Option<SystemTime>,
    /// Why it is open.
    pub why: WhyOpen,
}

/// Why something is open at the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyOpen {
    /// A client has opened it, and the gateway closes it in the client's name once it has gone.
    Client,
    /// The server encodes a stream that the gateway has taken over.
    Stream,
    /// The gateway pulls the channel.
    Input,
    /// The gateway is opening it.
    Opening,
    /// It could not be closed, or was left by an earlier process, and is closed as soon as that is possible.
    Leftover,
}

impl WhyOpen {
    /// All reasons.
    pub const ALL: [Self; 5] = [Self::Client, Self::Stream, Self::Input, Self::Opening, Self::Leftover];

    /// The one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Stream => "stream",
            Self::Input => "input",
            Self::Opening => "opening",
            Self::Leftover => "leftover",
        }
    }

    fn of(entry: &Entry, is_left: bool) -> Self {
        if is_left {
            Self::Leftover
        } else if entry.client.is_some() {
            Self::Client
        } else if entry.playlist.is_some() {
            Self::Stream
        } else if entry.live_stream.is_some() {
            Self::Input
        } else {
            Self::Opening
        }
    }
}

impl Supervisor {
    /// What is open at the server on the gateway's account, as far as its ledger knows.
    #[must_use]
    pub fn open_at_server(&self) -> Vec<OpenAtServer> {
        let left: BTreeSet<_> = self.callers.leftovers.names().into_iter().collect();
        let entries = self.callers.ledger.entries().into_iter().map(|(name, entry, since)| OpenAtServer {
            id: guid::md5(&name).chars().take(DIGITS).collect(),
            item: ItemId::parse(&entry.item),
            since,
            why: WhyOpen::of(&entry, left.contains(&name)),
        });
        entries.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_something_is_open_is_told_from_its_entry() {
        let live_stream = Some("live".to_owned());
        let opening = Entry::default();
        let input = Entry { live_stream, ..opening.clone() };
        let stream = Entry { playlist: Some("/x.m3u8".to_owned()), ..input.clone() };
        let client = Entry { client: Some(String::new()), without_job: true, ..input.clone() };
        let why = [&client, &stream, &input, &opening].map(|entry| WhyOpen::of(entry, false));
        assert_eq!(why, [WhyOpen::Client, WhyOpen::Stream, WhyOpen::Input, WhyOpen::Opening]);
        assert_eq!(WhyOpen::of(&client, true), WhyOpen::Leftover);
    }
}
