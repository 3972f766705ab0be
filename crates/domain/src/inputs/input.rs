//! Describes one input: its origin, its state, its members and the resources that it uses.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::inputs::member::{Member, Stay};
use crate::key::{Channel, ChannelId, StreamId};
use crate::time::Timestamp;
use crate::viewer::Account;

/// The origin that an input is pulled from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InputKey {
    /// The provider, for this channel of the lineup.
    Lineup(ChannelId),
    /// The raw stream that the server shares for this channel while it is open.
    Tap(Channel),
}

/// The state of an input; see the diagram of [`crate::inputs`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The input is being pulled, or is about to be.
    Open,
    /// The pull has ended by itself.
    Ended,
    /// The input is being closed.
    Closing {
        /// The streams among its last members. They are forgotten only after the input is closed.
        last: Vec<StreamId>,
    },
}

/// An input and its members.
#[derive(Clone, Debug)]
pub struct Input {
    pub(super) key: InputKey,
    pub(super) state: State,
    pub(super) members: BTreeMap<Member, Stay>,
    /// The accounts whose credentials can close the live stream behind a tap.
    pub(super) accounts: BTreeSet<Account>,
    /// The provider's playlist of which the input occupies a connection.
    pub(super) playlist: Option<usize>,
    /// Bytes of memory.
    pub(super) held: u64,
    /// Bytes pulled since the input was opened.
    pub(super) pulled: u64,
    /// When the last of them came.
    pub(super) grew_at: Option<Timestamp>,
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
            grew_at: None,
        }
    }

    /// What the input is pulled from.
    #[must_use]
    pub const fn key(&self) -> &InputKey {
        &self.key
    }

    /// Whether the input is being closed.
    #[must_use]
    pub const fn is_closing(&self) -> bool {
        matches!(self.state, State::Closing { .. })
    }

    /// Whether the input is being pulled, or is about to be.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// The streams that are made from this input.
    #[must_use]
    pub fn streams(&self) -> Vec<StreamId> {
        let streams = self.members.keys().filter_map(|member| match member {
            Member::Stream(stream) => Some(*stream),
            Member::Prefetch(_) | Member::Reader(_) | Member::Lingering(_) | Member::Expected(_) => None,
        });
        streams.collect()
    }

    /// Whether a client reads the raw stream.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.members.keys().any(|member| matches!(member, Member::Reader(_)))
    }

    /// Whether one of the members is a prefetch.
    #[must_use]
    pub fn has_prefetch(&self) -> bool {
        self.members.keys().any(|member| member.is_prefetch())
    }

    /// Until when it is kept for a viewer who may come.
    #[must_use]
    pub fn expected_until(&self) -> Option<Timestamp> {
        let expected = self.members.iter().filter(|(member, _)| member.is_expected());
        expected.filter_map(|(_, stay)| stay.until).max()
    }

    /// Whether all members are prefetches.
    #[must_use]
    pub fn is_only_prefetch(&self) -> bool {
        self.members.keys().all(|member| member.is_prefetch())
    }

    /// Whether no member reads the input at present.
    #[must_use]
    pub fn is_deserted(&self) -> bool {
        self.members.keys().all(|member| member.is_absent())
    }

    /// When the latest of the readers left that may still come back.
    #[must_use]
    pub fn left_at(&self) -> Option<Timestamp> {
        let lingering = self.members.iter().filter(|(member, _)| matches!(member, Member::Lingering(_)));
        lingering.map(|(_, stay)| stay.since).max()
    }

    /// Keeps it for readers that have left no longer than this.
    pub(super) fn shorten_stays(&mut self, longest: Duration) {
        let lingering = self.members.iter_mut().filter(|(member, _)| matches!(member, Member::Lingering(_)));
        lingering.for_each(|(_, stay)| stay.until = stay.until.map(|until| until.min(stay.since + longest)));
    }

    /// The provider's playlist of which the input occupies a connection.
    #[must_use]
    pub const fn playlist(&self) -> Option<usize> {
        self.playlist
    }

    /// When its last bytes came.
    #[must_use]
    pub const fn grew_at(&self) -> Option<Timestamp> {
        self.grew_at
    }

    /// Bytes of memory that the input holds.
    #[must_use]
    pub const fn held(&self) -> u64 {
        self.held
    }

    /// Bytes that the server has written to its disk for this input: everything that a tap has pulled, 0 for the provider's.
    #[must_use]
    pub const fn written(&self) -> u64 {
        match self.key {
            InputKey::Tap(_) => self.pulled,
            InputKey::Lineup(_) => 0,
        }
    }

    /// Whether no other account's credential can close the live stream behind this input.
    #[must_use]
    pub fn is_released_only_by(&self, account: Account) -> bool {
        matches!(self.key, InputKey::Tap(_)) && self.accounts.iter().all(|known| *known == account)
    }

    /// Whether it is pulled from a provider, and only since this account has opened the channel and may request a stream of it.
    #[must_use]
    pub fn is_pulled_ahead_for(&self, account: Account) -> bool {
        matches!(self.key, InputKey::Lineup(_))
            && self.is_only_prefetch()
            && self.accounts.iter().all(|known| *known == account)
    }

    /// Adds an account whose credential can close the live stream.
    pub fn add_account(&mut self, account: Account) {
        self.accounts.insert(account);
    }

    /// Removes an account whose credential has been revoked.
    pub fn forget(&mut self, account: Account) {
        self.accounts.remove(&account);
    }
}
