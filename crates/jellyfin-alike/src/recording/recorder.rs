//! The recorder (`RecordingsManager.cs`): opens a timer's channel when it is due, and keeps it open until the end.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::consumer::Consumer;
use crate::recording::timer::Timer;
use crate::recording::timers::{Recording, Status};
use crate::state::State;

/// How often a running recording looks whether its input still exists.
const POLL: Duration = Duration::from_millis(50);

/// Adds a timer, and follows it in a task.
pub(crate) fn start(state: &Arc<State>, timer: Timer) {
    let id = timer.id.clone();
    let cancelled = state.timers.add(timer);
    state.server.spawn(follow(state.clone(), id, cancelled));
}

async fn follow(state: Arc<State>, id: String, cancelled: CancellationToken) {
    while let Some(timer) = state.timers.pending(&id) {
        if cancelled.run_until_cancelled(sleep(until(timer.due()))).await.is_some() {
            record(&state, &timer, &cancelled).await;
        }
    }
}

async fn record(state: &State, timer: &Timer, cancelled: &CancellationToken) {
    let (id, retry) = (&timer.id, state.server.settings.delays.retry);
    let consumer = Consumer::of_recorder(id);
    let end = timer.end + timer.post_padding;
    if until(end).is_zero() {
        return state.timers.change(id, |recording| recording.status = Status::Deleted);
    }
    let channel = state.server.channels().iter().find(|channel| channel.number == timer.channel);
    let opened = match channel {
        Some(channel) => state.live_streams.open(channel, &consumer).await.ok(),
        None => None,
    };
    let Some(opened) = opened else { return state.timers.change(id, |recording| recording.fail(retry)) };
    state.timers.change(id, Recording::begin);
    let lost = async {
        while state.live_streams.is_alive(&opened.unique_id) {
            sleep(POLL).await;
        }
    };
    tokio::select! {
        () = sleep(until(end)) => state.timers.change(id, |recording| recording.status = Status::Completed),
        () = cancelled.cancelled() => {}
        () = lost => state.timers.change(id, |recording| {
            recording.losses += 1;
            recording.fail(retry);
        }),
    }
    state.live_streams.close(&opened.channel.live_stream_id, &consumer).await;
}

fn until(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::now()).unwrap_or_default()
}
