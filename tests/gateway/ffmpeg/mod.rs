//! Real FFmpeg processes: their output, and their ends.

mod processes;
mod streams;
mod support;
