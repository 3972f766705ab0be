//! Shows who is told what happens, and what became of that.

use serde::Serialize;
use utoipa::ToSchema;

use crate::admin::published::moment;
use crate::webhooks::{self, Webhooks};

/// Who is told, and the last deliveries.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Told {
    /// Who is told.
    webhooks: Vec<Webhook>,
    /// The last 100 deliveries, the oldest first.
    deliveries: Vec<Delivery>,
}

/// An address that is told.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Webhook {
    /// Its scheme and host.
    to: String,
    /// Of what.
    events: Vec<&'static str>,
}

/// A notice for an address.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Delivery {
    /// Counts up.
    id: u64,
    /// When it happened (RFC 3339).
    at: String,
    /// What it is of.
    event: &'static str,
    /// The address's scheme and host.
    to: String,
    /// `waiting`, `delivered`, `failed` or `dropped` (too many waited).
    outcome: &'static str,
    /// How often it has been tried.
    attempts: u32,
    /// The status of the last answer, or why there was none.
    answer: Option<String>,
}

impl Told {
    pub(super) fn of(webhooks: &Webhooks) -> Self {
        let hooks = webhooks.webhooks().map(|hook| Webhook {
            to: hook.url.to_string(),
            events: hook.events.iter().map(|event| event.as_str()).collect(),
        });
        Self {
            webhooks: hooks.collect(),
            deliveries: webhooks.deliveries().into_iter().map(delivery).collect(),
        }
    }
}

fn delivery(delivery: webhooks::Delivery) -> Delivery {
    let webhooks::Delivery { id, at, kind, to, attempts, outcome, answer } = delivery;
    Delivery { id, at: moment(at), event: kind.as_str(), to, outcome: outcome.as_str(), attempts, answer }
}
