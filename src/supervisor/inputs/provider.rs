//! The provider's channels as inputs: where each is pulled from, how, and with which of the provider's connections.
//!
//! It does not know who needs one.

use std::sync::Arc;

use tokio_util::task::TaskTracker;
use tracing::warn;
use url::Url;

use crate::feed::http::Http;
use crate::feed::input::Input;
use crate::fetch::{self, Fetcher};
use crate::ffmpeg::Ffmpeg;
use crate::ffmpeg::command::{Command, InputFormat};
use crate::lineup::Lineups;
use crate::supervisor::handle::Handle;
use crate::supervisor::inputs::ffmpeg_input::FfmpegInput;
use crate::supervisor::inputs::provider_connections::Connected;
use domain::key::InputId;
use domain::lineup::source::{ChannelSource, SourceKind};
use domain::lineup::{Lineup, LineupChannel};

/// What the gateway pulls the provider's channels with.
#[derive(Debug)]
pub struct Provider {
    lineups: Lineups,
    fetcher: Fetcher,
    ffmpeg: Option<Ffmpeg>,
}

impl Provider {
    /// The channels of `lineups`. What is no transport stream over HTTP is pulled by `ffmpeg`, or not at all.
    #[must_use]
    pub const fn new(lineups: Lineups, fetcher: Fetcher, ffmpeg: Option<Ffmpeg>) -> Self {
        Self { lineups, fetcher, ffmpeg }
    }

    /// The channels as they are at the moment.
    pub(super) fn lineup(&self) -> Arc<Lineup> {
        self.lineups.current()
    }

    /// The playlists of a channel's sources that can be pulled, in the order in which they are tried.
    pub(super) fn playlists(&self, channel: &LineupChannel) -> Vec<usize> {
        let pullable = channel.sources.iter().filter(|source| match source.kind {
            SourceKind::Http => Url::parse(source.url.expose()).is_ok(),
            SourceKind::Hls | SourceKind::Rtsp | SourceKind::Udp | SourceKind::Rtp | SourceKind::File => {
                self.ffmpeg.is_some()
            }
        });
        pullable.map(|source| source.playlist).collect()
    }

    /// The sources of a channel, each pulled over a connection of its own playlist, for the input of this name.
    pub(super) fn inputs(
        &self,
        channel: &LineupChannel,
        input: InputId,
        handle: &Handle,
        tasks: &TaskTracker,
    ) -> Vec<Arc<dyn Input>> {
        let of = channel.sources.len();
        let numbered = channel.sources.iter().enumerate();
        let connected = numbered.filter_map(|(nth, source)| {
            let name = format!("{} ({} of {of})", channel.name, nth + 1);
            let (playlist, handle) = (source.playlist, handle.clone());
            let source = self.input(source, name, tasks)?;
            Some(Arc::new(Connected { source, playlist, input, handle }) as Arc<dyn Input>)
        });
        connected.collect()
    }

    fn input(&self, source: &ChannelSource, name: String, tasks: &TaskTracker) -> Option<Arc<dyn Input>> {
        let format = match source.kind {
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
        let command =
            Command::remux(source.url.expose(), format, own_name.into_iter().chain(source.fields()));
        let rtp = source.kind == SourceKind::Rtp;
        Some(Arc::new(FfmpegInput::new(name, command, rtp, ffmpeg, tasks.clone())))
    }
}
