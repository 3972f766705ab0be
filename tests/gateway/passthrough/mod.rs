//! The gateway as a plain proxy, in front of origins that behave well and badly.

mod bodies;
mod connections;
mod failures;
mod fields;
mod http1;
mod http2;
mod nginx;
pub(crate) mod parked;
mod proxied;
mod shutdown;
mod smuggling;
mod stalled;
mod upgrades;
pub(crate) mod wire;
