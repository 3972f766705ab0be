//! MPEG transport streams (ISO/IEC 13818-1), as far as cutting one into segments needs them.
//!
//! It takes bytes as they come, aligned or not, and knows neither where they come from nor what is made of them.
//! [`align`] finds the packets, [`scan`] says what each of them means.

pub mod align;
mod audio_header;
mod bits;
pub mod clock;
pub mod facts;
mod h264;
mod hevc;
mod mpeg2;
pub mod packet;
mod part;
pub mod pes;
mod pes_head;
mod program;
pub mod rtp;
pub mod scan;
mod section;
mod sei;
pub mod tables;
pub mod track;
mod vui;
pub mod write;
