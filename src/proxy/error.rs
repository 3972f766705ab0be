//! The one table from the reason why a request has no answer from the server to the status and the sentence that a client gets instead.

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use crate::body::{self, Body};
use crate::upstream;

/// Names the gateway as the author of an answer (RFC 9209).
pub(super) const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// Marks an answer that stands in for a missing one of the server's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ours {
    /// Whether the server was asked, and gave no answer: anybody can send what is not forwarded.
    pub(super) is_server_silent: bool,
}

/// The reason why a request was not forwarded, or its answer not passed on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The server gave no answer.
    #[error(transparent)]
    Upstream(#[from] upstream::Error),
    /// The request has passed this gateway before (RFC 9110 7.6.3).
    #[error("the gateway's own name is in Via")]
    Loop,
    /// The method is CONNECT, which only a forward proxy serves.
    #[error("CONNECT request")]
    Connect,
    /// The request has no `Host`, or several, or no host and port in it (RFC 9112 3.2).
    #[error("not exactly one valid Host")]
    Host,
    /// The target has no path, or is not the kind that the method has (RFC 9112 3.2, RFC 9113 8.3.1).
    #[error("malformed target")]
    Target,
    /// The body has several lengths, or is chunked twice (RFC 9112 6.1, 6.3).
    #[error("ambiguous framing")]
    Framing,
    /// The request has a transfer coding other than `chunked`, which cannot be passed on.
    #[error("unknown transfer coding of the request")]
    RequestCoding,
    /// The response has a transfer coding other than `chunked`.
    #[error("unknown transfer coding of the response")]
    ResponseCoding,
    /// The server switched protocols without a request to do so.
    #[error("unrequested upgrade")]
    Upgrade,
    /// The gateway itself failed at the request.
    #[error("a panic")]
    Panicked,
}

/// A row of the table: status, `error` of `Proxy-Status` (RFC 9209 2.3), and a sentence for the reader.
type Row = (StatusCode, &'static str, &'static str);

impl Fault {
    /// The one spelling of the reason, for logs and counters.
    #[must_use]
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::Upstream(error) => error.as_str(),
            Self::Loop => "loop",
            Self::Connect => "connect-method",
            Self::Host => "host",
            Self::Target => "target",
            Self::Framing => "framing",
            Self::RequestCoding => "request-coding",
            Self::ResponseCoding => "response-coding",
            Self::Upgrade => "unasked-upgrade",
            Self::Panicked => "panicked",
        }
    }

    /// The answer of the gateway called `name`.
    #[must_use]
    pub(super) fn response(&self, name: &str) -> Response<Body> {
        let (status, kind, sentence) = self.row();
        let mut response = Response::new(body::full(format!("{sentence}\n")));
        *response.status_mut() = status;
        response.extensions_mut().insert(Ours { is_server_silent: matches!(self, Self::Upstream(_)) });
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(value) = HeaderValue::try_from(format!("{name}; error={kind}")) {
            headers.insert(PROXY_STATUS, value);
        }
        response
    }

    const fn row(&self) -> Row {
        match self {
            Self::Upstream(error) => upstream_row(error),
            Self::Loop => {
                (StatusCode::BAD_GATEWAY, "proxy_loop_detected", "This gateway is its own upstream.")
            }
            Self::Connect => {
                (StatusCode::METHOD_NOT_ALLOWED, "http_request_denied", "This is not a forward proxy.")
            }
            Self::Host => (
                StatusCode::BAD_REQUEST,
                "http_request_error",
                "The request must have one valid Host header.",
            ),
            Self::Target => {
                (StatusCode::BAD_REQUEST, "http_request_error", "The request's target must have a path.")
            }
            Self::Framing => (
                StatusCode::BAD_REQUEST,
                "http_request_error",
                "The length of the request's body is ambiguous.",
            ),
            Self::RequestCoding => (
                StatusCode::NOT_IMPLEMENTED,
                "http_request_error",
                "The only transfer coding understood here is chunked.",
            ),
            Self::ResponseCoding => (
                StatusCode::BAD_GATEWAY,
                "http_response_transfer_coding",
                "The media server used an unknown transfer coding.",
            ),
            Self::Upgrade => (
                StatusCode::BAD_GATEWAY,
                "http_upgrade_failed",
                "The media server switched protocols without being asked.",
            ),
            Self::Panicked => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "proxy_internal_error",
                "This gateway failed at the request.",
            ),
        }
    }
}

