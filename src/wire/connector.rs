//! Makes outgoing connections: name lookup, TCP and TLS under one deadline.
//!
//! It does not know what the connections are for.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::dns::GaiResolver;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::util::{BoxCloneSyncService, MapErr};
use tower::{BoxError, Service, ServiceExt};

use crate::wire::tagged::{TaggedStream, Writes};
use crate::wire::trust::ClientTls;

/// The silence after which a TCP connection is probed, so that a server without power is noticed within minutes.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// The service that makes a connection to a URI.
pub(crate) type Connector = BoxCloneSyncService<Uri, MaybeHttpsStream<Conn>, BoxError>;

/// The deadline for a connection has passed.
#[derive(Debug, thiserror::Error)]
#[error("connect deadline")]
pub(crate) struct Deadline;

/// A name could not be resolved.
#[derive(Debug, thiserror::Error)]
#[error("name lookup")]
pub(crate) struct NameLookup(#[source] io::Error);

/// Whether a connection has carried a response before. If so, the server may have closed it since.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answered(Arc<AtomicBool>);

impl Answered {
    /// A response head has arrived on the connection.
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the connection has carried a response.
    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whether nobody waits any more for the answer to a request that may not be sent whole yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Abandoned(Arc<AtomicBool>);

impl Abandoned {
    /// What is not written yet need not be.
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A connector whose connections are established within `timeout`, or fail.
///
/// `tls` says which servers it may reach over TLS.
pub(crate) fn connector(tls: ClientTls, timeout: Duration) -> Connector {
    let https = https(tcp(), tls);
    let service = tower::service_fn(move |uri: Uri| {
        let mut https = https.clone();
        async move {
            match tokio::time::timeout(timeout, https.call(uri)).await {
                Ok(connected) => connected,
                Err(_) => Err(BoxError::from(Deadline)),
            }
        }
    });
    BoxCloneSyncService::new(service)
}

type Resolver = MapErr<GaiResolver, fn(io::Error) -> NameLookup>;
type Tcp = tower::util::MapResponse<HttpConnector<Resolver>, fn(TokioIo<TcpStream>) -> Conn>;

fn tcp() -> Tcp {
    let resolver = GaiResolver::new();
    let mut tcp = HttpConnector::new_with_resolver(ServiceExt::<_>::map_err(
        resolver,
        NameLookup as fn(io::Error) -> NameLookup,
    ));
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(TCP_KEEPALIVE));
    tcp.map_response(conn as fn(TokioIo<TcpStream>) -> Conn)
}

fn https(tcp: Tcp, tls: ClientTls) -> HttpsConnector<Tcp> {
    HttpsConnectorBuilder::new().with_tls_config(tls.0).https_or_http().enable_http1().wrap_connector(tcp)
}

/// A TCP connection that remembers whether it has carried a response.
pub(crate) type Conn = TaggedStream<Outgoing>;

/// What is attached to a connection.
#[derive(Debug)]
pub(crate) struct Outgoing {
    answered: Answered,
    abandoned: Abandoned,
}

impl Writes for Outgoing {
    fn is_abandoned(&self) -> bool {
        self.abandoned.0.load(Ordering::Relaxed)
    }

    fn wrote(&self, _: bool) {}
}

fn conn(stream: TokioIo<TcpStream>) -> Conn {
    TaggedStream::new(
        stream.into_inner(),
        Outgoing { answered: Answered::default(), abandoned: Abandoned::default() },
    )
}

impl Connection for Conn {
    fn connected(&self) -> Connected {
        Connected::new().extra(self.tag.answered.clone()).extra(self.tag.abandoned.clone())
    }
}
