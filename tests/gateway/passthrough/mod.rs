//! The gateway as a plain proxy: before origins that behave, and before some that do not.

mod bodies;
mod failures;
mod fields;
mod nginx;
mod shutdown;
mod upgrades;
mod wire;
