//! The provider's channels as inputs: where each is pulled from, how, and with which of the provider's connections.
//!
//! It does not know who needs one.

use std::sync::{Arc, Weak};

use tokio_util::task::TaskTracker;
use tracing::{debug, warn};
use url::Url;

use crate::feed::http::Http;
use crate::feed::input::Input;
use crate::feed::{Feed, Limits};
use crate::fetch::{self, Fetcher};
use crate::ffmpeg::Ffmpeg;
use crate::ffmpeg::command::{Command, InputFormat};
use crate::lineup::Lineups;
use crate::supervisor::feeds::{Member, Source as Of};
use crate::supervisor::front::FrontInput;
use crate::supervisor::intake::Intake;
use crate::supervisor::seats::{Seat, Seated, Seats};
use crate::supervisor::shared::Shared;
use domain::key::MediaSourceId;
use domain::lineup::source::{ChannelSource, SourceKind};
use domain::lineup::{Lineup, LineupChannel};
use domain::reason::Failure;

/// What the gateway pulls the provider's channels with.
#[derive(Debug)]
pub struct Provider {
    lineups: Lineups,
    fetcher: Fetcher,
    ffmpeg: Option<Ffmpeg>,
    seats: Seats,
}

/// A feed, and its seat for as long as it is pulled.
#[derive(Debug)]
pub(super) struct Pulled {
    pub(super) feed: Feed,
    pub(super) seat: Weak<Seat>,
}

impl Provider {
    /// The channels of `lineups`, whose playlists allow so many connections each (`tuners`; 0 is any number). What is no
    /// transport stream over HTTP is pulled by `ffmpeg`, or not at all.
    #[must_use]
    pub fn new(
        lineups: Lineups,
        fetcher: Fetcher,
        tuners: impl IntoIterator<Item = u32>,
        ffmpeg: Option<Ffmpeg>,
    ) -> Self {
        Self { lineups, fetcher, ffmpeg, seats: Seats::new(tuners) }
    }

    /// The channels as they are at the moment.
    pub(super) fn lineup(&self) -> Arc<Lineup> {
        self.lineups.current()
    }

    /// Whether another connection costs nobody anything who asks for `media_source`. Where the server tunes at the
    /// provider itself, it has one for this channel already: of those that are counted, a second one is too many.
    pub(super) fn may_pull(
        &self,
        channel: &LineupChannel,
        media_source: &MediaSourceId,
        lineup: &Lineup,
    ) -> bool {
        let unlimited = |source: &ChannelSource| self.seats.is_unlimited(source.playlist);
        lineup.is_served(media_source) || channel.sources.iter().all(unlimited)
    }

    /// Begins to pull `channel`.
    ///
    /// # Errors
    /// No connection is left for it, or there is nothing that could be pulled.
    pub(super) fn pull(
        &self,
        channel: &LineupChannel,
        limits: Limits,
        tasks: &TaskTracker,
    ) -> Result<Pulled, Failure> {
        let of = channel.sources.len();
        let numbered = channel.sources.iter().enumerate();
        let inputs: Vec<_> = numbered
            .filter_map(|(nth, source)| {
                let name = format!("{} ({} of {of})", channel.name, nth + 1);
                Some((self.input(source, name, tasks)?, source.playlist))
            })
            .collect();
        if inputs.is_empty() {
            return Err(Failure::Unsuitable);
        }
        let seat = self.seats.take(inputs.iter().map(|(_, playlist)| *playlist)).ok_or(Failure::Busy)?;
        let seat = Arc::new(seat);
        let seated = |(input, playlist)| {
            Arc::new(Seated { input, seat: Arc::clone(&seat), playlist }) as Arc<dyn Input>
        };
        let feed = Feed::start(inputs.into_iter().map(seated).collect(), limits, tasks);
        Ok(Pulled { feed, seat: Arc::downgrade(&seat) })
    }

    fn input(&self, source: &ChannelSource, name: String, tasks: &TaskTracker) -> Option<Arc<dyn Input>> {
        let front = match source.kind {
            SourceKind::Http => {
                let Ok(url) = Url::parse(source.url.expose()) else {
                    warn!(input = name, "this is no URL");
                    return None;
                };
                let headers = fetch::headers(source.fields());
                return Some(Arc::new(Http::provider(name, url, headers, self.fetcher.clone())));
            }
            SourceKind::Hls => InputFormat::Hls,
            SourceKind::Rtsp => InputFormat::Rtsp,
            SourceKind::Udp | SourceKind::Rtp => InputFormat::Datagrams,
            SourceKind::File => InputFormat::File,
        };
        let Some(ffmpeg) = self.ffmpeg.clone() else {
            warn!(input = name, kind = source.kind.as_str(), "left out: there is no FFmpeg to pull it with");
            return None;
        };
        let own_name = source.user_agent.is_none().then_some(("User-Agent", fetch::OWN_NAME));
        let command = Command::remux(source.url.expose(), front, own_name.into_iter().chain(source.fields()));
        let rtp = source.kind == SourceKind::Rtp;
        Some(Arc::new(FrontInput::new(name, command, rtp, ffmpeg, tasks.clone())))
    }
}

impl Shared {
    /// The provider's feed of the channel that a request for `asked` means, joined by `member`: if it is open already, or
    /// may be opened for that.
    pub(super) fn provided(&self, asked: &MediaSourceId, member: Member) -> Option<(Of, Arc<Intake>)> {
        let provider = self.provider.as_ref()?;
        let lineup = provider.lineup();
        let channel = lineup.find(asked)?;
        let joined = self.joined(channel, member, |provider| {
            if provider.may_pull(channel, asked, &lineup) { Ok(()) } else { Err(Failure::Busy) }
        });
        match joined {
            Ok(intake) => Some((Of::Lineup(channel.id.clone()), intake)),
            Err(failure) => {
                debug!(channel = channel.name, reason = failure.as_str(), "left to the server's own input");
                None
            }
        }
    }

    /// The feed of a channel of the lineup, opened if need be and if it `may` be.
    pub(super) fn joined(
        &self,
        channel: &LineupChannel,
        member: Member,
        may: impl FnOnce(&Provider) -> Result<(), Failure>,
    ) -> Result<Arc<Intake>, Failure> {
        let provider = self.provider.as_ref().ok_or(Failure::Unsuitable)?;
        self.feeds.join(&Of::Lineup(channel.id.clone()), member, |_| {
            may(provider)?;
            let pulled = provider.pull(channel, self.feed_limits, &self.generations)?;
            Ok(Intake::pulled(pulled))
        })
    }
}
