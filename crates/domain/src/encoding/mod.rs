//! Decides how the gateway makes a profile from a source by itself.
//!
//! [`demand`] reads what the profile asks for, `copying` decides whether the source meets it as it is, [`plan`] what is
//! copied and what is encoded, within the [`abilities`] of FFmpeg on this machine; [`health`] judges a running FFmpeg, and
//! [`at_server`] what the server does with a request.
//! None of them knows the arguments of FFmpeg, nor how it is run.

pub mod abilities;
pub mod at_server;
mod bitrate;
mod copying;
pub mod demand;
pub mod health;
pub mod plan;
#[cfg(test)]
mod tests;
