//! What a viewer is told when there is no upstream answer: one table from cause to status.

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use crate::body::{self, Body};
use crate::upstream;

/// Names the gateway as the author of an answer (RFC 9209). Every answer that stands in for a missing one of the server's has it.
pub(super) const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// Why a request was not forwarded, or its answer not passed on.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The upstream gave no answer.
    #[error(transparent)]
    Upstream(#[from] upstream::Error),
    /// The request has been here before.
    #[error("own name in Via")]
    Loop,
    /// CONNECT: the gateway is no forward proxy.
    #[error("CONNECT")]
    Connect,
    /// No `Host`, or several (RFC 9112 3.2).
    #[error("no single Host")]
    Host,
    /// A request body under a transfer coding other than `chunked`, which cannot be passed on as it is.
    #[error("request transfer coding")]
    RequestCoding,
    /// The same of a response.
    #[error("response transfer coding")]
    ResponseCoding,
    /// The upstream switched protocols although nobody asked it to.
    #[error("unasked upgrade")]
    Upgrade,
}

/// One row: status, `error` of `Proxy-Status` (RFC 9209 2.3), and a sentence for people.
type Row = (StatusCode, &'static str, &'static str);

impl Fault {
    /// The one spelling for logs and counters.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Upstream(error) => error.as_str(),
            Self::Loop => "loop",
            Self::Connect => "connect-method",
            Self::Host => "host",
            Self::RequestCoding => "request-coding",
            Self::ResponseCoding => "response-coding",
            Self::Upgrade => "unasked-upgrade",
        }
    }

    /// The answer, from the gateway called `name`.
    #[must_use]
    pub fn response(&self, name: &str) -> Response<Body> {
        let (status, kind, sentence) = self.row();
        let mut response = Response::new(body::full(format!("{sentence}\n")));
        *response.status_mut() = status;
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
            Self::Host => {
                (StatusCode::BAD_REQUEST, "http_request_error", "The request must have one Host header.")
            }
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

        let table: [(Fault, u16, &str); 18] = [
            (Fault::Loop, 502, "proxy_loop_detected"),
            (Fault::Connect, 405, "http_request_denied"),
            (Fault::Host, 400, "http_request_error"),
            (Fault::RequestCoding, 501, "http_request_error"),
            (Fault::ResponseCoding, 502, "http_response_transfer_coding"),
            (Fault::Upgrade, 502, "http_upgrade_failed"),
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
        }
    }
}
