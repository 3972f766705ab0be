//! Tells the service manager that started the gateway, systemd for one, how it is, and takes over the sockets that it has bound for it.
//!
//! Without such a manager (no `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `LISTEN_FDS`) it does nothing. It does not know what has to be done
//! before the gateway is ready.

mod sockets;

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use crate::background::kept;

pub use crate::service_manager::sockets::{Sockets, SocketsError};

/// The gateway listens: at its start, and again after [`reloading`].
pub fn ready() {
    notify(&[NotifyState::Ready]);
}

/// The configuration is being read again; [`ready`] has to follow, whether that succeeds or not.
pub fn reloading() {
    // With the time, also a unit of Type=notify-reload knows which of its requests this answers.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "there is no clock to tell the service manager of a reload by"),
    }
}

/// The gateway accepts nothing any more, and ends once it has finished what is under way.
pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Another process of the gateway is the main one from now on, which shows its life itself.
pub fn main_process_is(pid: u32) {
    notify(&[NotifyState::MainPid(pid)]);
}

/// Begins to show that the runtime works, twice in the time after which the manager would end the gateway for not showing it, if
/// there is such a time; until the value is dropped.
#[must_use]
pub fn begin_watchdog() -> Option<AbortOnDropHandle<()>> {
    let limit = sd_notify::watchdog_enabled()?;
    let showing = tokio::spawn(kept("the service manager's watchdog", move || show_life(limit / 2)));
    Some(AbortOnDropHandle::new(showing))
}

async fn show_life(pause: Duration) {
    loop {
        notify(&[NotifyState::Watchdog]);
        sleep(pause).await;
    }
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, ?states, "cannot tell the service manager");
    }
}
