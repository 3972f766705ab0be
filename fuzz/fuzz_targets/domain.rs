//! The pure modules, from where they lie: nothing else of the gateway has to be built.

#[path = "../../src/domain/cutter/mod.rs"]
pub mod cutter;
#[path = "../../src/domain/memory.rs"]
pub mod memory;
#[path = "../../src/domain/mpegts/mod.rs"]
pub mod mpegts;
