//! Channels of the lineup as they are, for clients that read a raw stream: a server that tunes through the gateway, a player.
//!
//! It does not know what they are read for. A reader that has left may come back: the pool keeps its input for a while.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tracing::{debug, info};

use super::Inputs;
use crate::body::{self, Body};
use crate::supervisor::handle::Handle;
use crate::supervisor::inputs::open_input::{Brief, OpenInput};
use domain::feeding::FeedState;
use domain::inputs::{ReaderId, Wanted};
use domain::key::{ChannelId, MediaSourceId};
use domain::lineup::LineupChannel;
use domain::pool::Event;
use domain::produce::Produce;
use domain::reason::Failure;
use domain::ring::Join;

/// How long a first packet is waited for.
const FIRST: Duration = Duration::from_secs(15);
/// How many inputs give way, at most, to a reader who needs a connection.
const SACRIFICES: usize = 4;
/// How long each of them may take to be closed.
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
    handle: Handle,
    reader: ReaderId,
}

impl Inputs {
    /// Whether the lineup has this channel.
    pub(in crate::supervisor) fn has_channel(&self, id: &ChannelId) -> bool {
        self.channel(id).is_some()
    }

    /// How the lineup wishes streams of the channel to be made that a request for `asked` means.
    pub(in crate::supervisor) fn wished(&self, asked: &MediaSourceId) -> Option<Produce> {
        self.provider.as_ref()?.lineup().find(asked)?.produce
    }

    /// A channel's raw stream, from `burst` ago on and without an end.
    ///
    /// # Errors
    /// See [`Denied`].
    pub(in crate::supervisor) async fn read(&self, id: &ChannelId, burst: Duration) -> Result<Body, Denied> {
        let channel = self.channel(id).ok_or(Denied::Unknown)?;
        let (input, reading) = self.admit(&channel).await?;
        let mut state = input.feed.state();
        let settled = |state: &FeedState| matches!(state, FeedState::Flowing { .. }) || state.is_over();
        let flows = matches!(timeout(FIRST, state.wait_for(settled)).await, Ok(Ok(_))) && input.is_alive();
        if !flows {
            return Err(match input.failure() {
                Failure::Busy => Denied::Busy,
                failure => Denied::Failed(failure),
            });
        }
        let reader = input.feed.read(Join::Burst(burst));
        Ok(body::watched(reader.into_body(), move |_| drop(reading)))
    }

    /// The channel's input, with one reader more. Where no connection is left for it, inputs that nobody watches give way.
    async fn admit(&self, channel: &LineupChannel) -> Result<(Arc<OpenInput>, Reading), Denied> {
        for _ in 0..SACRIFICES {
            if let Some(joined) = self.try_read(channel)? {
                return Ok(joined);
            }
            let playlists = channel.sources.iter().map(|source| source.playlist).collect();
            if !self.handle.tell_and_wait(Event::ConnectionNeeded(playlists), GIVEN_UP).await {
                break;
            }
            info!(channel = channel.name, "a connection was needed and has been freed");
        }
        self.try_read(channel)?.ok_or(Denied::Busy)
    }

    fn try_read(&self, channel: &LineupChannel) -> Result<Option<(Arc<OpenInput>, Reading)>, Denied> {
        self.handle.ask(|pool, now| {
            let lineup = self.wanted(channel, true, pool).ok_or(Denied::Failed(Failure::Unsuitable))?;
            let wanted = Wanted { lineup: Some(lineup), tap: None };
            let mut reader = None;
            let join = |pool: &mut domain::pool::Pool, wanted: &Wanted| {
                let (id, joined) = pool.read_input(wanted, now).ok()?;
                reader = Some(id);
                Some(joined)
            };
            let input = self.enter(pool, &wanted, join, |_| Some(Brief::Lineup(channel.clone())));
            Ok(input
                .zip(reader)
                .map(|(input, reader)| (input, Reading { handle: self.handle.clone(), reader })))
        })
    }

    fn channel(&self, id: &ChannelId) -> Option<LineupChannel> {
        self.provider.as_ref()?.lineup().channel(id).cloned()
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        debug!(reader = self.reader.0, "a reader has left");
        self.handle.tell(Event::ReaderLeft(self.reader));
    }
}
