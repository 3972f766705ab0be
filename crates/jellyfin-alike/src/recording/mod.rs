//! Recordings: timers, and the recorder that follows them inside the server, where no proxy sees it.

pub(crate) mod calls;
pub(crate) mod recorder;
mod timer;
pub(crate) mod timers;

pub use crate::recording::timer::Timer;
pub use crate::recording::timers::{Recording, Status};
