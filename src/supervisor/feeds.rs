//! Which channels' inputs are open, and for whom: one feed per channel, however many streams are made from it. What the
//! last member leaves is closed.
//!
//! Members are a set, so that nothing can be counted wrong. It does not know what is made of a feed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::consumer::Account;
use crate::domain::key::{Channel, LiveStreamId};
use crate::domain::pool::StreamId;
use crate::supervisor::intake::Intake;

/// Who needs a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Member {
    /// Whoever was told of the opening, and is expected to ask for a stream of it.
    Expected,
    /// A stream.
    Stream(StreamId),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    open: Mutex<BTreeMap<Channel, Entry>>,
}

#[derive(Debug)]
struct Entry {
    intake: Arc<Intake>,
    members: BTreeSet<Member>,
}

impl Feeds {
    /// Makes `member` one of a channel's feed, which `open` opens if there is none that flows or may yet flow; it is told
    /// which one it replaces.
    pub(super) fn join(
        &self,
        channel: &Channel,
        member: Member,
        open: impl FnOnce(Option<Arc<Intake>>) -> Intake,
    ) -> Arc<Intake> {
        let mut feeds = self.feeds();
        let mut members = BTreeSet::from([member]);
        if let Some(entry) = feeds.get_mut(channel) {
            entry.members.insert(member);
            if entry.intake.is_alive() {
                return Arc::clone(&entry.intake);
            }
            members.clone_from(&entry.members);
        }
        let replaced = feeds.remove(channel).map(|entry| entry.intake);
        let intake = Arc::new(open(replaced));
        feeds.insert(channel.clone(), Entry { intake: Arc::clone(&intake), members });
        intake
    }

    /// `member` needs it no more; returns when what nobody needs any more is closed.
    pub(super) async fn leave(&self, channel: &Channel, member: Member) {
        let deserted = {
            let mut feeds = self.feeds();
            let Some(entry) = feeds.get_mut(channel) else { return };
            entry.members.remove(&member);
            if entry.members.is_empty() { feeds.remove(channel) } else { None }
        };
        if let Some(Entry { intake, .. }) = deserted {
            intake.close().await;
        }
    }

    /// Whether a channel's input is open.
    pub(super) fn has(&self, channel: &Channel) -> bool {
        self.feeds().get(channel).is_some_and(|entry| entry.intake.is_alive())
    }

    /// Whether one of them holds a consumer of this live stream.
    pub(super) fn holds(&self, live_stream: &LiveStreamId) -> bool {
        self.feeds().values().any(|entry| entry.intake.access.live_stream == *live_stream)
    }

    /// An account's token is about to be revoked: the channels that are open for nobody but it.
    pub(super) fn only_expected_by(&self, account: Account) -> Vec<Channel> {
        let expected = BTreeSet::from([Member::Expected]);
        let feeds = self.feeds();
        let only = feeds
            .iter()
            .filter(|(_, entry)| entry.members == expected && entry.intake.access.is_only(account));
        only.map(|(channel, _)| channel.clone()).collect()
    }

    /// The channels for which somebody is expected.
    pub(super) fn expected(&self) -> Vec<Channel> {
        let feeds = self.feeds();
        let expected = feeds.iter().filter(|(_, entry)| entry.members.contains(&Member::Expected));
        expected.map(|(channel, _)| channel.clone()).collect()
    }

    /// No login of this account is worth anything any more.
    pub(super) fn forget(&self, account: Account) {
        self.feeds().values().for_each(|entry| entry.intake.access.forget(account));
    }

    fn feeds(&self) -> MutexGuard<'_, BTreeMap<Channel, Entry>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
