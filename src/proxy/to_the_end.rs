//! Has a request answered whatever its client does, and whatever goes wrong in here: to the end after the client has gone, and after a
//! panic by the server.
//!
//! A request that the server has not got is passed on to it as it came, and one that changes nothing is passed on again. Of any other
//! the client gets the answer that the server has given. What the server has got and not answered is answered with a 500: it cannot be sent twice.
//!
//! It does not know what is answered.

use std::sync::Arc;

use http::{Request, Response};
use tokio::task::JoinError;
use tracing::error;

use crate::background::noted;
use crate::body::Body;
use crate::proxy::error::Fault;
use crate::proxy::forward::Forwarder;
use crate::proxy::gateway::Gateway;
use crate::proxy::injected_panics::InjectedPanic;
use crate::proxy::list_path;
use crate::proxy::miss::Miss;
use crate::proxy::passage::Passage;

/// What its death is counted under.
const NAME: &str = "the answer to a request";

impl Gateway {
    /// The answer of `answering`, which runs in a task of its own, for what has to finish even if the client does not wait. `passage`
    /// is that of its request.
    pub(super) async fn to_the_end(
        &self,
        passage: Option<Passage>,
        answering: impl Future<Output = Response<Body>> + Send + 'static,
    ) -> Response<Body> {
        to_the_end(&self.forwarder, passage, answering).await
    }

    /// The answer to a request, and an answer after a panic too: hyper would close the connection, which other requests may share.
    pub(super) async fn answered(self: &Arc<Self>, request: Request<Body>) -> Response<Body> {
        let (request, passage) = Passage::of(request);
        answered(&self.forwarder, Some(passage), self.answer_or_pass_on(request)).await
    }

    /// What `work` does for a playlist; after its panic the server is to answer, which is none the worse for it.
    ///
    /// # Errors
    /// [`Miss::Panicked`] after a panic.
    pub(super) async fn outlived<T>(&self, work: impl Future<Output = T> + Send) -> Result<T, Miss> {
        noted("the answer to a playlist request", work).await.ok_or(Miss::Panicked)
    }
}

async fn to_the_end(
    forwarder: &Forwarder,
    passage: Option<Passage>,
    answering: impl Future<Output = Response<Body>> + Send + 'static,
) -> Response<Body> {
    let within = forwarder.clone();
    let answering = async move { answered(&within, passage, answering).await };
    let answering = InjectedPanic::current().during(answering);
    // The task can only be cancelled with the whole runtime.
    tokio::spawn(answering).await.unwrap_or_else(|_: JoinError| panicked(forwarder))
}

async fn answered(
    forwarder: &Forwarder,
    passage: Option<Passage>,
    answering: impl Future<Output = Response<Body>> + Send,
) -> Response<Body> {
    match noted(NAME, answering).await {
        Some(answer) => answer,
        None => {
            noted(NAME, by_server(forwarder, passage)).await.flatten().unwrap_or_else(|| panicked(forwarder))
        }
    }
}

/// The server's answer to a request that the gateway has failed at, if it is to be had.
async fn by_server(forwarder: &Forwarder, passage: Option<Passage>) -> Option<Response<Body>> {
    let passage = passage?;
    if let Some(answer) = passage.answer() {
        return Some(answer);
    }
    let mut request = passage.request()?;
    // The server does not know the folders of viewers.
    let _ = list_path::route(&mut request);
    Some(forwarder.forward(request).await)
}

fn panicked(forwarder: &Forwarder) -> Response<Body> {
    let fault = Fault::Panicked;
    error!(reason = fault.as_str(), "the gateway failed at a request");
    forwarder.refuse(&fault)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::StatusCode;
    use http::uri::Scheme;
    use tokio::sync::Notify;
    use tokio::time::timeout;

    use super::*;
    use crate::body;
    use crate::proxy::error::PROXY_STATUS;
    use crate::proxy::forward::Identity;
    use crate::server::TrustedProxies;
    use crate::upstream::client::{Client, Target, Timeouts};

    /// One before no server at all.
    fn forwarder() -> Forwarder {
        let target = Target { scheme: Scheme::HTTP, authority: "127.0.0.1:1".parse().unwrap() };
        let identity = Identity { name: "gate".to_owned(), trusted_proxies: TrustedProxies::new(Vec::new()) };
        Forwarder::new(Client::new(target, Timeouts::default()), identity)
    }

    async fn panicking() -> Response<Body> {
        if std::hint::black_box(true) { panic!("as a test") } else { Response::new(body::empty()) }
    }

    #[tokio::test]
    async fn a_panic_without_a_server_is_answered_with_500() {
        let forwarder = forwarder();
        let in_place = answered(&forwarder, None, panicking()).await;
        for response in [to_the_end(&forwarder, None, panicking()).await, in_place] {
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(response.headers()[PROXY_STATUS], "gate; error=proxy_internal_error");
        }
    }

    #[tokio::test]
    async fn what_the_server_may_have_got_is_sent_again_only_if_it_changes_nothing() {
        for (method, text, is_repeated) in [
            ("GET", "", true),
            ("HEAD", "", true),
            ("GET", "text", false),
            ("POST", "text", false),
            ("DELETE", "", false),
        ] {
            let request = || Request::builder().method(method).uri("/x").body(body::full(text)).unwrap();
            let (_, unsent) = Passage::of(request());
            assert!(unsent.request().is_some(), "{method}");
            let (_, sent) = Passage::of(request());
            sent.mark_sent();
            assert_eq!(sent.request().is_some(), is_repeated, "{method}");
            let (_, answered) = Passage::of(request());
            answered.mark_sent();
            let answer = answered.keep_answer(Response::new(body::full("answer")));
            drop(answer);
            assert_eq!(answered.answer().is_some(), !is_repeated, "{method}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_waits_for_is_finished() {
        let done = Arc::new(Notify::new());
        let tell = Arc::clone(&done);
        let forwarder = forwarder();
        let answering = to_the_end(&forwarder, None, async move {
            tokio::time::sleep(Duration::from_secs(8)).await;
            tell.notify_one();
            Response::new(body::empty())
        });
        timeout(Duration::from_secs(1), answering).await.unwrap_err();
        timeout(Duration::from_secs(8), done.notified()).await.unwrap();
    }
}
