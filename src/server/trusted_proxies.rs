//! The proxies whose word about their clients is taken.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use ipnet::IpNet;

/// A list of them that may change at any time. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Arc<ArcSwap<Vec<IpNet>>>);

impl TrustedProxies {
    /// Trusts these.
    #[must_use]
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(networks)))
    }

    /// Trusts these from now on, and no others.
    pub fn change(&self, networks: Vec<IpNet>) {
        self.0.store(Arc::new(networks));
    }

    /// Their networks, at this moment.
    #[must_use]
    pub fn networks(&self) -> Guard<Arc<Vec<IpNet>>> {
        self.0.load()
    }

    /// Whether `address` is one of them.
    #[must_use]
    pub fn contain(&self, address: Option<IpAddr>) -> bool {
        is_trusted(address, &self.networks())
    }
}

/// Whether `address` is in one of the `trusted` networks.
#[must_use]
pub fn is_trusted(address: Option<IpAddr>, trusted: &[IpNet]) -> bool {
    address.is_some_and(|ip| trusted.iter().any(|net| net.contains(&ip.to_canonical())))
}
