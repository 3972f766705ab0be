//! Turns the provider's channels into inputs: chooses the URL, the puller (HTTP or FFmpeg) and the connection of each.
//!
//! It does not know which streams and readers use an input.

use std::sync::Arc;

use tokio::sync::watch;
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
use domain::tuners::TunerLimit;

/// The provider's channels, and the clients that pull them.
#[derive(Debug)]
pub struct Provider {
    lineups: Lineups,
    fetcher: Fetcher,
    ffmpeg: Option<Ffmpeg>,
}

impl Provider {
    /// The channels of `lineups`. Sources other than a transport stream over HTTP need `ffmpeg`, and are left out without it.
    #[must_use]
    pub const fn new(lineups: Lineups, fetcher: Fetcher, ffmpeg: Option<Ffmpeg>) -> Self {
        Self { lineups, fetcher, ffmpeg }
    }

    /// The current channels.
    pub(super) fn lineup(&self) -> Arc<Lineup> {
        self.lineups.current()
    }

    /// The connections that the provider of each playlist says it allows.
    pub(in crate::supervisor) fn told(&self) -> watch::Receiver<Vec<Option<TunerLimit>>> {
        self.lineups.told()
    }

    /// The playlist of each source of a channel that can be pulled, in the order in which the sources are tried.
    pub(super) fn playlists(&self, channel: &LineupChannel) -> Vec<usize> {
        let pullable = channel.sources.iter().filter(|source| match source.kind {
            SourceKind::Http => Url::parse(source.url.expose()).is_ok(),
            SourceKind::Hls | SourceKind::Rtsp | SourceKind::Udp | SourceKind::Rtp | SourceKind::File => {
                self.ffmpeg.is_some()
            }
        });
        pullable.map(|source| source.playlist).collect()
    }

    /// The sources of a channel, each of which moves `input` to a connection of its playlist before it connects.
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
                    warn!(input = name, "left out a source whose URL is invalid");
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
            warn!(
                input = name,
                kind = source.kind.as_str(),
                "left out a source that needs FFmpeg, which is missing"
            );
            return None;
        };
        let own_name = source.user_agent.is_none().then_some(("User-Agent", fetch::OWN_NAME));
        let command =
            Command::remux(source.url.expose(), format, own_name.into_iter().chain(source.fields()));
        let rtp = source.kind == SourceKind::Rtp;
        Some(Arc::new(FfmpegInput::new(name, command, rtp, ffmpeg, tasks.clone())))
    }
}
