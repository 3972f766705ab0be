//! Tests of a running gateway and of the processes it starts. They are one program, so that it is compiled and linked once:
//! `cargo test --test gateway adoption::`.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]

mod admin;
mod adoption;
mod ahead;
mod changes;
mod cli;
mod client_limits;
mod config;
mod consumers;
mod demo;
mod denials;
mod deployed;
mod direct;
mod examples;
mod feed;
mod ffmpeg;
mod fronts;
mod goodbyes;
mod grammar;
mod handover;
mod health;
mod history;
mod leftovers;
mod lineup;
mod listing;
mod openings;
mod own;
mod panics;
mod passthrough;
mod players;
mod presence;
mod pressure;
mod providers;
mod recorded;
mod refusals;
mod reload;
mod resilience;
mod restarts;
mod rewind;
mod runs;
mod service_manager;
mod steady;
mod support;
mod tls;
mod tuned;
mod tuners;
mod vital;
mod warm_up;
mod wishes;
mod zaps;
