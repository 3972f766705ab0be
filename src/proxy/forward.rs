//! Passes a request on to the server and its answer back, both streamed and otherwise unchanged.
//!
//! It does what HTTP demands of an intermediary (RFC 9110 7), and knows nothing of Jellyfin. Informational responses end here: hyper's client
//! drops `100` and `103`, and its server sends a `100` by itself when the body of a request is first read, that is as soon as the upstream
//! connection accepts it. Trailers pass over HTTP/1.1 if `Trailer` announces them and, downstream, if `TE: trailers` asks for them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderMap, HeaderValue};
use http::uri::Authority;
use http::{Extensions, Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;

use crate::background::{noted, survived};
use crate::body::{self, Body};
use crate::proxy::error::Fault;
use crate::proxy::injected_panics::{InjectedPanic, Step};
use crate::proxy::passage::Passage;
use crate::proxy::websocket::{Messages, OnMessage};
use crate::proxy::{forwarded, headers, tunnel};
use crate::server::{Peer, TrustedProxies, Tunnels};
use crate::upstream;
use crate::upstream::client::Client;

/// How long the rest of a request's body is read after its answer, as nginx does with `lingering_time`.
const LINGER: Duration = Duration::from_secs(30);

/// The gateway's name, and the proxies that it trusts.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The name in `Via` and `Proxy-Status`: a token (RFC 9110 5.6.2). Chained gateways need different names.
    pub name: String,
    /// The peers whose `X-Forwarded-*` fields are believed.
    pub trusted_proxies: TrustedProxies,
}

/// Passes requests on. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Forwarder {
    client: Client,
    identity: Arc<Identity>,
}

impl Forwarder {
    /// Forwards through `client`, in the name of `identity`.
    #[must_use]
    pub fn new(client: Client, identity: Identity) -> Self {
        Self { client, identity: Arc::new(identity) }
    }

    /// The `X-Forwarded-For` with which a request is passed on, without what its client may have made up.
    #[must_use]
    pub(super) fn forwarded_for(&self, request: &Request<Body>) -> Option<HeaderValue> {
        forwarded::told_hops(&self.forwarded(request), &self.identity.trusted_proxies.networks())
    }

    /// The address of the client, as far as trusted proxies in between tell.
    #[must_use]
    pub(super) fn client_address(&self, request: &Request<Body>) -> Option<IpAddr> {
        forwarded::client_address(&self.forwarded(request), &self.identity.trusted_proxies.networks())
    }

    /// The scheme and host that a request was sent to, as far as a trusted proxy in between tells.
    #[must_use]
    pub(super) fn origin(&self, request: &Request<Body>) -> String {
        let fields = self.forwarded(request);
        let text = |name| fields.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let host = request.uri().authority().map(Authority::as_str).or_else(|| text(headers::FORWARDED_HOST));
        format!("{}://{}", text(headers::FORWARDED_PROTO).unwrap_or("http"), host.unwrap_or_default())
    }

    /// Whether a request comes from a trusted proxy, so that its claims about itself are believed.
    #[must_use]
    pub(super) fn is_from_trusted_proxy<B>(&self, request: &Request<B>) -> bool {
        let peer = request.extensions().get::<Peer>().and_then(Peer::speaks_as);
        self.identity.trusted_proxies.contain(peer)
    }

    /// The fields of a request with the `X-Forwarded-*` that the server will see.
    fn forwarded(&self, request: &Request<Body>) -> HeaderMap {
        let mut fields = request.headers().clone();
        let peer = request.extensions().get::<Peer>().copied();
        forwarded::set(&mut fields, peer, &self.identity.trusted_proxies.networks());
        fields
    }

    /// Returns the server's answer, or an answer of the gateway's that says why there is none (`Fault`).
    pub async fn forward(&self, request: Request<Body>) -> Response<Body> {
        let method = request.method().clone();
        let uri = request.uri().clone();
        match self.try_forward(request).await {
            Ok(response) => response,
            Err(error) => {
                let cause = std::error::Error::source(&error).map(|cause| format!("{cause:?}"));
                tracing::warn!(%method, path = uri.path(), reason = error.as_str(), cause, "the server gave no answer");
                self.refuse(&Fault::Upstream(error))
            }
        }
    }

    /// Returns the server's answer. A request that may not be forwarded is answered by the gateway.
    ///
    /// # Errors
    /// If the server gave no response head.
    async fn try_forward(&self, request: Request<Body>) -> Result<Response<Body>, upstream::Error> {
        let passage = Passage::under_way(&request);
        let mut request = request.map(|body| body::drained(body, LINGER));
        let upgrade = Upgrade::wanted(&mut request);
        let protocol = upgrade.as_ref().map(|upgrade| upgrade.protocol.clone());
        if let Err(fault) = self.prepare(&mut request, protocol) {
            tracing::debug!(
                path = request.uri().path(),
                reason = fault.as_str(),
                "a request may not be forwarded"
            );
            return Ok(self.refuse(&fault));
        }
        passage.iter().for_each(Passage::mark_sent);
        let response = self.client.send(request).await?;
        let answer = self.answer(response, upgrade).unwrap_or_else(|fault| self.refuse(&fault));
        Ok(match passage {
            Some(passage) => passage.keep_answer(answer),
            None => answer,
        })
    }

