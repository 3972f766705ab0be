//! Tells a client for which there is no place to come again, before its connection is closed.
//!
//! It does not know why there is no place.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::background::noted;
use crate::server::tunnels::Tunnels;

/// The answer to whatever the client asks. A place is free at the latest when another connection has been idle for ten seconds.
const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    Retry-After: 10\r\n\
    Cache-Control: no-store\r\n\
    Content-Type: text/plain\r\n\
    Content-Length: 66\r\n\
    Connection: close\r\n\
    \r\n\
    The gateway has no connection to spare. Please try again shortly.\n";

/// How long a client may take to read it.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many are told at once. Others are cut, which costs nothing.
const AT_ONCE: usize = 32;

/// Tells clients that they are refused.
#[derive(Clone, Debug)]
pub(super) struct Refusals(Arc<Semaphore>);

impl Default for Refusals {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Refusals {
    /// Answers over a connection that speaks HTTP, if it `is_plain`, and closes it.
    pub(super) fn refuse(&self, mut stream: TcpStream, is_plain: bool, tasks: &Tunnels) {
        let permit = Arc::clone(&self.0).try_acquire_owned();
        let Some(permit) = permit.ok().filter(|_| is_plain) else {
            // With a RST the system keeps nothing of it.
            let _ = stream.set_zero_linger();
            return;
        };
        let telling = async move {
            let _permit = permit;
            let told = async {
                stream.write_all(ANSWER).await?;
                stream.shutdown().await?;
                // Closed while a request is unread, it would be reset, and the answer lost.
                while stream.read(&mut [0; 512]).await? > 0 {}
                std::io::Result::Ok(())
            };
            let _ = timeout(PATIENCE, told).await;
        };
        tasks.spawn(noted("a refusal", telling).map(drop));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_as_long_as_it_says() {
        let answer = std::str::from_utf8(ANSWER).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
    }
}
