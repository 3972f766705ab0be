//! Turns signals into a stop: the first SIGTERM or SIGINT asks for one, the second ends the process at once.
//!
//! It does not know what has to be finished first: that is for those who watch the token.

use std::io;
use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code after the second signal; streams may still be open at the server then.
const AT_ONCE: i32 = 130;

/// A token that is cancelled by the first SIGTERM or SIGINT; the second ends the process.
///
/// # Errors
/// If no handler for the signals can be installed.
///
/// # Panics
/// Outside a tokio runtime.
pub fn on_signal() -> io::Result<CancellationToken> {
    let mut signals = ProcessSignals {
        terminate: signal(SignalKind::terminate())?,
        interrupt: signal(SignalKind::interrupt())?,
    };
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        // Signals would be taken and come to nothing if it died.
        let _stops = stop.clone().drop_guard();
        watch(&mut signals, &stop).await;
        tracing::warn!("second signal: ending at once");
        process::exit(AT_ONCE);
    });
    Ok(token)
}

/// Cancels `stop` at the first signal and returns at the second.
async fn watch(signals: &mut impl Signals, stop: &CancellationToken) {
    let signal = signals.next().await;
    tracing::info!(signal, "stopping; a second signal ends the process at once");
    stop.cancel();
    signals.next().await;
}

/// A source of signals.
trait Signals {
    /// Waits for the next signal and returns its name.
    fn next(&mut self) -> impl Future<Output = &'static str> + Send;
}

/// The two signals that ask a process to end.
struct ProcessSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals for ProcessSignals {
    // Cancel-safe: `Signal::recv` keeps what it did not deliver.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    use tokio::sync::mpsc;

    use super::*;

    impl Signals for mpsc::UnboundedReceiver<&'static str> {
        async fn next(&mut self) -> &'static str {
            self.recv().await.expect("the test keeps the sender")
        }
    }

    #[tokio::test]
    async fn the_first_signal_is_a_wish_the_second_an_order() {
        let (send, mut receive) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let mut watching = pin!(watch(&mut receive, &stop));
        let mut has_ended = async || poll_fn(|cx| Poll::Ready(watching.as_mut().poll(cx).is_ready())).await;

        assert!(!has_ended().await && !stop.is_cancelled());
        send.send("SIGTERM").unwrap();
        assert!(!has_ended().await && stop.is_cancelled());
        send.send("SIGINT").unwrap();
        assert!(has_ended().await);
    }
}