    /// The answer of the gateway that stands in for the server's.
    pub(super) fn refuse(&self, fault: &Fault) -> Response<Body> {
        fault.response(&self.identity.name)
    }

    fn prepare(&self, request: &mut Request<Body>, upgrade: Option<HeaderValue>) -> Result<(), Fault> {
        if *request.method() == Method::CONNECT {
            return Err(Fault::Connect);
        }
        let uri = request.uri().clone();
        let version = request.version();
        let peer = std::mem::replace(request.extensions_mut(), Extensions::new()).get::<Peer>().copied();
        let fields = request.headers_mut();
        headers::settle_head(fields, &uri, version)?;
        headers::add_via(fields, version, &self.identity.name)?;
        let trailers = headers::has_token(fields, &header::TE, "trailers");
        headers::strip_hop_by_hop(fields);
        headers::set_connection(fields, trailers, upgrade);
        headers::join_cookies(fields);
        headers::remove_wishes(fields);
        forwarded::set(fields, peer, &self.identity.trusted_proxies.networks());
        announce_body(request);
        headers::fit(request.headers_mut());
        Ok(())
    }

    fn answer(
        &self,
        mut response: Response<Incoming>,
        upgrade: Option<Upgrade>,
    ) -> Result<Response<Body>, Fault> {
        let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let protocol = response.headers().get(header::UPGRADE).cloned();
        let upstream = switched.then(|| hyper::upgrade::on(&mut response));
        if headers::has_foreign_coding(response.headers()) {
            return Err(Fault::ResponseCoding);
        }
        // The coding has framed the body (RFC 9112 6.3): the length may be wrong.
        if response.headers().contains_key(header::TRANSFER_ENCODING) {
            response.headers_mut().remove(header::CONTENT_LENGTH);
        }
        clean(response.headers_mut());
        *response.version_mut() = Version::HTTP_11;
        if let Some(upstream) = upstream {
            let upgrade = upgrade.ok_or(Fault::Upgrade)?;
            headers::set_connection(response.headers_mut(), false, protocol);
            // An extension such as compression changes what is in the frames.
            let is_plain = !response.headers().contains_key(header::SEC_WEBSOCKET_EXTENSIONS);
            upgrade.tunnel(upstream, is_plain);
        }
        Ok(response.map(body::boxed))
    }
}

/// Removes the fields that must not go downstream. `Alt-Svc` would lead players around the gateway.
fn clean(fields: &mut HeaderMap) {
    headers::strip_hop_by_hop(fields);
    fields.remove(header::ALT_SVC);
}

/// Marks a body of unknown length as chunked. Without that, hyper would drop the body of a GET or HEAD.
pub(super) fn announce_body(request: &mut Request<Body>) {
    let unknown = !request.body().is_end_stream() && request.body().size_hint().exact().is_none();
    if unknown && !request.headers().contains_key(header::CONTENT_LENGTH) {
        request.headers_mut().insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

/// A request to leave HTTP/1.1.
struct Upgrade {
    protocol: HeaderValue,
    downstream: OnUpgrade,
    tunnels: Option<Tunnels>,
    at_end: Option<tunnel::AtEnd>,
    on_message: Option<OnMessage>,
}

impl Upgrade {
    /// Reads the upgrade that a request asks for. `h2c` is not passed on: its requests would pass the gateway unseen.
    fn wanted(request: &mut Request<Body>) -> Option<Self> {
        let fields = request.headers();
        let asked = request.version() == Version::HTTP_11
            && headers::has_token(fields, &header::CONNECTION, "upgrade")
            && !headers::has_token(fields, &header::UPGRADE, "h2c");
        let protocol = fields.get(header::UPGRADE).filter(|_| asked)?.clone();
        let tunnels = request.extensions().get::<Tunnels>().cloned();
        let at_end = request.extensions().get::<tunnel::AtEnd>().cloned();
        let on_message = request.extensions().get::<OnMessage>().cloned();
        Some(Self { protocol, downstream: hyper::upgrade::on(request), tunnels, at_end, on_message })
    }

    /// Carries the bytes of both sides in a task. `is_plain` says whether frames are sent without extensions.
    fn tunnel(self, upstream: OnUpgrade, is_plain: bool) {
        let mut messages = self.on_message.filter(|_| is_plain).map(Messages::new);
        let injected = InjectedPanic::current();
        let watch = move |bytes: &[u8]| {
            let read = messages.as_mut().map(|messages| {
                survived("the reading of a WebSocket", || {
                    injected.at(Step::Reading);
                    messages.read(bytes);
                })
            });
            if read == Some(None) {
                // Where the next frame begins is not known any more. The tunnel goes on.
                messages = None;
            }
        };
        let carried = async move {
            // Whoever waits for its end is told also of its death.
            noted("a tunnel", tunnel::run(self.downstream, upstream, watch)).await;
            if let Some(tunnel::AtEnd(tell)) = self.at_end {
                tell();
            }
        };
        match self.tunnels {
            Some(tunnels) => tunnels.spawn(carried),
            None => drop(tokio::spawn(carried)),
        }
    }
}
