//! Notices to clients: sent to the WebSockets of the sessions that they are for, without waiting for anybody.

use std::sync::Mutex;

use tokio::sync::broadcast;

use crate::lock::lock;

/// How many notices a slow WebSocket may lag behind before it misses some.
const BACKLOG: usize = 64;

/// The notices of one server.
#[derive(Debug)]
pub(crate) struct Notices {
    sender: broadcast::Sender<Notice>,
    messages: Mutex<Vec<Message>>,
}

/// A notice, as the text of a WebSocket's message.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    pub(crate) audience: Audience,
    pub(crate) text: String,
}

/// The sessions that a notice is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Those of users with the right to live TV.
    LiveTv,
    /// The one with this key.
    Session(String),
}

/// A message that was sent to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The device of the session.
    pub device: String,
    /// The heading; `None` if it has none.
    pub header: Option<String>,
    /// The text.
    pub text: String,
    /// Milliseconds until a client hides it; without them it stays until it is dismissed.
    pub timeout_ms: Option<u64>,
}

impl Default for Notices {
    fn default() -> Self {
        Self { sender: broadcast::Sender::new(BACKLOG), messages: Mutex::default() }
    }
}

impl Notices {
    /// Sends a notice. It is lost if no WebSocket is open.
    pub(crate) fn send(&self, audience: Audience, message: &serde_json::Value) {
        let _ = self.sender.send(Notice { audience, text: message.to_string() });
    }

    /// Keeps a message for tests.
    pub(crate) fn keep(&self, message: Message) {
        lock(&self.messages).push(message);
    }

    /// The messages so far.
    pub(crate) fn messages(&self) -> Vec<Message> {
        lock(&self.messages).clone()
    }

    /// The notices from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.sender.subscribe()
    }
}
