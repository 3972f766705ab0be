//! `warmgate healthcheck` asks the running gateway whether it works, as containers do.
//!
//! A gateway whose Jellyfin is down works: to start it anew would not help, and would cost the streams that it keeps.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::header::{HOST, USER_AGENT};
use http::{Request, StatusCode};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use warmgate::body;
use warmgate::config::Config;
use warmgate::fetch::OWN_NAME;
use warmgate::server::is_trusted;

use crate::running::{exchange, reachable};

/// How long the gateway and Jellyfin may take together.
const PATIENCE: Duration = Duration::from_secs(5);

/// A `Host` with which nothing is forwarded: the gateway answers itself, whatever Jellyfin does.
const NO_HOST: &str = "who is there";

/// The gateway's answer to that, as in `proxy::error`. Anything else that listens at its address says something else.
const OF_THE_GATEWAY: &str = "The request must have one valid Host header.\n";

/// What a connection begins with that a proxy makes for itself, not for a client (the PROXY protocol, version 1).
const FOR_ITSELF: &[u8] = b"PROXY UNKNOWN\r\n";

/// Asks the gateway of this configuration, and returns a sentence that says what answers.
///
/// # Errors
/// If the gateway does not.
pub(crate) async fn ask(config: &Config) -> anyhow::Result<String> {
    let address = reachable(config.listen);
    let deadline = Instant::now() + PATIENCE;
    let answer = timeout_at(deadline, ping(config, address, NO_HOST)).await;
    let answer = answer.unwrap_or_else(|_| bail!("no answer within {} s", PATIENCE.as_secs()));
    let (_, said) = answer.with_context(|| format!("the gateway does not answer at {address}"))?;
    if said != OF_THE_GATEWAY {
        bail!("something else than the gateway answers at {address}");
    }
    Ok(match timeout_at(deadline, ping(config, address, &address.to_string())).await {
        Ok(Ok((status, _))) if status.is_success() || status.is_redirection() => {
            "the gateway answers, Jellyfin does too".to_owned()
        }
        Ok(Ok((status, _))) => format!("the gateway answers; Jellyfin does not ({})", status.as_u16()),
        Ok(Err(_)) | Err(_) => "the gateway answers; Jellyfin does not in time".to_owned(),
    })
}

/// Asks for what Jellyfin answers everybody at once. Returns the status and the body; what is too long for the gateway's own answer
/// counts as empty.
async fn ping(config: &Config, address: SocketAddr, host: &str) -> anyhow::Result<(StatusCode, Bytes)> {
    let mut stream = TcpStream::connect(address).await?;
    if config.proxy_protocol && is_trusted(Some(stream.local_addr()?.ip()), &config.trusted_proxies) {
        stream.write_all(FOR_ITSELF).await?;
    }
    let request = Request::get("/System/Ping").header(HOST, host).header(USER_AGENT, OWN_NAME);
    exchange(stream, request.body(body::empty())?, OF_THE_GATEWAY.len()).await
}
