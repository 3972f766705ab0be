//! A server that is far away: a relay that holds all bytes for half the time that a round trip takes.
//!
//! It does not lose any, nor limit their number.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// The address at which `server` answers as late as from `rtt` away; its own if that is zero.
pub(crate) async fn away(server: SocketAddr, rtt: Duration) -> anyhow::Result<SocketAddr> {
    if rtt.is_zero() {
        return Ok(server);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(relay(near, server, rtt / 2));
        }
    });
    Ok(address)
}

async fn relay(near: TcpStream, server: SocketAddr, delay: Duration) {
    let opened = Instant::now();
    let Ok(far) = TcpStream::connect(server).await else { return };
    // A connection takes a round trip before its first byte.
    sleep_until(opened + 2 * delay).await;
    let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
    tokio::join!(pass(from_near, to_far, delay), pass(from_far, to_near, delay));
}

async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, delay: Duration) {
    let (sent, mut arriving) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let read = async move {
        loop {
            let mut bytes = vec![0; 64 << 10];
            let count = from.read(&mut bytes).await.unwrap_or_default();
            bytes.truncate(count);
            if count == 0 || sent.send((Instant::now() + delay, bytes)).is_err() {
                return;
            }
        }
    };
    let write = async move {
        while let Some((due, bytes)) = arriving.recv().await {
            sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        // An error means that the peer has closed already.
        let _ = to.shutdown().await;
    };
    tokio::join!(read, write);
}
