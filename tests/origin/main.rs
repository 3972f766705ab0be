//! The demo's origin against the recorded Jellyfin: same status, same fields, same order of events.

mod client;
mod life;
mod replay;
