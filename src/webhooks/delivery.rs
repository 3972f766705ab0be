//! Delivers the notices for one address, one after another, each with a few attempts.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::sleep;
use tracing::{debug, warn};
use url::Url;

use crate::config::Webhook;
use crate::fetch::Fetcher;
use crate::webhooks::log::{Log, Outcome};
use domain::notice::{Notice, is_json};

/// The pauses after failed attempts, of which there is one more.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(2), Duration::from_secs(10), Duration::from_secs(60), Duration::from_secs(300)];

/// A notice to deliver.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: u64,
    pub(super) notice: Notice,
}

/// Who is told.
#[derive(Debug)]
pub(super) struct Receiver {
    webhook: Webhook,
    fetcher: Fetcher,
    log: Log,
    waiting: Arc<watch::Sender<usize>>,
    jobs: Mutex<mpsc::Receiver<Job>>,
}

/// Counts a job off, however it ends.
struct Done<'a>(&'a watch::Sender<usize>);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting -= 1);
    }
}

impl Receiver {
    pub(super) fn new(
        webhook: &Webhook,
        fetcher: Fetcher,
        (log, waiting): (Log, Arc<watch::Sender<usize>>),
        jobs: mpsc::Receiver<Job>,
    ) -> Self {
        Self { webhook: webhook.clone(), fetcher, log, waiting, jobs: Mutex::new(jobs) }
    }

    /// Delivers all notices until there can be no more.
    pub(super) async fn deliver_all(self: Arc<Self>) {
        while let Some(Job { id, notice }) = self.next().await {
            let _done = Done(&self.waiting);
            let outcome = self.deliver(id, &notice).await;
            if outcome == Outcome::Failed {
                warn!(to = %self.webhook.url, event = notice.kind.as_str(), "a webhook was not told");
            }
            self.log.end(id, outcome);
        }
    }

    async fn next(&self) -> Option<Job> {
        self.jobs.lock().await.recv().await
    }

    async fn deliver(&self, id: u64, notice: &Notice) -> Outcome {
        let mut pauses = PAUSES.into_iter();
        loop {
            let answer = self.post(notice).await;
            let said = answer
                .as_ref()
                .map_or_else(|error| (*error).to_owned(), |status| status.as_u16().to_string());
            debug!(to = %self.webhook.url, event = notice.kind.as_str(), answer = said, "a webhook is told");
            self.log.tried(id, said);
            match answer {
                Ok(status) if status.is_success() => return Outcome::Delivered,
                // It will not be taken another time either.
                Ok(status) if status.is_client_error() && !is_passing(status) => return Outcome::Failed,
                Ok(_) | Err(_) => {}
            }
            let Some(pause) = pauses.next() else { return Outcome::Failed };
            sleep(pause).await;
        }
    }

    async fn post(&self, notice: &Notice) -> Result<StatusCode, &'static str> {
        let url = Url::parse(self.webhook.url.expose()).map_err(|_| "address")?;
        let (media_type, body) = match &self.webhook.template {
            None => ("application/json", serde_json::to_string(&notice.fields).unwrap_or_default()),
            Some(template) if is_json(template) => ("application/json", notice.fill(template)),
            Some(template) => ("text/plain; charset=utf-8", notice.fill(template)),
        };
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))]);
        let answer = self.fetcher.post(&url, headers, Bytes::from(body)).await;
        answer.map_err(|error| error.as_str())
    }
}

/// Whether a client error may be none the next time.
fn is_passing(status: StatusCode) -> bool {
    matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}
