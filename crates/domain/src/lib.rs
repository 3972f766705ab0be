//! The pure core: decides which streams run, for whom, and what happens next.
//!
//! **Invariant:** nothing here waits, reads a clock, does IO, draws a random number, locks or logs. The same events at
//! the same times give the same actions. A fact worth logging is returned to the caller.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod backoff;
pub mod cadence;
pub mod clients;
pub mod connections;
pub mod consumer;
pub mod container;
pub mod cutter;
pub mod doctor;
pub mod encoding;
pub mod feeding;
pub mod forwarded;
pub mod guid;
pub mod inputs;
pub mod key;
pub mod lineup;
pub mod memory;
pub mod mpegts;
pub mod multiset;
pub mod notice;
pub mod openings;
pub mod playlist;
pub mod pool;
pub mod prediction;
pub mod produce;
pub mod producer;
pub mod profile;
pub mod reason;
pub mod reload;
pub mod ring;
pub mod signal;
pub mod simulate;
pub mod spool;
pub mod starts;
pub mod throttle;
pub mod time;
pub mod tuners;
pub mod value;
pub mod viewer;
pub mod window;
pub mod zap;
