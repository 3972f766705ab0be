//! The server's tuners and timers: how many channels it can have open, and which recordings it is to make.
//!
//! Sources: `LiveTvOptions.cs`, `TimerInfoDto.cs` and `RecordingStatus.cs` of Jellyfin. Any login may ask for the former; the latter
//! takes the right to live TV (docs/jellyfin.md 7).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::upstream::call::{Error, Login};
use crate::upstream::jellyfin::{Jellyfin, field};
use domain::key::{ItemId, MediaSourceId};
use domain::tuners::{HostKind, TimerStatus, TunerHost};

/// The most channels whose names are asked for.
const CHANNELS: usize = 2_000;
/// The most timers that are read.
const TIMERS: usize = 10_000;
/// The most tuner hosts that are read.
const HOSTS: usize = 100;

/// A recording that the server is to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// The server's name for it.
    pub id: String,
    /// The channel's item.
    pub item: Option<ItemId>,
    /// The channel's media source, which the built-in tuners put at the end of the channel's own id.
    pub source: Option<MediaSourceId>,
    /// The MD5 of the URL of the M3U host that it is on, if it is.
    pub playlist: Option<String>,
    /// The channel's name.
    pub channel: Option<String>,
    /// When the server opens the channel: `PrePaddingSeconds` before the programme.
    pub starts: SystemTime,
    /// When it closes the channel: `PostPaddingSeconds` after it.
    pub ends: SystemTime,
    /// How far it is.
    pub status: TimerStatus,
}

/// How a channel is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelName {
    /// Its name.
    pub name: String,
    /// Its number in the guide, which need not be one.
    pub number: Option<String>,
}

/// A programme of the guide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Programme {
    /// When it begins.
    pub starts: SystemTime,
    /// When it ends.
    pub ends: SystemTime,
}

impl Jellyfin {
    /// The programme that is on at a channel; `None` where the guide has none (`LiveTvController.GetLiveTvPrograms`).
    pub async fn programme_on(
        &self,
        prefix: &str,
        item: &ItemId,
        login: &Login,
    ) -> Result<Option<Programme>, Error> {
        let path = format!("{prefix}/LiveTv/Programs");
        let query = format!("ChannelIds={item}&IsAiring=true&Limit=1&EnableTotalRecordCount=false");
        let answer = self.calls.get(&path, &query, login).await?;
        let items = field(&answer, "Items").and_then(Value::as_array);
        Ok(items.ok_or(Error::Unreadable("no Items"))?.first().and_then(programme))
    }

    /// The names of all channels (`LiveTvController.GetLiveTvChannels`).
    pub async fn channels(&self, prefix: &str, login: &Login) -> Result<Vec<(ItemId, ChannelName)>, Error> {
        let path = format!("{prefix}/LiveTv/Channels");
        let query =
            format!("Limit={CHANNELS}&AddCurrentProgram=false&EnableUserData=false&EnableImages=false");
        let answer = self.calls.get(&path, &query, login).await?;
        let items = field(&answer, "Items").and_then(Value::as_array);
        Ok(items.ok_or(Error::Unreadable("no Items"))?.iter().filter_map(channel_name).collect())
    }

    /// The tuner hosts.
    pub async fn tuner_hosts(&self, prefix: &str, login: &Login) -> Result<Vec<TunerHost>, Error> {
        let path = format!("{prefix}/System/Configuration/livetv");
        let options = self.calls.get(&path, "", login).await?;
        let hosts = field(&options, "TunerHosts").and_then(Value::as_array);
        let hosts = hosts.ok_or(Error::Unreadable("no TunerHosts"))?;
        Ok(hosts.iter().take(HOSTS).map(tuner_host).collect())
    }

    /// The recordings that the server is to make or makes. Those whose times cannot be read are left out.
    pub async fn timers(&self, prefix: &str, login: &Login) -> Result<Vec<Recording>, Error> {
        let path = format!("{prefix}/LiveTv/Timers");
        let answer = self.calls.get(&path, "", login).await?;
        let items = field(&answer, "Items").and_then(Value::as_array);
        let items = items.ok_or(Error::Unreadable("no Items"))?;
        Ok(items.iter().take(TIMERS).filter_map(recording).collect())
    }
}

fn channel_name(item: &Value) -> Option<(ItemId, ChannelName)> {
    let text = |name| field(item, name).and_then(Value::as_str);
    let number = ["ChannelNumber", "Number"].into_iter().find_map(text).map(str::to_owned);
    Some((ItemId::parse(text("Id")?)?, ChannelName { name: text("Name")?.to_owned(), number }))
}

fn tuner_host(host: &Value) -> TunerHost {
    let text = |name| field(host, name).and_then(Value::as_str).unwrap_or_default();
    let count = field(host, "TunerCount").and_then(Value::as_u64).unwrap_or_default();
    let (id, kind) = (text("Id").to_owned(), HostKind::of(text("Type"), text("Url")));
    TunerHost { id, kind, count: u32::try_from(count).unwrap_or_default(), provider: None }
}

