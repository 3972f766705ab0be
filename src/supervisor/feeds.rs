//! Which channels' inputs are open, and for whom: one feed per channel, however many streams are made from it. What the
//! last member leaves is closed.
//!
//! Members are a set, so that nothing can be counted wrong. It does not know what is made of a feed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::supervisor::intake::Intake;
use crate::upstream::jellyfin::Login;
use domain::key::{Channel, ChannelId, InputId, LiveStreamId, StreamId};
use domain::pool::{Claim, Input};
use domain::viewer::Account;

/// What a feed is pulled from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// A channel of the lineup, however it was asked for: the provider has it.
    Lineup(ChannelId),
    /// A channel that the server has open, and shares.
    Tap(Channel),
}

/// Who needs a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Member {
    /// Whoever was told of an opening, and is expected to ask for a stream of it; who was told later has a larger number.
    Expected(u64),
    /// A stream.
    Stream(StreamId),
    /// Who reads it as it is.
    Reader(u64),
    /// Who did so until a while ago, and may come back.
    Left(u64),
}

impl Member {
    /// Whether it has left, or is yet to come.
    const fn is_absent(&self) -> bool {
        match self {
            Self::Left(_) | Self::Expected(_) => true,
            Self::Stream(_) | Self::Reader(_) => false,
        }
    }
}

/// Nobody reads a feed, and if nobody watches what is made from it, its input can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spare {
    pub(super) source: Source,
    pub(super) streams: Vec<StreamId>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    open: Mutex<BTreeMap<Source, Entry>>,
    /// The number of the next one that needs one.
    next: AtomicU64,
}

#[derive(Debug)]
struct Entry {
    id: InputId,
    intake: Arc<Intake>,
    members: BTreeSet<Member>,
}

impl Feeds {
    /// Makes `member` one of a channel's feed, which `open` opens if there is none that flows or may yet flow; it is told
    /// which one it replaces.
    ///
    /// # Errors
    /// Those of `open`.
    pub(super) fn join<E>(
        &self,
        source: &Source,
        member: Member,
        open: impl FnOnce(Option<Arc<Intake>>) -> Result<Intake, E>,
    ) -> Result<Arc<Intake>, E> {
        let mut feeds = self.feeds();
        let mut members = BTreeSet::from([member]);
        if let Some(entry) = feeds.get_mut(source) {
            if matches!(member, Member::Stream(_)) {
                // Here they are.
                entry.members.retain(|member| !matches!(member, Member::Expected(_)));
            }
            if entry.intake.is_alive() {
                entry.members.insert(member);
                return Ok(Arc::clone(&entry.intake));
            }
            members.extend(&entry.members);
        }
        let replaced = feeds.get(source).map(|entry| Arc::clone(&entry.intake));
        let intake = Arc::new(open(replaced)?);
        let id = InputId(self.number());
        feeds.insert(source.clone(), Entry { id, intake: Arc::clone(&intake), members });
        Ok(intake)
    }

    /// The feed that a member has, if it flows or may yet flow.
    pub(super) fn of(&self, member: Member) -> Option<Arc<Intake>> {
        let feeds = self.feeds();
        let mut alive = feeds.values().filter(|entry| entry.intake.is_alive());
        alive.find(|entry| entry.members.contains(&member)).map(|entry| Arc::clone(&entry.intake))
    }

    /// `member` needs it no more; returns when what nobody needs any more is closed.
    pub(super) async fn leave(&self, source: &Source, member: Member) {
        self.dismiss(|of, known| of == source && *known == member).await;
    }

    /// `member` needs no feed any more, or none but that of `except`.
    pub(super) async fn leave_all(&self, member: Member, except: Option<&Source>) {
        self.dismiss(|of, known| Some(of) != except && *known == member).await;
    }

    /// A reader has left; it may come back as long as it is kept.
    pub(super) fn left(&self, source: &Source, reader: u64) {
        if let Some(entry) = self.feeds().get_mut(source)
            && entry.members.remove(&Member::Reader(reader))
        {
            entry.members.insert(Member::Left(reader));
        }
    }

    /// Nobody is needed any more but the streams.
    pub(super) async fn close(&self) {
        self.dismiss(|_, member| !matches!(member, Member::Stream(_))).await;
    }

    /// Closes a feed that is only kept for who has left it, or is yet to come; says whether there was one.
    pub(super) async fn close_unread(&self) -> bool {
        let unread = {
            let feeds = self.feeds();
            let unread = feeds.iter().filter(|(_, entry)| entry.is_unread());
            // Who has left is less likely to ask than who has just opened a channel.
            let unread = unread.min_by_key(|(_, entry)| entry.claim());
            unread.map(|(source, _)| source.clone())
        };
        let Some(unread) = unread else { return false };
        self.let_absent_go(&unread).await;
        true
    }

    /// Whether a feed is only kept for who has left it, or is yet to come.
    pub(super) fn has_unread(&self) -> bool {
        self.feeds().values().any(Entry::is_unread)
    }

    /// Nobody who has left is expected back.
    pub(super) async fn forget_left(&self, source: &Source) {
        self.dismiss(|of, member| of == source && matches!(member, Member::Left(_))).await;
    }

