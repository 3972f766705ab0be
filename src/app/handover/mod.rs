//! Has another process of the gateway take this one's place, without a cut (docs/decisions/41-handover.md).
//!
//! ```text
//! old                                    new
//!  │ SIGUSR2: starts it ─────────────────► reads its configuration
//!  │ Offer: the sockets ─────────────────► prepares all that can fail
//!  │ ◄────────────────────────────── Ready │
//!  │ pieces                                │
//!  │ stands still: the rest, State ──────► has all of it
//!  │ ◄────────────────────────────── Taken │
//!  │ HandedOver ─────────────────────────► accepts, starts generations
//!  │ passes on what still comes            │
//!  │ ◄──────────────────────── Established │ its streams have segments
//!  │ closes what it has open: News ──────► strikes it from the ledger
//!  │ Released ───────────────────────────► closes what is left
//! (ends with its last connection)
//! ```
//!
//! Until the new process has said `Taken`, the old one can go on as if nothing had happened; until the old one has answered, the new one
//! opens and closes nothing at the server. So whichever dies, one of them knows what is open.

mod back_door;
mod dialogue;
mod giving;
mod taking;

pub(super) use crate::app::handover::giving::{Giver, Listening};
pub(super) use crate::app::handover::taking::{Before, Predecessor};
