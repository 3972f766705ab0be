//! What shows the gateway off, and what the tests put behind it.
//!
//! It stands above everything but the command line: nothing in the gateway knows that it exists.

pub mod origin;