    /// What could be closed so that a connection of one of `playlists` is free, what costs least first.
    pub(super) fn spare(&self, playlists: &[usize]) -> Vec<Spare> {
        let feeds = self.feeds();
        let held = feeds.iter().filter(|(_, entry)| {
            entry.intake.playlist().is_some_and(|playlist| playlists.contains(&playlist))
                && !entry
                    .members
                    .iter()
                    .any(|member| matches!(member, Member::Expected(_) | Member::Reader(_)))
        });
        let mut spare: Vec<_> =
            held.map(|(source, entry)| Spare { source: source.clone(), streams: entry.streams() }).collect();
        spare.sort_by_key(|spare| spare.streams.len());
        spare
    }

    /// All that are open, as the pool sees them.
    pub(super) fn inputs(&self) -> Vec<Input> {
        let input = |entry: &Entry| {
            let counts = entry.intake.feed.counts();
            let written = if entry.intake.is_on_disk() { counts.bytes } else { 0 };
            Input { id: entry.id, streams: entry.streams(), claim: entry.claim(), held: counts.held, written }
        };
        self.feeds().values().map(input).collect()
    }

    /// Somebody who is expected.
    pub(super) fn somebody(&self) -> Member {
        Member::Expected(self.number())
    }

    /// Of the feeds that are only open for who is expected, at most so many stay: who has been expected longest is expected
    /// no more.
    pub(super) async fn bound_expected(&self, most: usize) {
        let mut expected: Vec<_> = {
            let feeds = self.feeds();
            let only = feeds.iter().filter(|(_, entry)| entry.is_only_expected());
            only.map(|(source, entry)| (entry.members.last().copied(), source.clone())).collect()
        };
        expected.sort();
        let too_many = expected.len().saturating_sub(most);
        for (_, source) in expected.drain(..too_many) {
            self.nobody_is_expected(&source).await;
        }
    }

    /// Who has opened this channel is expected no more.
    pub(super) async fn nobody_is_expected(&self, source: &Source) {
        self.dismiss(|of, member| of == source && matches!(member, Member::Expected(_))).await;
    }

    /// Closes an input, unless somebody reads it or something is made of it.
    pub(super) async fn give_up(&self, input: InputId) {
        let unread = {
            let feeds = self.feeds();
            let given_up = feeds.iter().find(|(_, entry)| entry.id == input);
            given_up.filter(|(_, entry)| entry.claim() != Claim::Read).map(|(source, _)| source.clone())
        };
        if let Some(unread) = unread {
            self.let_absent_go(&unread).await;
        }
    }

    /// Who has left, and who is yet to come, is waited for no more.
    async fn let_absent_go(&self, source: &Source) {
        self.dismiss(|of, member| of == source && member.is_absent()).await;
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether one of them holds a consumer of this live stream.
    pub(super) fn holds(&self, live_stream: &LiveStreamId) -> bool {
        let feeds = self.feeds();
        let mut accesses = feeds.values().filter_map(|entry| entry.intake.access());
        accesses.any(|access| access.live_stream == *live_stream)
    }

    /// An account's token is about to be revoked: what is held with nothing but it, for nobody who watches.
    pub(super) fn only_expected_by(&self, account: Account) -> Vec<Source> {
        let feeds = self.feeds();
        let only = feeds.iter().filter(|(_, entry)| {
            entry.is_only_expected() && entry.intake.access().is_some_and(|access| access.is_only(account))
        });
        only.map(|(source, _)| source.clone()).collect()
    }

    /// Remembers with what the server may be called about what a stream is made from.
    pub(super) fn remember(&self, stream: StreamId, account: Account, login: &Login, user: Option<&str>) {
        let intake = self.of(Member::Stream(stream));
        if let Some(access) = intake.as_ref().and_then(|intake| intake.access()) {
            access.introduce(account, login, user);
        }
    }

    /// No login of this account is worth anything any more.
    pub(super) fn forget(&self, account: Account) {
        let feeds = self.feeds();
        feeds.values().filter_map(|entry| entry.intake.access()).for_each(|access| access.forget(account));
    }

    /// Ends memberships; returns when what nobody needs any more is closed.
    async fn dismiss(&self, whom: impl Fn(&Source, &Member) -> bool) {
        let mut deserted = Vec::new();
        self.feeds().retain(|source, entry| {
            entry.members.retain(|member| !whom(source, member));
            if entry.members.is_empty() {
                deserted.push(Arc::clone(&entry.intake));
            }
            !entry.members.is_empty()
        });
        for intake in deserted {
            intake.close().await;
        }
    }

    fn feeds(&self) -> MutexGuard<'_, BTreeMap<Source, Entry>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn is_unread(&self) -> bool {
        self.intake.is_alive() && self.members.iter().all(Member::is_absent)
    }

    fn is_only_expected(&self) -> bool {
        self.members.iter().all(|member| matches!(member, Member::Expected(_)))
    }

    /// For whom it is open besides streams.
    fn claim(&self) -> Claim {
        let claims = self.members.iter().map(|member| match member {
            Member::Stream(_) => Claim::Nobody,
            Member::Left(_) => Claim::Left,
            Member::Expected(_) => Claim::Expected,
            Member::Reader(_) => Claim::Read,
        });
        claims.max().unwrap_or(Claim::Nobody)
    }

    fn streams(&self) -> Vec<StreamId> {
        let streams = self.members.iter().filter_map(|member| match member {
            Member::Stream(stream) => Some(*stream),
            Member::Expected(_) | Member::Reader(_) | Member::Left(_) => None,
        });
        streams.collect()
    }
}
