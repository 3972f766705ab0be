//! A server in front of another one, for benches: it also has an endless answer, and an upload that it does not read.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::uri::Scheme;
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::service::service_fn;
use tokio_util::sync::CancellationToken;
use warmgate::body::{self, Body, BoxError};
use warmgate::proxy::forward::{Forwarder, Identity};
use warmgate::server::{Listener, TrustedProxies, Upload};
use warmgate::upstream::client::{Client, Target, Timeouts};

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Starts it in front of `origin`. Uploads are taken until it is `told`.
pub(crate) async fn front(origin: SocketAddr, told: CancellationToken) -> anyhow::Result<SocketAddr> {
    let listener = Listener::bind(ANY).await?;
    let address = listener.local_addr();
    let target = Target { scheme: Scheme::HTTP, authority: origin.to_string().parse()? };
    let client = Client::new(target, Timeouts::default());
    let forwarder =
        Forwarder::new(client, Identity { name: "front".into(), trusted_proxies: TrustedProxies::default() });
    let service = service_fn(move |request: Request<Upload>| {
        let (forwarder, told) = (forwarder.clone(), told.clone());
        async move {
            Ok::<_, Infallible>(match (request.method(), request.uri().path()) {
                (_, "/large") => Response::new(endless()),
                (&Method::POST, "/upload") => {
                    told.cancelled().await;
                    drop(request);
                    Response::new(body::empty())
                }
                (_, "/small" | "/upload") => Response::new(body::full("small")),
                _ => forwarder.forward(request.map(body::boxed)).await,
            })
        }
    });
    tokio::spawn(listener.serve(service, CancellationToken::new(), Duration::ZERO));
    Ok(address)
}

fn endless() -> Body {
    static BYTES: &[u8] = &[b'.'; 64 << 10];
    let frame = || Some(Ok::<_, BoxError>(Frame::data(Bytes::from_static(BYTES))));
    body::boxed(StreamBody::new(futures_util::stream::iter(std::iter::from_fn(frame))))
}