fn recording(timer: &Value) -> Option<Recording> {
    let text = |name| field(timer, name).and_then(Value::as_str);
    let channel = text("ExternalChannelId");
    let tail = channel.and_then(|id| id.get(id.len().checked_sub(32)?..)).map(MediaSourceId::new);
    let source = tail.filter(MediaSourceId::is_guid);
    // `m3u_{MD5 of the playlist's URL}{media source}` (`M3UTunerHost.cs`)
    let playlist = channel.and_then(|id| id.strip_prefix("m3u_")?.get(..32)).filter(|_| source.is_some());
    Some(Recording {
        id: text("Id")?.to_owned(),
        item: text("ChannelId").and_then(ItemId::parse),
        source,
        playlist: playlist.map(str::to_owned),
        channel: text("ChannelName").map(str::to_owned),
        starts: recording_starts(timer)?,
        ends: moment(text("EndDate")?)?.checked_add(padding(timer, "PostPaddingSeconds"))?,
        status: match text("Status") {
            Some("New") => TimerStatus::New,
            Some("InProgress") => TimerStatus::InProgress,
            Some(_) | None => TimerStatus::Over,
        },
    })
}

fn programme(item: &Value) -> Option<Programme> {
    let at = |name| moment(field(item, name)?.as_str()?);
    Some(Programme { starts: at("StartDate")?, ends: at("EndDate")? })
}

/// When the server opens the channel of a timer (`TimerInfoDto.cs`); `None` if it cannot be read.
#[must_use]
pub fn recording_starts(timer: &Value) -> Option<SystemTime> {
    let programme = moment(field(timer, "StartDate")?.as_str()?)?;
    programme.checked_sub(padding(timer, "PrePaddingSeconds"))
}

fn padding(timer: &Value, name: &str) -> Duration {
    let seconds = field(timer, name).and_then(Value::as_u64).unwrap_or_default();
    Duration::from_secs(seconds.min(24 * 3600))
}

/// Reads a moment in UTC, such as `2026-11-28T21:00:00.0000000Z` (RFC 3339), to the second; `None` if it is before 1970.
fn moment(text: &str) -> Option<SystemTime> {
    let moment = text.ends_with('Z').then(|| text.parse::<jiff::Timestamp>().ok())??;
    let since_1970 = Duration::try_from(moment.as_duration()).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(since_1970.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::fake::Fake;

    #[test]
    fn moments() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:01.0000000Z", 951_825_601),
            ("2024-03-01T00:00:00.5Z", 1_709_251_200),
            ("2026-11-28T21:00:00.0000000Z", 1_795_899_600),
        ] {
            assert_eq!(moment(text), Some(UNIX_EPOCH + Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "2026-11-28",
            "2026-11-28T21:00:00",
            "2026-11-28T21:00:00+01:00",
            "0001-01-01T00:00:00Z",
            "1969-12-31T23:59:59.5Z",
            "2026-02-31T21:00:00Z",
            "2026-13-28T21:00:00Z",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    #[tokio::test]
    async fn a_timer_begins_with_its_padding() {
        let item = "a".repeat(32);
        let (source, list) = ("b".repeat(32), "c".repeat(32));
        let timers = serde_json::json!({"Items": [
            {"Id": "1", "ChannelId": item, "ExternalChannelId": format!("m3u_{list}{source}"), "ChannelName": "News", "Status": "New",
                "StartDate": "1970-01-01T01:00:00.0000000Z", "EndDate": "1970-01-01T02:00:00.0000000Z",
                "PrePaddingSeconds": 60, "PostPaddingSeconds": 120},
            {"Id": "2", "Status": "Cancelled", "StartDate": "never", "EndDate": "1970-01-01T02:00:00Z"},
        ]});
        let fake = Fake::start(move |line| {
            let hosts = r#"{"TunerHosts":[{"Id":"a","Type":"m3u","Url":"http://a/b.m3u","TunerCount":3},{"TunerCount":0}]}"#;
            let hosts = hosts.to_owned();
            let answer = if line.contains("Configuration") { hosts } else { timers.to_string() };
            async move { Some((200, answer)) }
        })
        .await;
        let read = fake.jellyfin.timers("/jf", &Login::default()).await.unwrap();
        let expected = Recording {
            id: "1".to_owned(),
            item: ItemId::parse(&item),
            source: Some(MediaSourceId::new(source.as_str())),
            playlist: Some(list.clone()),
            channel: Some("News".to_owned()),
            starts: UNIX_EPOCH + Duration::from_secs(3540),
            ends: UNIX_EPOCH + Duration::from_secs(7320),
            status: TimerStatus::New,
        };
        assert_eq!(read, [expected]);
        let hosts = fake.jellyfin.tuner_hosts("/jf", &Login::default()).await.unwrap();
        let kind = HostKind::of("m3u", "http://a/b.m3u");
        assert_eq!(hosts[0], TunerHost { id: "a".to_owned(), kind, count: 3, provider: None });
        assert_eq!((hosts.len(), hosts[1].count), (2, 0));
        assert_eq!(fake.asked("GET /jf/").len(), 2);
    }
}
