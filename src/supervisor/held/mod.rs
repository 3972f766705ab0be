//! Keeps track of everything that is open at the server, opened by the gateway or by clients, and closes it.
//!
//! It does not know why something is held open, nor which streams are made from it.

pub(super) mod access;
pub(super) mod caller;
pub mod client_openings;
pub(super) mod hold;
pub(super) mod leftovers;
pub mod opener;
pub(super) mod opening_book;
