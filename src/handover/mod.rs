//! What two processes of the gateway have between them while one takes the other's place: how the new one is started, and the link
//! that carries messages, bytes and descriptors.
//!
//! It does not know what is handed over, nor when.

mod link;
mod predecessor;
mod successor;

pub use crate::handover::link::{Frame, LinkError, Receiver, Sender, pair};
pub use crate::handover::predecessor::inherited;
pub use crate::handover::successor::start;
