//! Asks a gateway that runs on this machine.
//!
//! It does not know what it answers.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use warmgate::body::Body;

/// Where a gateway is reached from this machine that listens at `address`.
pub(crate) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let is_v6 = address.is_ipv6();
        address.set_ip(if is_v6 { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() });
    }
    address
}

/// Sends a request over a connection. Returns the status and the body; one that is longer than `most` counts as empty.
pub(crate) async fn exchange(
    stream: TcpStream,
    request: Request<Body>,
    most: usize,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async move {
        let (head, body) = requests.send_request(request).await?.into_parts();
        let body = Limited::new(body, most).collect().await;
        Ok((head.status, body.map_or_else(|_| Bytes::new(), |body| body.to_bytes())))
    };
    // What is wrong with the connection, the exchange tells.
    let (answer, _) = tokio::join!(exchange, connection);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_on_all_interfaces_is_reached_at_the_loopback_one() {
        for (listen, reached) in [
            ("0.0.0.0:8097", "127.0.0.1:8097"),
            ("[::]:80", "[::1]:80"),
            ("192.168.1.2:8097", "192.168.1.2:8097"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()), reached.parse().unwrap());
        }
    }
}
