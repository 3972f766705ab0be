//! Notices what webhooks are told of, in the state that everybody is shown.
//!
//! It does not know who is told, nor how.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};

use crate::admin::published::{Published, moment};
use crate::admin::views;
use crate::webhooks::Webhooks;
use domain::notice::Notice;
use domain::reason::{NoticeKind, ZapOutcome};

/// How often it looks.
const LOOK: Duration = Duration::from_secs(2);
/// How long a channel that somebody watches has had no source when that is told.
const DEAD: Duration = Duration::from_secs(60);

/// What has been noticed so far.
#[derive(Debug, Default)]
struct Noticed {
    /// The number of the next zap to look at.
    next_zap: u64,
    recordings_helped: u64,
    /// Since when streams that are watched have failed, and whether that was told.
    failing: BTreeMap<u64, (Instant, bool)>,
}

/// Tells `webhooks` for ever what happens from now on.
pub(super) async fn watch(published: Arc<Published>, webhooks: Webhooks) {
    if webhooks.is_empty() {
        return std::future::pending().await;
    }
    let mut noticed = Noticed { next_zap: published.zaps_over(), ..Noticed::default() };
    loop {
        sleep(LOOK).await;
        let zaps = published.zaps_from(noticed.next_zap);
        let Ok(now) = published.moment().await else { continue };
        noticed.look(&zaps, &now.state).iter().for_each(|notice| webhooks.tell(notice));
    }
}

/// The notice that the gateway has started, or that it stops.
pub(super) fn of_gateway(is_up: bool) -> Notice {
    let (kind, text) = if is_up {
        (NoticeKind::GatewayUp, "the gateway has started")
    } else {
        (NoticeKind::GatewayDown, "the gateway stops")
    };
    notice(kind, text.to_owned())
}

fn notice(kind: NoticeKind, text: String) -> Notice {
    Notice::new(kind, moment(SystemTime::now()), text)
}

impl Noticed {
    fn look(&mut self, zaps: &[views::Zap], state: &views::State) -> Vec<Notice> {
        let mut notices: Vec<_> = zaps.iter().filter_map(|zap| of_zap(zap, state.zaps.slo)).collect();
        self.next_zap = zaps.last().map_or(self.next_zap, |zap| zap.id + 1);
        let helped = state.counts.recordings_helped;
        if std::mem::replace(&mut self.recordings_helped, helped) < helped {
            let text = "a channel that nobody watched was closed, so that a recording has its tuner";
            notices.push(notice(NoticeKind::RecordingHelped, text.to_owned()));
        }
        notices.extend(self.dead(&state.streams));
        notices
    }

    /// The streams that have just been without a source for long.
    fn dead(&mut self, streams: &[views::Stream]) -> Vec<Notice> {
        // Between two failures it is being started.
        let is_failing = |stream: &&views::Stream| {
            let goes_on = stream.state == "starting" && self.failing.contains_key(&stream.id);
            !stream.viewers.is_empty() && (stream.state == "backing-off" || goes_on)
        };
        let dead: BTreeMap<_, _> =
            streams.iter().filter(is_failing).map(|stream| (stream.id, stream)).collect();
        self.failing.retain(|id, _| dead.contains_key(id));
        let mut notices = Vec::new();
        for (id, stream) in dead {
            let (since, is_told) = self.failing.entry(id).or_insert((Instant::now(), false));
            if since.elapsed() >= DEAD && !std::mem::replace(is_told, true) {
                let channel = called(&stream.channel);
                let text = format!("{channel} is watched and has had no source for a minute");
                let notice = notice(NoticeKind::SourceDead, text);
                notices.push(
                    of_channel(notice, &stream.channel).with("reason", stream.failure.map(str::to_owned)),
                );
            }
        }
        notices
    }
}

fn of_zap(zap: &views::Zap, objective: f64) -> Option<Notice> {
    let channel = called(&zap.channel);
    let (kind, text) = match zap.waited {
        _ if zap.outcome == ZapOutcome::Conflict.as_str() => {
            (NoticeKind::TunerShort, format!("no tuner was free for {channel}"))
        }
        Some(waited) if waited > objective => {
            (NoticeKind::ZapSlow, format!("it took {waited:.1} s until {channel} played"))
        }
        Some(_) | None => return None,
    };
    let waited = zap.waited.map(|waited| format!("{:.0}", waited * 1000.0));
    let reason = if zap.reason.is_empty() { zap.outcome } else { zap.reason };
    let notice = of_channel(notice(kind, text), &zap.channel).with("device", zap.device.clone());
    let notice = notice.with("user", zap.user.clone()).with("waited_ms", waited);
    Some(notice.with("reason", Some(reason.to_owned())))
}

fn of_channel(notice: Notice, channel: &views::Channel) -> Notice {
    notice.with("channel", Some(called(channel))).with("number", channel.number.clone())
}

fn called(channel: &views::Channel) -> String {
    channel.name.clone().unwrap_or_else(|| channel.item.clone())
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn zap(outcome: &'static str, waited: Option<f64>) -> views::Zap {
        views::Zap { id: 7, outcome, waited, ..views::Zap::default() }
    }

    fn stream(state: &'static str, viewers: usize) -> views::Stream {
        let viewers = vec![views::Viewer::default(); viewers];
        views::Stream { id: 1, state, viewers, ..views::Stream::default() }
    }

    fn kinds(notices: &[Notice]) -> Vec<NoticeKind> {
        notices.iter().map(|notice| notice.kind).collect()
    }

    #[test]
    fn slow_zaps_and_those_without_a_tuner_are_told() {
        let told = |zap| of_zap(&zap, 0.5).map(|notice| notice.kind);
        assert_eq!(told(zap("cold", Some(0.6))), Some(NoticeKind::ZapSlow));
        assert_eq!(told(zap("hit", Some(0.5))), None);
        assert_eq!(told(zap("conflict", None)), Some(NoticeKind::TunerShort));
        assert_eq!(told(zap("abandoned", None)), None);
        let notice = of_zap(&zap("cold", Some(1.25)), 0.5).unwrap();
        assert_eq!((&*notice.fields["waited_ms"], &*notice.fields["reason"]), ("1250", "cold"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_is_dead_that_has_failed_for_a_minute() {
        let mut noticed = Noticed::default();
        assert!(noticed.dead(&[stream("starting", 1)]).is_empty(), "it begins");
        assert!(noticed.dead(&[stream("backing-off", 1)]).is_empty());
        advance(DEAD).await;
        assert_eq!(kinds(&noticed.dead(&[stream("starting", 1)])), [NoticeKind::SourceDead]);
        advance(DEAD).await;
        assert!(noticed.dead(&[stream("backing-off", 1)]).is_empty(), "it has been told");
        noticed.dead(&[stream("live", 1)]);
        noticed.dead(&[stream("backing-off", 1)]);
        advance(DEAD).await;
        assert!(noticed.dead(&[stream("backing-off", 0)]).is_empty(), "nobody watches");
    }
}
