//! Reads MPEG transport streams (ISO/IEC 13818-1), as far as cutting them into segments needs it.
//!
//! [`align`] finds the packets in the bytes, [`scan`] says what each packet means. Neither knows where the bytes come
//! from, nor what is made of them.

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
