//! MPEG transport streams (ISO/IEC 13818-1), as far as cutting one into segments needs them.
//!
//! It takes bytes as they come, aligned or not, and knows neither where they come from nor what is made of them.
//! [`align`] finds the packets, [`scan`] says what each of them means.

pub mod align;
mod bits;
pub mod clock;
pub mod facts;
mod h264;
mod head;
mod hevc;
mod mpeg2;
pub mod packet;
pub mod pes;
mod programme;
pub mod rtp;
pub mod scan;
mod section;
mod sound;
pub mod tables;
pub mod track;
pub mod write;
