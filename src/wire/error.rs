//! Why a server gave no answer.

use std::error::Error as StdError;
use std::io;

use hyper_util::client::legacy;
use tower::BoxError;

use crate::wire::connector::{Deadline, NameLookup};

/// A request that brought no response head. The cause is for the log; it is never shown downstream.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens there.
    #[error("connection refused")]
    ConnectionRefused(#[source] BoxError),
    /// Name lookup, TCP and TLS together took longer than they may.
    #[error("connect timed out")]
    ConnectTimeout,
    /// The name has no address.
    #[error("name lookup failed")]
    Dns(#[source] BoxError),
    /// No route, no descriptors left, or anything else before a connection stood.
    #[error("unreachable")]
    Unreachable(#[source] BoxError),
    /// The TLS handshake failed.
    #[error("TLS failed")]
    Tls(#[source] BoxError),
    /// The server's certificate is not trusted, has expired, or is for another name.
    #[error("certificate refused")]
    TlsCertificate(#[source] BoxError),
    /// The connection was reset, or its end was noticed before the request went out.
    #[error("connection closed")]
    Closed(#[source] BoxError),
    /// The connection ended before the response head was complete.
    #[error("response incomplete")]
    Incomplete(#[source] BoxError),
    /// No response head in time.
    #[error("response timed out")]
    ResponseTimeout,
    /// What came back is not HTTP, or its head is too large.
    #[error("protocol error")]
    Protocol(#[source] BoxError),
    /// The request's own body failed: the client that sent it is gone, or broke its framing.
    #[error("request body failed")]
    RequestBody(#[source] BoxError),
    /// The request cannot be sent: it has no target.
    #[error("request has no target")]
    Target(#[source] BoxError),
}

impl Error {
    /// The variant's name, for logs and counters.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::ConnectionRefused(_) => "connection-refused",
            Self::ConnectTimeout => "connect-timeout",
            Self::Dns(_) => "dns",
            Self::Unreachable(_) => "unreachable",
            Self::Tls(_) => "tls",
            Self::TlsCertificate(_) => "tls-certificate",
            Self::Closed(_) => "closed",
            Self::Incomplete(_) => "incomplete",
            Self::ResponseTimeout => "response-timeout",
            Self::Protocol(_) => "protocol",
            Self::RequestBody(_) => "request-body",
            Self::Target(_) => "target",
        }
    }
}

impl From<legacy::Error> for Error {
    fn from(error: legacy::Error) -> Self {
        if error.is_connect() { connecting(error) } else { exchanging(error) }
    }
}

/// What failed before a connection stood.
fn connecting(error: legacy::Error) -> Error {
    if find::<Deadline>(&error).is_some() {
        return Error::ConnectTimeout;
    }
    if find::<NameLookup>(&error).is_some() {
        return Error::Dns(error.into());
    }
    match find::<rustls::Error>(&error) {
        Some(rustls::Error::InvalidCertificate(_)) => return Error::TlsCertificate(error.into()),
        Some(_) => return Error::Tls(error.into()),
        None => {}
    }
    match find::<io::Error>(&error).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => Error::ConnectionRefused(error.into()),
        Some(io::ErrorKind::TimedOut) => Error::ConnectTimeout,
        Some(_) | None => Error::Unreachable(error.into()),
    }
}

/// What failed on a connection that stood.
fn exchanging(error: legacy::Error) -> Error {
    let Some(cause) = find::<hyper::Error>(&error) else {
        return Error::Target(error.into());
    };
    if cause.is_user() {
        Error::RequestBody(error.into())
    } else if cause.is_incomplete_message() {
        Error::Incomplete(error.into())
    } else if cause.is_parse() {
        Error::Protocol(error.into())
    } else {
        Error::Closed(error.into())
    }
}

/// The first error of type `E` in the chain of causes, also inside an `io::Error`, which hides its own.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
