//! What the tests share: servers in front of and behind a gateway, viewers, and waiting.

pub(crate) mod admin;
pub(crate) mod alone;
pub(crate) mod haproxy;
pub(crate) mod log;
pub(crate) mod nginx;
pub(crate) mod program;
pub(crate) mod provider;
pub(crate) mod sender;
pub(crate) mod servers;
pub(crate) mod stage;
pub(crate) mod wait;
pub(crate) mod watch;
