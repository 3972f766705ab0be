//! The WebSockets of sessions: accepted on any path, kept alive, and reported to `sessions` when they close (RFC 6455).

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::header::{self, HeaderValue};
use http::{HeaderMap, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use sha1::{Digest, Sha1};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::broadcast;

use crate::caller::Caller;
use crate::notices::{Audience, Notice};
use crate::reports;
use crate::response::{Refusal, Response, insert, status};
use crate::state::State;

/// The GUID of the handshake (RFC 6455, section 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The largest payload that is read, in bytes.
const LARGEST_FRAME: u64 = 1 << 20;
/// Opcodes (RFC 6455, section 5.2).
const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// Whether a request asks for a WebSocket.
pub(crate) fn is_requested(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(header::UPGRADE).and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"))
}

/// Accepts the handshake, and serves the WebSocket until it closes.
///
/// # Errors
/// [`Refusal::BadRequest`] without a key.
pub(crate) fn accept(
    state: &Arc<State>,
    caller: &Caller,
    headers: &HeaderMap,
    upgrade: OnUpgrade,
) -> Result<Response, Refusal> {
    let key = headers.get(header::SEC_WEBSOCKET_KEY).and_then(|value| value.to_str().ok());
    let accepted = accept_key(key.ok_or(Refusal::BadRequest)?);
    let (shared, session, live_tv) = (state.clone(), caller.session(), caller.policy().live_tv);
    state.sessions.see(caller);
    state.server.spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        shared.websockets.fetch_add(1, Ordering::Relaxed);
        shared.sessions.connected(&session);
        // An error ends the WebSocket as a close does.
        let _ = serve(TokioIo::new(upgraded), shared.notices.subscribe(), |notice| match &notice.audience {
            Audience::LiveTv => live_tv,
            Audience::Session(key) => *key == session,
        })
        .await;
        shared.websockets.fetch_sub(1, Ordering::Relaxed);
        reports::disconnected(&shared, &session).await;
    });
    let mut response = status(StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    insert(headers, header::SEC_WEBSOCKET_ACCEPT, &accepted);
    Ok(response)
}

fn accept_key(key: &str) -> String {
    base64(&Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = ALPHABET[(word >> (18 - 6 * place) & 63) as usize];
            text.push(if place > chunk.len() { '=' } else { char::from(digit) });
        }
    }
    text
}

async fn serve(
    socket: impl AsyncRead + AsyncWrite + Unpin,
    mut notices: broadcast::Receiver<Notice>,
    concerns: impl Fn(&Notice) -> bool,
) -> io::Result<()> {
    let (mut reader, mut socket) = tokio::io::split(socket);
    send(&mut socket, TEXT, br#"{"MessageType":"ForceKeepAlive","Data":60}"#).await?;
    loop {
        let received = {
            let mut receiving = pin!(receive(&mut reader));
            loop {
                tokio::select! {
                    received = &mut receiving => break received?,
                    Ok(notice) = notices.recv() => if concerns(&notice) {
                        send(&mut socket, TEXT, notice.text.as_bytes()).await?;
                    },
                }
            }
        };
        let (opcode, payload) = received;
        match opcode {
            TEXT if is_keep_alive(&payload) => {
                send(&mut socket, TEXT, br#"{"MessageType":"KeepAlive"}"#).await?
            }
            PING => send(&mut socket, PONG, &payload).await?,
            CLOSE => {
                send(&mut socket, CLOSE, &payload).await?;
                return socket.shutdown().await;
            }
            _ => {}
        }
    }
}

fn is_keep_alive(payload: &[u8]) -> bool {
    let message: serde_json::Value = serde_json::from_slice(payload).unwrap_or_default();
    message["MessageType"] == "KeepAlive"
}

async fn send(socket: &mut (impl AsyncWrite + Unpin), opcode: u8, payload: &[u8]) -> io::Result<()> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        length @ ..=125 => frame.push(length as u8),
        length @ ..=65_535 => {
            frame.push(126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(payload);
    socket.write_all(&frame).await?;
    socket.flush().await
}

async fn receive(socket: &mut (impl AsyncRead + Unpin)) -> io::Result<(u8, Vec<u8>)> {
    let (first, second) = (socket.read_u8().await?, socket.read_u8().await?);
    let length = match second & 0x7f {
        126 => u64::from(socket.read_u16().await?),
        127 => socket.read_u64().await?,
        short => u64::from(short),
    };
    // A client has to mask its frames (RFC 6455, section 5.1).
    if second & 0x80 == 0 || length > LARGEST_FRAME {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut mask = [0; 4];
    socket.read_exact(&mut mask).await?;
    let mut payload = vec![0; length as usize];
    socket.read_exact(&mut payload).await?;
    for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
    Ok((first & 0x0f, payload))
}

#[cfg(test)]
mod tests {
    use crate::websocket::accept_key;

    #[test]
    fn the_handshake_is_that_of_rfc_6455() {
        assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
