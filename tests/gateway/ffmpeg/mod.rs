//! Real FFmpegs: what they make, and that none is left behind.

mod processes;
mod streams;
mod support;
