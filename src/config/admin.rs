//! The sections `admin` and `zap`: where it is shown what goes on inside, to whom, and what is to be reached.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use crate::config::errors::Report;
use crate::config::scalar;
use crate::config::secret::Secret;

/// Where it is shown what goes on inside.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct Admin {
    /// Whether it is shown at all.
    #[serde(deserialize_with = "scalar::one")]
    pub enabled: bool,
    /// The address.
    #[serde(deserialize_with = "scalar::one")]
    pub listen: SocketAddr,
    /// What whoever asks has to show; `None` only on loopback.
    #[serde(deserialize_with = "scalar::some")]
    pub token: Option<Secret>,
    /// The names, beside `localhost` and addresses, under which browsers reach it.
    #[serde(deserialize_with = "scalar::list")]
    pub hosts: Vec<String>,
}

impl Default for Admin {
    fn default() -> Self {
        Self { enabled: true, listen: ([127, 0, 0, 1], 8099).into(), token: None, hosts: Vec::new() }
    }
}

/// What a change of channel is to reach.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct Zap {
    /// How long it may take from the opening to the first segment.
    #[serde(deserialize_with = "scalar::one")]
    pub slo: Duration,
}

impl Default for Zap {
    fn default() -> Self {
        Self { slo: Duration::from_millis(500) }
    }
}

/// Reports what is wrong with the section `admin`.
pub(super) fn check(admin: &Admin, report: &mut Report) {
    let holds = !admin.enabled || admin.listen.ip().is_loopback() || admin.token.is_some();
    let what =
        "is missing: elsewhere than on loopback, whoever can reach admin.listen could stop what is watched";
    report.rule(holds, "admin.token", &["admin.listen"], what);
    let holds = admin.token.as_ref().is_none_or(|token| !token.expose().trim().is_empty());
    report.rule(holds, "admin.token", &[], "is empty");
}
