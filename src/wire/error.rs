//! Says why a server gave no answer, from the errors of hyper, rustls and the operating system.

use std::error::Error as StdError;
use std::io;

use hyper_util::client::legacy;
use tower::BoxError;

use crate::wire::connector::{Deadline, NameLookup};

/// The reason why no response head arrived. Its source is for the log and never shown downstream.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No process listens at the server's address.
    #[error("connection refused")]
    ConnectionRefused(#[source] BoxError),
    /// Name lookup, TCP and TLS together exceeded their deadline.
    #[error("connect timed out")]
    ConnectTimeout,
    /// The name has no address.
    #[error("name lookup failed")]
    Dns(#[source] BoxError),
    /// No route, no file descriptors left, or any other failure before the connection was established.
    #[error("unreachable")]
    Unreachable(#[source] BoxError),
    /// The TLS handshake failed.
    #[error("TLS failed")]
    Tls(#[source] BoxError),
    /// The server's certificate is not trusted, has expired, or is for another name.
    #[error("certificate refused")]
    TlsCertificate(#[source] BoxError),
    /// The connection was reset, or turned out to be closed before the request was sent.
    #[error("connection closed")]
    Closed(#[source] BoxError),
    /// The connection ended before the response head was complete.
    #[error("response incomplete")]
    Incomplete(#[source] BoxError),
    /// The response head did not arrive before the deadline.
    #[error("response timed out")]
    ResponseTimeout,
    /// The response is not HTTP, or its head is too large.
    #[error("protocol error")]
    Protocol(#[source] BoxError),
    /// The request's body failed: the client that sends it has gone, or broke its framing.
    #[error("request body failed")]
    RequestBody(#[source] BoxError),
    /// The request has no target that it could be sent to.
    #[error("request has no target")]
    Target(#[source] BoxError),
}

impl Error {
    /// All spellings.
    pub const SPELLINGS: [&str; 12] = [
        "connection-refused",
        "connect-timeout",
        "dns",
        "unreachable",
        "tls",
        "tls-certificate",
        "closed",
        "incomplete",
        "response-timeout",
        "protocol",
        "request-body",
        "target",
    ];

    /// Whether there was no connection to the server.
    #[must_use]
    pub const fn is_away(&self) -> bool {
        match self {
            Self::ConnectionRefused(_)
            | Self::ConnectTimeout
            | Self::Dns(_)
            | Self::Unreachable(_)
            | Self::Tls(_)
            | Self::TlsCertificate(_) => true,
            Self::Closed(_)
            | Self::Incomplete(_)
            | Self::ResponseTimeout
            | Self::Protocol(_)
            | Self::RequestBody(_)
            | Self::Target(_) => false,
        }
    }

    /// The one spelling of the variant, for logs and counters.
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

/// The error of a connection that was not established.
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

/// The error of an exchange on an established connection.
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

/// The first error of type `E` in the chain of sources. Looks into each `io::Error` as well, whose `source` skips the error it wraps.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spelling_is_counted() {
        let cause = || BoxError::from("a test");
        let all = [
            Error::ConnectionRefused(cause()),
            Error::ConnectTimeout,
            Error::Dns(cause()),
            Error::Unreachable(cause()),
            Error::Tls(cause()),
            Error::TlsCertificate(cause()),
            Error::Closed(cause()),
            Error::Incomplete(cause()),
            Error::ResponseTimeout,
            Error::Protocol(cause()),
            Error::RequestBody(cause()),
            Error::Target(cause()),
        ];
        assert_eq!(all.map(|error| error.as_str()), Error::SPELLINGS);
    }
}
