//! Shows what is remembered of what was watched.
//!
//! It does not know where that is kept.

use std::time::Duration;

use serde::Serialize;
use tracing::warn;
use url::form_urlencoded;
use utoipa::ToSchema;

use crate::admin::problem::Problem;
use crate::history::{Query, Viewing};
use crate::supervisor::remembering::Remembering;
use domain::time::Timestamp;

/// How many viewings are shown if nobody says how many.
const SHOWN: u32 = 100;

/// What somebody watched once, or a change of channel that came to nothing.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Watched {
    /// The user's name with `history.identify`, else its fingerprint; absent if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    viewer: Option<String>,
    /// The device, in the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    /// Jellyfin's id of the channel's item.
    item: String,
    /// The channel's name; absent where Jellyfin has not told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    /// Its number in the guide.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<String>,
    /// When it began (RFC 3339).
    began: String,
    /// When it ended; absent while it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<String>,
    /// How the viewer came: `on`, `up`, `down`, `back` or `choice`; absent where it was not served here.
    #[serde(skip_serializing_if = "Option::is_none")]
    how: Option<String>,
    /// How long it waited, in seconds; absent where nothing came, or it is not known yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    waited: Option<f64>,
    /// What it met, as in the zaps.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    /// Why, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// The newest viewings that the query of a request asks for, the newest first.
pub(super) async fn watched(remembering: &Remembering, query: Option<&str>) -> Result<Vec<Watched>, Problem> {
    let query = read(query.unwrap_or_default()).ok_or(Problem::Query)?;
    match remembering.read(query).await {
        Ok(Some(viewings)) => Ok(viewings.into_iter().map(shown).collect()),
        Ok(None) => Err(Problem::NoHistory),
        Err(why) => {
            warn!(%why, "the history cannot be read");
            Err(Problem::NoHistory)
        }
    }
}

/// Reads a query; `None` if it cannot be understood.
fn read(text: &str) -> Option<Query> {
    let mut query = Query { limit: SHOWN, ..Query::default() };
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        let value = Some(value).filter(|value| !value.is_empty())?;
        match &*name {
            "limit" => query.limit = value.parse().ok()?,
            "viewer" => query.viewer = Some(value.into_owned()),
            "channel" => query.channel = Some(value.into_owned()),
            "before" => query.before = Some(moment(&value)?),
            _ => return None,
        }
    }
    Some(query)
}

/// A moment that was shown, in milliseconds since 1970. A `+` that was not escaped has become a space.
fn moment(text: &str) -> Option<i64> {
    Some(text.replace(' ', "+").parse::<jiff::Timestamp>().ok()?.as_millisecond())
}

fn shown(viewing: Viewing) -> Watched {
    let Viewing { viewer, device, item, channel, number, began, ended, how, waited_ms, outcome, reason } =
        viewing;
    Watched {
        viewer,
        device,
        item,
        channel,
        number,
        began: written(began),
        ended: ended.map(written),
        how,
        waited: waited_ms.map(|waited| Duration::from_millis(waited).as_secs_f64()),
        outcome,
        reason,
    }
}

fn written(at: Timestamp) -> String {
    let at = jiff::Timestamp::UNIX_EPOCH
        .checked_add(jiff::SignedDuration::try_from(at.elapsed()).unwrap_or_default());
    at.map_or_else(|_| String::new(), |at| format!("{at:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_shown_can_be_asked_for() {
        let at = Timestamp::from_millis(1_700_000_000_123);
        assert_eq!(written(at), "2023-11-14T22:13:20.123Z");
        let query = read("limit=5&viewer=Ann+A&channel=Das%20Erste&before=2023-11-14T22:13:20.123Z").unwrap();
        assert_eq!((query.limit, query.before), (5, Some(1_700_000_000_123)));
        assert_eq!((query.viewer.as_deref(), query.channel.as_deref()), (Some("Ann A"), Some("Das Erste")));
        assert_eq!(read("").unwrap().limit, SHOWN);
        assert_eq!(read("before=2023-11-14T23:13:20+01:00").unwrap().before, Some(1_700_000_000_000));
        for wrong in ["limit=-1", "limit=", "before=yesterday", "user=x"] {
            assert!(read(wrong).is_none(), "{wrong}");
        }
    }
}
