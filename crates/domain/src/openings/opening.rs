//! A live stream that a client opened, as far as the answer to it told.

use serde::{Deserialize, Serialize};

use crate::key::{DeviceId, ItemId, LiveStreamId, PlaySessionId};
use crate::viewer::Account;

/// A live stream that a client opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientOpening {
    /// The client's account; `None` if it was opened before the gateway's start.
    pub account: Option<Account>,
    /// The client's device.
    pub device: Option<DeviceId>,
    /// The live stream that is open.
    pub live_stream: LiveStreamId,
    /// The channel's item, if it is known.
    pub item: Option<ItemId>,
    /// The play session that it was opened for.
    pub play_session: Option<PlaySessionId>,
    /// The unique id that the server gave to this opening, where it shares its raw stream.
    pub name: Option<String>,
    /// Whether the client went away before it had the whole answer.
    pub abandoned: bool,
}
