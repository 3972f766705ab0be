//! The limits of a simulated gateway: the defaults of gateway.yaml, and room enough in memory and on disks.

use std::time::Duration;

use crate::pool::Limits;
use crate::tuners;

/// See the module.
pub(super) fn usual() -> Limits {
    Limits {
        slots: 8,
        idle_timeout: Duration::from_secs(600),
        warm_encode: Duration::from_secs(120),
        warm_feed: Duration::from_secs(600),
        silence: Duration::from_secs(20),
        patience: Duration::from_secs(30 * 60),
        cold_timeout: Duration::from_secs(20),
        goodbye: Duration::from_secs(2),
        unfollowed: Duration::from_secs(120),
        failures: 3,
        disk_budget: u64::MAX,
        memory: u64::MAX,
        own_credential: true,
        tuners: tuners::Settings::default(),
        thrift: None,
        starts_ahead: true,
    }
}
