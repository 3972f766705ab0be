//! Tells a viewer why it was refused a channel, by a message of the server's to its session.
//!
//! That takes the gateway's own credential: no user may see the sessions of others. It does not know what else the viewer is answered.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use moka::sync::Cache;
use tracing::debug;

use crate::background::noted;
use crate::upstream::jellyfin::{Error, Jellyfin, Login};
use crate::upstream::live_tv::Recording;
use crate::upstream::sessions::Session;
use domain::key::DeviceId;
use domain::tuners::{Needed, TakenBy, TakenTuner, TimerStatus, all_are_taken, too_many_streams};

/// The heading of the message.
const HEADING: &str = "Live TV";
/// Between two messages to a device: who zaps on is not told again at each channel.
const QUIET: Duration = Duration::from_secs(10);
/// The number of devices that are remembered for that.
const DEVICES: u64 = 1000;

/// See the module. Clones share everything.
#[derive(Clone, Debug)]
pub struct Explainer {
    jellyfin: Jellyfin,
    /// The gateway's own credential; without it nobody is told.
    login: Option<Login>,
    told: Cache<DeviceId, ()>,
}

/// The viewer who is told.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// What stands before the server's own paths.
    pub prefix: String,
    /// Its device.
    pub device: DeviceId,
    /// Its user, if the server has told it.
    pub user: Option<String>,
    /// Whether it may know who watches what.
    pub is_administrator: bool,
}

/// Why it was refused a channel.
#[derive(Clone, Debug)]
pub enum Why {
    /// Every tuner is needed for another channel.
    TunersTaken(Vec<Needed>),
    /// It watches as many streams as it may.
    TooManyStreams(u32),
}

impl Explainer {
    pub(super) fn new(jellyfin: Jellyfin, login: Option<Login>) -> Self {
        let told = Cache::builder().max_capacity(DEVICES).time_to_live(QUIET).build();
        Self { jellyfin, login, told }
    }

    /// Tells `to` why, in the background.
    pub fn tell(&self, to: Recipient, why: Why) {
        let Some(login) = self.login.clone() else { return };
        let entry = self.told.entry(to.device.clone()).or_default();
        if entry.is_fresh() {
            let jellyfin = self.jellyfin.clone();
            tokio::spawn(noted("the explanation of a refusal", async move {
                if let Err(error) = show(&jellyfin, &login, &to, &why).await {
                    debug!(cause = %error, "cannot tell a viewer why it was refused a channel");
                }
            }));
        }
    }
}

async fn show(jellyfin: &Jellyfin, login: &Login, to: &Recipient, why: &Why) -> Result<(), Error> {
    let sessions = jellyfin.sessions(&to.prefix, login).await?;
    let is_theirs = |session: &&Session| {
        session.device == to.device.as_str() && (to.user.is_none() || session.user == to.user)
    };
    let Some(session) = sessions.iter().find(is_theirs) else { return Ok(()) };
    let text = match why {
        Why::TunersTaken(needed) => {
            let recordings = jellyfin.timers(&to.prefix, login).await?;
            let now = SystemTime::now();
            let taken = needed.iter().map(|needed| taken(needed, to, &sessions, &recordings, now));
            let mut taken: Vec<_> = taken.collect();
            taken.sort_by(|a, b| a.channel.cmp(&b.channel));
            all_are_taken(&taken)
        }
        Why::TooManyStreams(limit) => too_many_streams(*limit),
    };
    jellyfin.show(&to.prefix, &session.id, (HEADING, &text), login).await
}

/// What the server's sessions and recordings say about a tuner.
fn taken(
    needed: &Needed,
    to: &Recipient,
    sessions: &[Session],
    recordings: &[Recording],
    now: SystemTime,
) -> TakenTuner {
    let is_it = |item: &Option<_>, source: &Option<_>| {
        (needed.item.is_some() && *item == needed.item) || source.as_ref() == Some(&needed.source)
    };
    let recording = recordings.iter().find(|recording| {
        recording.status == TimerStatus::InProgress && is_it(&recording.item, &recording.source)
    });
    if let Some(Recording { channel, ends, .. }) = recording {
        let left = || TakenBy::Recording(ends.duration_since(now).unwrap_or_default());
        let by = household_time(*ends, &TimeZone::system()).map_or_else(left, TakenBy::RecordingUntil);
        return TakenTuner { channel: channel.clone(), by };
    }
    let watching = sessions.iter().filter_map(|session| Some((session, session.playing.as_ref()?)));
    let watching: Vec<_> = watching.filter(|(_, playing)| is_it(&playing.item, &playing.source)).collect();
    let mut names: Vec<_> = watching.iter().filter_map(|(session, _)| session.user_name.clone()).collect();
    names.sort();
    names.dedup();
    let is_own = |session: &Session| session.user.is_some() && session.user == to.user;
    let by = match &watching[..] {
        [_, ..] if watching.iter().all(|(session, _)| is_own(session)) => TakenBy::Yourself,
        [_, ..] if to.is_administrator && !names.is_empty() => TakenBy::Users(names),
        _ => TakenBy::Others,
    };
    TakenTuner { channel: watching.iter().find_map(|(_, playing)| playing.name.clone()), by }
}

/// A moment as a clock in `zone` shows it, if that can be the household's. A machine in UTC, as most containers are, tells nothing of
/// where its viewers are.
fn household_time(moment: SystemTime, zone: &TimeZone) -> Option<String> {
    let moment = Timestamp::try_from(moment).ok()?;
    let is_utc = ["UTC", "Etc/UTC", "Etc/Unknown"].contains(&zone.iana_name().unwrap_or("UTC"));
    let is_elsewhere = !is_utc || zone.to_offset(moment) != Offset::UTC;
    is_elsewhere.then(|| moment.to_zoned(zone.clone()).strftime("%H:%M").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_recording_is_told_by_the_households_clock() {
        let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_899_600);
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        assert_eq!(household_time(moment, &berlin).as_deref(), Some("22:00"));
        let summer = moment + Duration::from_secs(200 * 24 * 3600);
        assert_eq!(household_time(summer, &berlin).as_deref(), Some("23:00"));
        for nowhere in [TimeZone::UTC, TimeZone::unknown()] {
            assert_eq!(household_time(moment, &nowhere), None);
        }
    }
}
