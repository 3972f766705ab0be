//! Warmgate: a reverse-proxy HLS gateway that makes live-TV channel changes instant.
//!
//! It stands in front of an unmodified Jellyfin, passes everything through, and answers `live.m3u8`
//! from streams it owns. `ARCHITECTURE.md`, beside this file, is the map; the modules, lowest layer first:

pub mod background;
pub mod body;
pub mod config;
pub mod cpu;
pub mod fetch;
pub mod file_stamp;
pub mod memory;
pub mod shutdown;
pub mod telemetry;
pub mod wire;

pub mod access_log;
pub mod feed;
pub mod ffmpeg;
pub mod handover;
pub mod history;
pub mod lineup;
pub mod server;
pub mod service_manager;
pub mod spool;
pub mod upstream;
pub mod webhooks;

pub mod supervisor;

pub mod admin;
pub mod proxy;

pub mod app;
pub mod demo;
