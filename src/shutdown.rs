//! The end, as the operator asks for it: the first SIGTERM or SIGINT is a wish, the second an order.
//!
//! It does not know what there is to finish; whoever has something to finish watches the token.

use std::io;
use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code after the second signal: what was open may still be open.
const AT_ONCE: i32 = 130;

/// A token that is cancelled by the first SIGTERM or SIGINT; the second ends the process.
///
/// # Errors
/// If the signals cannot be listened to.
///
/// # Panics
/// Outside a tokio runtime.
pub fn on_signal() -> io::Result<CancellationToken> {
    let mut signals =
        Process { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? };
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        watch(&mut signals, &stop).await;
        tracing::warn!("second signal: ending at once");
        process::exit(AT_ONCE);
    });
    Ok(token)
}

/// Cancels `stop` at the first signal and returns at the second.
async fn watch(signals: &mut impl Signals, stop: &CancellationToken) {
    let signal = signals.next().await;
    tracing::info!(signal, "stopping; a second signal ends at once");
    stop.cancel();
    signals.next().await;
}

/// Whatever asks for the end.
trait Signals {
    /// Waits for the next signal; its name.
    fn next(&mut self) -> impl Future<Output = &'static str> + Send;
}

/// The two signals that ask a process to end.
struct Process {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals for Process {
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
