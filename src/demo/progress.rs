//! The progress of the zaps on standard error: one line that changes on a terminal, else a line per step.

use std::future::Future;
use std::io::{IsTerminal, stderr};
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, interval};

const FRAMES: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const TICK: Duration = Duration::from_millis(100);
const ERASE: &str = "\r\x1b[2K";

/// Shows steps one after the other.
#[derive(Debug)]
pub(super) struct Progress {
    live: bool,
    done: usize,
    steps: usize,
}

impl Progress {
    /// The progress of this number of steps.
    pub(super) fn new(steps: usize) -> Self {
        Self { live: stderr().is_terminal(), done: 0, steps }
    }

    /// Waits for `step` and shows its `name` and how long it takes.
    pub(super) async fn step<T>(&mut self, name: &str, step: impl Future<Output = T>) -> T {
        self.done += 1;
        let head = format!("{:>2}/{}  {name}", self.done, self.steps);
        if !self.live {
            eprintln!("  {head}");
            return step.await;
        }
        let (mut step, mut tick, began) = (pin!(step), interval(TICK), Instant::now());
        for frame in FRAMES.iter().cycle() {
            tokio::select! {
                done = &mut step => {
                    eprint!("{ERASE}");
                    return done;
                }
                _ = tick.tick() => eprint!("{ERASE}  {frame} {head}  {:.1} s", began.elapsed().as_secs_f64()),
            }
        }
        step.await
    }
}
