//! Says in plain words why a stream is there, and when it goes.
//!
//! It does not know who reads it.

use std::time::Duration;

use domain::pool::StreamView;
use domain::pool::foresight::Forethought;
use domain::producer::State;
use domain::time::Timestamp;
use domain::value::Worth;

/// Why a stream is there.
pub(super) fn why(stream: &StreamView, now: Timestamp) -> String {
    let viewers = stream.consumers.iter().filter(|viewer| viewer.verdict.state.is_present()).count();
    let watched = match viewers {
        0 => stream.idle_since.map_or_else(
            || "nobody watches it".to_owned(),
            |since| format!("nobody has watched it for {}", span(now.since(since))),
        ),
        1 => "one viewer watches it".to_owned(),
        many => format!("{many} viewers watch it"),
    };
    let left = stream.goes_at.map(|at| span(at.since(now)));
    match (stream.state, left) {
        (State::Starting, _) => format!("it is being started; {watched}"),
        (State::Live, Some(left)) if stream.encodes => format!("{watched}; its encoder stops in {left}"),
        (State::Live, Some(left)) => format!("{watched}; it is closed in {left}"),
        (State::Live, None) => watched,
        (State::Resting, Some(left)) => format!("{watched}; only its input is kept, for {left} more"),
        (State::Resting, None) => format!("{watched}; only its input is kept"),
        (State::BackingOff { retry_at, failure }, _) => {
            format!(
                "it failed ({}) and is tried again in {}; {watched}",
                failure.as_str(),
                span(retry_at.since(now))
            )
        }
        (State::Retiring(reason), _) => format!("it is being closed ({})", reason.as_str()),
    }
}

/// Why a channel is open that nobody watches; `None` where the operator asked for it.
pub(super) fn warmed_up(why: Option<&Forethought>) -> String {
    why.map_or_else(|| "somebody asked for it here".to_owned(), decided)
}

/// What was decided of a channel, and why.
pub(super) fn decided(decision: &Forethought) -> String {
    let Worth { index, horizon, wanted, spared, .. } = decision.worth;
    let device = decision.wanted_by.as_ref().and_then(|(_, device)| device.as_ref());
    let who = device.map_or_else(String::new, |device| format!(", most likely {},", device.as_str()));
    let chance = (wanted * 100.0).round();
    let within = span(Duration::from_secs_f64(horizon));
    let compared = if index < decision.price { "less than" } else { "at least" };
    format!(
        "somebody{who} comes within {within} with a probability of {chance} %, which spares {spared:.1} s: {index:.4} s for each second of warmth, {compared} {}",
        decision.price
    )
}

/// A length of time as people say it, rounded down.
fn span(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_short() {
        for (seconds, said) in [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h")]
        {
            assert_eq!(span(Duration::from_secs(seconds)), said);
        }
    }
}
