//! Carries bytes both ways after an upgrade, such as to a WebSocket.
//!
//! Frames are not parsed: compression, unknown opcodes and close codes pass as they are. A watcher may see what the server sends.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWriteExt, WriteHalf, split};
use tokio_util::io::InspectReader;

use crate::server;
use crate::upstream;

/// How long one side may go on sending after the other has closed.
const HALF_CLOSED: Duration = Duration::from_secs(30);

/// A callback for the end of the tunnel that a request asks for, in the request's extensions.
#[derive(Clone)]
pub(super) struct AtEnd(pub Arc<dyn Fn() + Send + Sync>);

/// Carries bytes until both sides have closed. When one side closes, the other is closed for writing at once. An error on one side resets
/// both, and so does a side that goes on alone for too long. `watch` sees the bytes of the server on their way, and must not wait.
pub(super) async fn run(downstream: OnUpgrade, upstream: OnUpgrade, watch: impl FnMut(&[u8])) {
    match tokio::try_join!(downstream, upstream) {
        Ok((downstream, upstream)) => relay(downstream, upstream, watch).await,
        Err(error) => tracing::debug!(%error, "an upgrade was not completed"),
    }
}

impl std::fmt::Debug for AtEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AtEnd(…)")
    }
}

async fn relay(downstream: Upgraded, upstream: Upgraded, watch: impl FnMut(&[u8])) {
    let (mut from_down, mut to_down) = split(TokioIo::new(downstream));
    let (from_up, mut to_up) = split(TokioIo::new(upstream));
    let mut from_up = InspectReader::new(from_up, watch);
    let ended = {
        let upward = pump(&mut from_down, &mut to_up);
        let downward = pump(&mut from_up, &mut to_down);
        both(upward, downward).await
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a tunnel failed and is reset");
        server::reset(from_down.unsplit(to_down).into_inner());
        upstream::client::reset(from_up.into_inner().unsplit(to_up).into_inner());
    }
}

async fn pump(from: &mut (impl AsyncRead + Unpin), to: &mut WriteHalf<TokioIo<Upgraded>>) -> io::Result<()> {
    tokio::io::copy(from, to).await?;
    to.shutdown().await
}

async fn both(
    upward: impl Future<Output = io::Result<()>>,
    downward: impl Future<Output = io::Result<()>>,
) -> io::Result<()> {
    tokio::pin!(upward, downward);
    tokio::select! {
        ended = &mut upward => {
            ended?;
            tokio::time::timeout(HALF_CLOSED, downward).await?
        }
        ended = &mut downward => {
            ended?;
            tokio::time::timeout(HALF_CLOSED, upward).await?
        }
    }
}
