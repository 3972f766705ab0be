//! Channels of the lineup as they are, for who reads a raw stream: a server that tunes through the gateway, a player.
//!
//! It does not know what they are read for. Who has left may come back: its feed is kept for a while.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};
use tracing::{debug, info};

use crate::body::{self, Body};
use crate::supervisor::Supervisor;
use crate::supervisor::feeds::{Member, Source};
use crate::supervisor::intake::Intake;
use crate::supervisor::shared::{Shared, random};
use domain::feeding::FeedState;
use domain::key::{ChannelId, MediaSourceId};
use domain::lineup::LineupChannel;
use domain::pool::Event;
use domain::produce::Produce;
use domain::reason::Failure;
use domain::ring::Join;

/// How long a first packet is waited for.
const FIRST: Duration = Duration::from_secs(15);
/// How many feeds are given up, at most, for one who wants a connection.
const SACRIFICES: usize = 4;
/// How long that may take, for each of them.
const GIVEN_UP: Duration = Duration::from_secs(8);

/// Why a channel cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// There is no such channel.
    Unknown,
    /// All connections that its provider allows are taken by others.
    Busy,
    /// Nothing comes from its provider.
    Failed(Failure),
}

/// A reader. Dropped, it has left.
struct Reading {
    shared: Arc<Shared>,
    source: Source,
    number: u64,
}

impl Supervisor {
    /// Whether the lineup has this channel.
    #[must_use]
    pub fn has_channel(&self, id: &ChannelId) -> bool {
        self.channel(id).is_some()
    }

    /// How the lineup wishes streams of the channel to be made that a request for `asked` means.
    #[must_use]
    pub fn wished(&self, asked: &MediaSourceId) -> Option<Produce> {
        self.shared.provider.as_ref()?.lineup().find(asked)?.produce
    }

    /// A channel's raw stream from a few seconds ago on, without an end.
    ///
    /// # Errors
    /// See [`Denied`].
    pub async fn read(&self, id: &ChannelId) -> Result<Body, Denied> {
        let shared = &self.shared;
        let channel = self.channel(id).ok_or(Denied::Unknown)?;
        #[expect(clippy::cast_possible_truncation, reason = "some bits of chance are as good as others")]
        let number = random() as u64;
        let (intake, reading) = {
            let intake = shared.admit(&channel, number).await.map_err(|failure| match failure {
                Failure::Busy => Denied::Busy,
                failure => Denied::Failed(failure),
            })?;
            shared.bell.notify_one();
            let source = Source::Lineup(id.clone());
            (intake, Reading { shared: Arc::clone(shared), source, number })
        };
        let mut state = intake.feed.state();
        let settled = |state: &FeedState| matches!(state, FeedState::Flowing { .. }) || state.is_over();
        let flows = matches!(timeout(FIRST, state.wait_for(settled)).await, Ok(Ok(_))) && intake.is_alive();
        if !flows {
            return Err(match intake.failure() {
                Failure::Busy => Denied::Busy,
                failure => Denied::Failed(failure),
            });
        }
        let reader = intake.feed.read(Join::Burst(shared.size.join));
        Ok(body::watched(reader.into_body(), move |_| drop(reading)))
    }

    fn channel(&self, id: &ChannelId) -> Option<LineupChannel> {
        self.shared.provider.as_ref()?.lineup().channel(id).cloned()
    }
}

impl Shared {
    /// The channel's feed with a reader more; what nobody watches is given up for it.
    async fn admit(&self, channel: &LineupChannel, number: u64) -> Result<Arc<Intake>, Failure> {
        for _ in 0..SACRIFICES {
            match self.joined(channel, Member::Reader(number), |_| Ok(())) {
                Err(Failure::Busy) => {}
                joined => return joined,
            }
            if !self.free_input(channel).await {
                break;
            }
            info!(channel = channel.name, "a connection was needed and has been freed");
        }
        self.joined(channel, Member::Reader(number), |_| Ok(()))
    }

    /// Gives up a feed that nobody watches; says whether a connection for `channel` may be free now.
    async fn free_input(&self, channel: &LineupChannel) -> bool {
        let playlists: Vec<_> = channel.sources.iter().map(|source| source.playlist).collect();
        for spare in self.feeds.spare(&playlists) {
            let needed = Event::InputNeeded(spare.streams.clone());
            if spare.streams.is_empty() || self.stop_and_wait(needed, GIVEN_UP).await {
                self.feeds.forget_left(&spare.source).await;
                return true;
            }
        }
        false
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let (shared, source, number) = (Arc::clone(&self.shared), self.source.clone(), self.number);
        debug!(?source, "a reader has left");
        shared.feeds.left(&source, number);
        // Whoever is dropped with the runtime takes all of it along.
        let Ok(runtime) = Handle::try_current() else { return };
        let tasks = shared.generations.clone();
        let parting = async move {
            tokio::select! {
                () = sleep(shared.warm_feed) => {}
                () = shared.draining.cancelled() => {}
            }
            shared.feeds.leave(&source, Member::Left(number)).await;
        };
        tasks.spawn_on(parting, &runtime);
    }
}
