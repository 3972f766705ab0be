//! Serves the raw streams of the lineup's channels to clients: a media server that tunes through the gateway, or a player.
//!
//! It does not know what a client reads them for. After a reader has left, the pool keeps the input open for a while.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tracing::{debug, info};

use super::Inputs;
use crate::body::{self, Body};
use crate::supervisor::handle::Handle;
use crate::supervisor::inputs::open_input::{InputSpec, OpenInput};
use domain::feeding::FeedState;
use domain::inputs::{ReaderId, Wanted};
use domain::key::{ChannelId, MediaSourceId};
use domain::lineup::LineupChannel;
use domain::pool::Event;
use domain::produce::Produce;
use domain::reason::Failure;
use domain::ring::Join;

/// How long the first packet may take.
const FIRST_PACKET_TIMEOUT: Duration = Duration::from_secs(15);
/// The most inputs that are evicted for one reader that needs a connection.
const MAX_EVICTIONS: usize = 4;
/// How long a reader waits for a connection that is not free yet: the server ends its request for one channel and begins that for the next at
/// once, and which of both is noticed first is chance.
const LEAVING: Duration = Duration::from_millis(1500);
/// How long the closing of an evicted input may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(8);

/// The reason why a channel's raw stream cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The lineup has no such channel.
    Unknown,
    /// All connections that the provider allows are occupied.
    Busy,
    /// The provider sends no data.
    Failed(Failure),
}

/// A reader's membership of an input. When dropped, the reader has left.
struct Reading {
    handle: Handle,
    reader: ReaderId,
}

impl Inputs {
    /// Whether the lineup has this channel.
    #[must_use]
    pub fn has_channel(&self, id: &ChannelId) -> bool {
        self.channel(id).is_some()
    }

    /// The lineup's preference for how streams of the channel with this media source are produced.
    #[must_use]
    pub fn preferred_production(&self, source: &MediaSourceId) -> Option<Produce> {
        self.provider.as_ref()?.lineup().find(source)?.produce
    }

    /// A channel's raw stream, which begins a few seconds in the past and has no end.
    ///
    /// # Errors
    /// See [`Denied`].
    pub async fn read(&self, id: &ChannelId) -> Result<Body, Denied> {
        let channel = self.channel(id).ok_or(Denied::Unknown)?;
        let (input, reading) = self.admit(&channel).await?;
        let mut state = input.feed.state();
        let settled = |state: &FeedState| matches!(state, FeedState::Flowing { .. }) || state.is_over();
        let flows = matches!(timeout(FIRST_PACKET_TIMEOUT, state.wait_for(settled)).await, Ok(Ok(_)))
            && input.is_alive();
        if !flows {
            return Err(match input.failure() {
                Failure::Busy => Denied::Busy,
                failure => Denied::Failed(failure),
            });
        }
        let reader = input.feed.read(Join::Burst(self.burst));
        Ok(body::watched(reader.into_body(), move |_| drop(reading)))
    }

    /// Joins the channel's input as a reader. If the provider has no connection left, evicts idle inputs first; if none is idle, waits a
    /// moment for somebody to leave.
    async fn admit(&self, channel: &LineupChannel) -> Result<(Arc<OpenInput>, Reading), Denied> {
        let playlists: Vec<_> = channel.sources.iter().map(|source| source.playlist).collect();
        for _ in 0..MAX_EVICTIONS {
            if let Some(joined) = self.try_read(channel)? {
                return Ok(joined);
            }
            let now = || self.handle.now();
            let is_to_be_had = self.handle.until(|pool| pool.can_free_connection(&playlists, now()));
            let _ = timeout(LEAVING, is_to_be_had).await;
            let playlists = playlists.clone();
            if !self.handle.tell_shortage(Event::ConnectionNeeded(playlists), CLOSE_TIMEOUT).await {
                break;
            }
            info!(channel = channel.name, "closed an idle input to free a connection for this channel");
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
            let input = self.enter(pool, &wanted, join, |_| Some(InputSpec::Lineup(channel.clone())));
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
        debug!(reader = self.reader.0, "a client has stopped reading a raw stream");
        self.handle.tell(Event::ReaderLeft(self.reader));
        // Somebody may wait for its connection.
        self.handle.wake();
    }
}
