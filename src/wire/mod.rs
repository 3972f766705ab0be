//! TCP connections below HTTP: `tagged` attaches a value to a connection for as long as it lives, `connector` makes outgoing
//! ones, and [`Error`] says why there is none, or no answer on it.
//!
//! Nothing here looks at the bytes.

pub(crate) mod connector;
mod error;
pub(crate) mod read_size;
pub(crate) mod tagged;

pub use crate::wire::error::Error;
