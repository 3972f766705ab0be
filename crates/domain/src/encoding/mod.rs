//! What a profile asks for, and how the gateway makes it from a source by itself.
//!
//! [`demand`] reads the wish, `copying` asks whether the source meets it as it is, [`plan`] decides what is copied and
//! what is encoded, within the [`abilities`] of the FFmpeg at hand; [`health`] judges a running one. It does not know how
//! FFmpeg is told or run.

pub mod abilities;
mod bitrate;
mod copying;
pub mod demand;
pub mod health;
pub mod plan;
#[cfg(test)]
mod tests;
