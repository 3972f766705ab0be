//! Real FFmpegs: what they make, and that none is left behind.
#![allow(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]

mod processes;
mod streams;
mod support;
