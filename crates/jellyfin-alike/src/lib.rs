//! A small server that behaves as Jellyfin does in all that a gateway in front of it can see, with synthetic channels, and
//! a viewer that behaves as jellyfin-web does: for `warmgate demo` and for the tests.
//!
//! It shares no code with the gateway and knows nothing of it. Its rules are those of Jellyfin's source, whose files the
//! modules name, and of `docs/jellyfin.md`; `tests/` replays recorded conversations against it.
//!
//! Left out: compression, fMP4 segments, subtitles, the guide, images, the legacy `/PlayingItems` reports, and redirects
//! of a provider.

mod auth;
mod body;
mod caller;
mod channel;
mod consumer;
mod date;
mod encoding;
mod ffmpeg;
mod files;
mod guid;
mod guide;
mod hls;
mod input;
mod job;
mod live_stream;
mod lock;
mod media_source;
mod notices;
mod origin;
mod parameters;
mod playback_info;
mod programme;
mod raw_stream;
mod recording;
mod reports;
mod request_log;
mod response;
mod route;
mod server;
mod session_list;
mod sessions;
mod settings;
mod state;
mod system;
mod tuner;
pub mod viewer;
mod websocket;

pub use crate::channel::{Channel, Reception};
pub use crate::consumer::{Consumer, Holder};
pub use crate::notices::Message;
pub use crate::origin::{Counts, Error, Origin};
pub use crate::programme::Programme;
pub use crate::recording::{Recording, Status, Timer};
pub use crate::request_log::LoggedRequest;
pub use crate::settings::{Delays, Policy, SecondHost, Settings, Token, User, Version};
