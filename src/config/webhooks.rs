//! The section `webhooks`: who is told what happens.
//!
//! Their URLs contain credentials, so no message repeats one.

use serde::Deserialize;
use url::Url;

use crate::config::errors::Report;
use crate::config::scalar::{self, Scalar};
use crate::config::secret::Secret;
use domain::lineup::source::SourceUrl;
use domain::notice::{FIELDS, unknown_field};
use domain::reason::NoticeKind;

/// Who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// The address.
    pub url: SourceUrl,
    /// Of what; never empty.
    pub events: Vec<NoticeKind>,
    /// What is sent, with fields of the notice in it; `None`: the notice as JSON.
    pub template: Option<String>,
}

/// The same as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a webhook with keys of its own")]
pub(super) struct WrittenWebhook {
    #[serde(deserialize_with = "scalar::some")]
    url: Option<Secret>,
    #[serde(deserialize_with = "scalar::one_or_more")]
    events: Vec<NoticeKind>,
    #[serde(deserialize_with = "scalar::some")]
    template: Option<String>,
}

impl Scalar for NoticeKind {
    fn read(text: &str) -> Result<Self, String> {
        scalar::named(Self::ALL, Self::as_str, text)
    }
}

/// Checks the section. `is_shown` says whether there is a listener that shows what goes on, which notices it too.
pub(super) fn lower(written: Vec<WrittenWebhook>, is_shown: bool, report: &mut Report) -> Vec<Webhook> {
    let is_seen = is_shown || written.is_empty();
    report.rule(is_seen, "webhooks", &["admin.enabled"], "have no effect: admin.enabled is false");
    let numbered = written.into_iter().enumerate();
    numbered.filter_map(|(index, one)| webhook(one, &format!("webhooks[{index}]"), report)).collect()
}

fn webhook(written: WrittenWebhook, key: &str, report: &mut Report) -> Option<Webhook> {
    let WrittenWebhook { url, mut events, template } = written;
    let is_http = |url: &Secret| {
        Url::parse(url.expose()).is_ok_and(|url| ["http", "https"].contains(&url.scheme()) && url.has_host())
    };
    let what = "write the address that is told, as in https://ntfy.example/tv";
    report.rule(url.as_ref().is_some_and(is_http), &format!("{key}.url"), &[], what);
    if let Some(unknown) = template.as_deref().and_then(unknown_field) {
        let what = format!("{{{{{unknown}}}}} is no field: write one of {}", FIELDS.join(", "));
        report.add(&format!("{key}.template"), what);
    }
    if events.is_empty() {
        events = NoticeKind::ALL.to_vec();
    }
    Some(Webhook { url: SourceUrl::new(url?.expose()), events, template })
}
