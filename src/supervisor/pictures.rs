//! Pictures of what streams show, for whoever looks: one at a time, seldom, and only where the CPU has time for it.
//!
//! Nobody is held to watch for that: the pool does not know of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tracing::debug;

use crate::cpu;
use crate::ffmpeg::Ffmpeg;
use crate::supervisor::streams::Streams;
use domain::key::StreamId;
use domain::pool::is_cpu_short;

/// How long a picture is shown.
const SHOWN: Duration = Duration::from_secs(10);
/// How long a measurement of the CPU holds.
const MEASURED: Duration = Duration::from_secs(2);

/// See the module. Clones share everything.
#[derive(Clone, Debug)]
pub(super) struct Pictures(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    streams: Arc<Streams>,
    /// `None` where nothing is made here.
    ffmpeg: Option<Ffmpeg>,
    made: Mutex<BTreeMap<StreamId, Made>>,
    /// Held by whoever makes one: whether the CPU was short, and when that was measured.
    making: tokio::sync::Mutex<Option<(Instant, bool)>>,
}

/// The last picture of a stream.
#[derive(Debug)]
struct Made {
    at: Instant,
    /// `None` if FFmpeg could make none.
    picture: Option<Bytes>,
}

impl Pictures {
    pub(super) fn new(streams: Arc<Streams>, ffmpeg: Option<Ffmpeg>) -> Self {
        Self(Arc::new(Shared {
            streams,
            ffmpeg,
            made: Mutex::default(),
            making: tokio::sync::Mutex::default(),
        }))
    }

    /// The picture of a stream: a new one if that is possible and none was tried lately, else the last one, if there is one.
    pub(super) async fn of(&self, id: StreamId) -> Option<Bytes> {
        let ffmpeg = self.0.ffmpeg.as_ref()?;
        if let Some(lately) = self.lately(id) {
            return lately;
        }
        let mut making = self.0.making.lock().await;
        if let Some(lately) = self.lately(id) {
            return lately;
        }
        let source = self.0.streams.get(id)?.newest_group();
        if source.is_none() || is_short(&mut making).await {
            return self.made().get(&id)?.picture.clone();
        }
        let picture = ffmpeg.picture(source?).await;
        let picture = picture.map_err(|cause| debug!(stream = id.0, %cause, "there is no picture")).ok();
        let mut made = self.made();
        made.retain(|id, _| self.0.streams.get(*id).is_some());
        made.insert(id, Made { at: Instant::now(), picture: picture.clone() });
        picture
    }

    /// What was made lately, if anything was.
    fn lately(&self, id: StreamId) -> Option<Option<Bytes>> {
        self.made().get(&id).filter(|made| made.at.elapsed() < SHOWN).map(|made| made.picture.clone())
    }

    fn made(&self) -> MutexGuard<'_, BTreeMap<StreamId, Made>> {
        self.0.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn is_short(measured: &mut Option<(Instant, bool)>) -> bool {
    match measured {
        Some((at, is_short)) if at.elapsed() < MEASURED => *is_short,
        Some(_) | None => {
            let is_short = is_cpu_short(cpu::idle_share().await);
            *measured = Some((Instant::now(), is_short));
            is_short
        }
    }
}
