//! What is open at the server, ours and clients': as whom the server is called about it, and how each of it is given back.
//!
//! It does not know what is made of anything, nor why it is held.

pub(super) mod access;
pub(super) mod caller;
pub mod client_openings;
pub(super) mod hold;
pub(super) mod leftovers;
