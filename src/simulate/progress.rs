//! Tells how far a simulation is, on the terminal that it was asked from.

use std::io::{IsTerminal, Write as _, stderr};

/// So many of the steps are done, and this is next.
pub(super) fn progress(done: usize, steps: usize, what: &str) {
    if stderr().is_terminal() {
        let end = if done == steps { "\r\x1b[2K" } else { "" };
        eprint!("\r\x1b[2K  {done}/{steps}  {what}{end}");
        let _ = stderr().flush();
    } else {
        eprintln!("  {done}/{steps}  {what}");
    }
}
