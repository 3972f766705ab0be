//! One input: what it is pulled from, its members, and what it takes.

use std::collections::{BTreeMap, BTreeSet};

use crate::inputs::member::{Member, Stay};
use crate::key::{Channel, ChannelId, StreamId};
use crate::time::Timestamp;
use crate::viewer::Account;

/// What an input is pulled from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InputKey {
    /// The provider, for a channel of the lineup, by whatever name it was asked for.
    Lineup(ChannelId),
    /// The raw stream that the server shares for a channel it has open.
    Tap(Channel),
}

/// Where an input stands; see the module above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is being pulled, or about to be.
    Open,
    /// Its pull has ended by itself.
    Ended,
    /// It is being closed.
    Closing {
        /// The streams that were among its last members: they are not gone before it is.
        last: Vec<StreamId>,
    },
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Input {
    pub(super) key: InputKey,
    pub(super) state: State,
    pub(super) members: BTreeMap<Member, Stay>,
    /// Whose credentials can release what the server holds for it.
    pub(super) accounts: BTreeSet<Account>,
    /// The playlist whose connection it has.
    pub(super) playlist: Option<usize>,
    pub(super) held: u64,
    pub(super) pulled: u64,
}

impl Input {
    pub(super) const fn new(key: InputKey, playlist: Option<usize>) -> Self {
        Self {
            key,
            state: State::Open,
            members: BTreeMap::new(),
            accounts: BTreeSet::new(),
            playlist,
            held: 0,
            pulled: 0,
        }
    }

    /// Whether it is being closed.
    #[must_use]
    pub const fn is_closing(&self) -> bool {
        matches!(self.state, State::Closing { .. })
    }

    /// Whether it is being pulled.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// The streams that are made from it.
    #[must_use]
    pub fn streams(&self) -> Vec<StreamId> {
        let streams = self.members.keys().filter_map(|member| match member {
            Member::Stream(stream) => Some(*stream),
            Member::Prefetch(_) | Member::Reader(_) | Member::Lingering(_) => None,
        });
        streams.collect()
    }

    /// Whether a client reads it as it is.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.members.keys().any(|member| matches!(member, Member::Reader(_)))
    }

    /// Whether a viewer is expected on it.
    #[must_use]
    pub fn is_expected(&self) -> bool {
        self.members.keys().any(|member| member.is_prefetch())
    }

    /// Whether viewers who are expected are its only members.
    #[must_use]
    pub fn is_only_prefetch(&self) -> bool {
        self.members.keys().all(|member| member.is_prefetch())
    }

    /// Whether none of its members is there.
    #[must_use]
    pub fn is_deserted(&self) -> bool {
        self.members.keys().all(|member| member.is_absent())
    }

    /// When the last of its readers left that may still come back.
    #[must_use]
    pub fn left_at(&self) -> Option<Timestamp> {
        let lingering = self.members.iter().filter(|(member, _)| matches!(member, Member::Lingering(_)));
        lingering.map(|(_, stay)| stay.since).max()
    }

    /// The playlist whose connection it has.
    #[must_use]
    pub const fn playlist(&self) -> Option<usize> {
        self.playlist
    }

    /// Bytes of memory.
    #[must_use]
    pub const fn held(&self) -> u64 {
        self.held
    }

    /// Bytes that the server has written on its disk for it: all that a tap has pulled.
    #[must_use]
    pub const fn written(&self) -> u64 {
        match self.key {
            InputKey::Tap(_) => self.pulled,
            InputKey::Lineup(_) => 0,
        }
    }

    /// Whether `account` is the only one whose credential could release it.
    #[must_use]
    pub fn is_released_only_by(&self, account: Account) -> bool {
        matches!(self.key, InputKey::Tap(_)) && self.accounts.iter().all(|known| *known == account)
    }

    /// The credential of `account` can release it, too.
    pub fn introduce(&mut self, account: Account) {
        self.accounts.insert(account);
    }

    /// The credential of `account` is worth nothing any more.
    pub fn forget(&mut self, account: Account) {
        self.accounts.remove(&account);
    }
}