const fn upstream_row(error: &upstream::Error) -> Row {
    use upstream::Error;

    const BAD: StatusCode = StatusCode::BAD_GATEWAY;
    const LATE: StatusCode = StatusCode::GATEWAY_TIMEOUT;
    match error {
        Error::ConnectionRefused(_) => (BAD, "connection_refused", "The media server is not running."),
        Error::ConnectTimeout => (LATE, "connection_timeout", "The media server cannot be reached."),
        Error::Dns(_) => (BAD, "dns_error", "The media server's name was not found."),
        Error::Unreachable(_) => {
            (BAD, "destination_ip_unroutable", "There is no way to the media server's address.")
        }
        Error::Tls(_) => (BAD, "tls_protocol_error", "The media server and this gateway share no TLS."),
        Error::TlsCertificate(_) => {
            (BAD, "tls_certificate_error", "The media server's certificate is not trusted.")
        }
        Error::Closed(_) => (BAD, "connection_terminated", "The media server closed the connection."),
        Error::Incomplete(_) => {
            (BAD, "http_response_incomplete", "The media server ended without a complete answer.")
        }
        Error::ResponseTimeout => (LATE, "http_response_timeout", "The media server did not answer in time."),
        Error::Protocol(_) => (BAD, "http_protocol_error", "The media server's answer was not HTTP."),
        Error::RequestBody(_) => {
            (StatusCode::BAD_REQUEST, "http_request_error", "The request's body broke off.")
        }
        Error::Target(_) => {
            (StatusCode::BAD_REQUEST, "http_request_error", "The request's target is not a path.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause() -> body::BoxError {
        "secret cause".into()
    }

    #[test]
    fn every_fault_has_its_status_and_type() {
        use upstream::Error;

        let table: [(Fault, u16, &str); 19] = [
            (Fault::Loop, 502, "proxy_loop_detected"),
            (Fault::Connect, 405, "http_request_denied"),
            (Fault::Host, 400, "http_request_error"),
            (Fault::RequestCoding, 501, "http_request_error"),
            (Fault::ResponseCoding, 502, "http_response_transfer_coding"),
            (Fault::Upgrade, 502, "http_upgrade_failed"),
            (Fault::Panicked, 500, "proxy_internal_error"),
            (Error::ConnectionRefused(cause()).into(), 502, "connection_refused"),
            (Error::ConnectTimeout.into(), 504, "connection_timeout"),
            (Error::Dns(cause()).into(), 502, "dns_error"),
            (Error::Unreachable(cause()).into(), 502, "destination_ip_unroutable"),
            (Error::Tls(cause()).into(), 502, "tls_protocol_error"),
            (Error::TlsCertificate(cause()).into(), 502, "tls_certificate_error"),
            (Error::Closed(cause()).into(), 502, "connection_terminated"),
            (Error::Incomplete(cause()).into(), 502, "http_response_incomplete"),
            (Error::ResponseTimeout.into(), 504, "http_response_timeout"),
            (Error::Protocol(cause()).into(), 502, "http_protocol_error"),
            (Error::RequestBody(cause()).into(), 400, "http_request_error"),
            (Error::Target(cause()).into(), 400, "http_request_error"),
        ];
        for (fault, status, kind) in table {
            let response = fault.response("gate");
            assert_eq!(response.status().as_u16(), status, "{}", fault.as_str());
            assert_eq!(response.headers()[PROXY_STATUS], format!("gate; error={kind}"));
            assert!(!fault.row().2.contains("secret"));
            let Ours { is_server_silent } = response.extensions().get().unwrap();
            assert_eq!(*is_server_silent, matches!(fault, Fault::Upstream(_)), "{}", fault.as_str());
        }
    }
}
