//! TCP connections below HTTP: `tagged` attaches a value to a connection for as long as it lives, `connector` makes outgoing
//! ones, `trust` says which servers they may reach, and [`Error`] why there is none, or no answer on it. `pem` reads certificates.
//!
//! Nothing here looks at the bytes.

pub(crate) mod connector;
mod error;
pub(crate) mod pem;
pub(crate) mod read_size;
pub(crate) mod tagged;
pub mod trust;

pub use crate::wire::error::Error;
pub use crate::wire::pem::PemError;
