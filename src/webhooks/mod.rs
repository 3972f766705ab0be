//! Tells somebody outside what happens, by POST: each address in its own order, with a few attempts, and with a log of what became of it.
//!
//! It does not know what there is to tell. No log line and no delivery shows more of an address than its scheme and host.

mod delivery;
mod log;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use domain::notice::Notice;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::background::kept;
use crate::config::Webhook;
use crate::fetch::Fetcher;
use crate::webhooks::delivery::{Job, Receiver};
use crate::webhooks::log::Log;

pub use crate::webhooks::log::{Delivery, Outcome};

/// How many notices may wait for one address.
const QUEUED: usize = 64;

/// See the module. Clones share everything.
#[derive(Clone, Debug)]
pub struct Webhooks(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    hooks: Vec<Hook>,
    log: Log,
    /// How many notices wait, or are being delivered.
    waiting: Arc<watch::Sender<usize>>,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

#[derive(Debug)]
struct Hook {
    webhook: Webhook,
    jobs: mpsc::Sender<Job>,
}

impl Webhooks {
    /// Tells these.
    #[must_use]
    pub fn start(webhooks: Vec<Webhook>, fetcher: &Fetcher) -> Self {
        let (log, waiting) = (Log::default(), Arc::new(watch::channel(0).0));
        let (mut hooks, mut tasks) = (Vec::new(), Vec::new());
        for webhook in webhooks {
            let (jobs, received) = mpsc::channel(QUEUED);
            let receiver =
                Receiver::new(&webhook, fetcher.clone(), (log.clone(), Arc::clone(&waiting)), received);
            let receiver = Arc::new(receiver);
            let deliver = move || Arc::clone(&receiver).deliver_all();
            tasks.push(AbortOnDropHandle::new(tokio::spawn(kept("a webhook's deliveries", deliver))));
            hooks.push(Hook { webhook, jobs });
        }
        Self(Arc::new(Shared { hooks, log, waiting, _tasks: tasks }))
    }

    /// Whether nobody is to be told anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.hooks.is_empty()
    }

    /// Those who are told.
    pub fn webhooks(&self) -> impl Iterator<Item = &Webhook> {
        self.0.hooks.iter().map(|hook| &hook.webhook)
    }

    /// Tells everybody who wants to know of it, some time later.
    pub fn tell(&self, notice: &Notice) {
        let Shared { hooks, log, waiting, .. } = &*self.0;
        for Hook { webhook, jobs } in hooks.iter().filter(|hook| hook.webhook.events.contains(&notice.kind)) {
            let id = log.begin(notice, &webhook.url);
            waiting.send_modify(|waiting| *waiting += 1);
            if jobs.try_send(Job { id, notice: notice.clone() }).is_err() {
                waiting.send_modify(|waiting| *waiting -= 1);
                log.end(id, Outcome::Dropped);
            }
        }
    }

    /// Waits until all have been told, for `patience` at most.
    pub async fn all_told(&self, patience: Duration) {
        let mut waiting = self.0.waiting.subscribe();
        let _ = timeout(patience, waiting.wait_for(|waiting| *waiting == 0)).await;
    }

    /// The last deliveries, the oldest first.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.0.log.all()
    }
}
