//! Asks the server by which opening a live stream is open: a later one, after all consumers of the first are gone, has other
//! consumers, of which none is ours.
//!
//! It does not know whose openings they are.

use http::StatusCode;

use crate::upstream::call::{Error, Login};
use crate::upstream::jellyfin::{Hold, Jellyfin, Place, field, nothing, raw_path};
use domain::key::LiveStreamId;

/// The versions that answer 500 about a live stream that is not open.
const VERSIONS_WITHOUT_404: [&str; 2] = ["10.10.", "10.11."];

/// The opening that keeps a live stream open.
#[derive(Clone, Debug, PartialEq, Eq)]
enum CurrentOpening {
    /// The one with this unique id.
    Named(String),
    /// One without a unique id: the tuner does not share its raw stream.
    Unnamed,
    /// None: the live stream is not open.
    Closed,
}

impl Jellyfin {
    /// Whether the live stream has been closed and opened again since `hold` was taken, so that its consumers are other ones. If it is
    /// not open, the answer is no: closing it is harmless, and its raw stream can be gone while it is open (docs/jellyfin.md 4).
    ///
    /// # Errors
    /// As [`is_open`](Self::is_open).
    pub async fn is_another(&self, place: &Place, hold: &Hold, login: &Login) -> Result<bool, Error> {
        let Some(opening) = &hold.opening else { return Ok(false) };
        match self.opening_of(place, &hold.live_stream, login).await? {
            CurrentOpening::Named(current) => Ok(current != *opening),
            CurrentOpening::Unnamed | CurrentOpening::Closed => Ok(false),
        }
    }

    /// Whether this very opening of the live stream is still open. One without a name cannot be told from a later one.
    ///
    /// # Errors
    /// If the server cannot say, as one that is overloaded or starting: that proves nothing.
    pub async fn is_open(&self, place: &Place, hold: &Hold, login: &Login) -> Result<bool, Error> {
        match self.opening_of(place, &hold.live_stream, login).await? {
            CurrentOpening::Named(current) => Ok(hold.opening.as_ref().is_none_or(|own| *own == current)),
            CurrentOpening::Unnamed => Ok(hold.opening.is_none()),
            CurrentOpening::Closed => Ok(false),
        }
    }

    /// The opening that keeps a live stream open. The answer for one that is not is 400 (10.8, 10.9), 404 (12.0) or 500 (10.10, 10.11).
    /// 500 is also the answer to every fault, so it counts only if the version means that by it, and gives it again after an answer
    /// about the channel itself.
    async fn opening_of(
        &self,
        place: &Place,
        live_stream: &LiveStreamId,
        login: &Login,
    ) -> Result<CurrentOpening, Error> {
        const FAULT: Option<StatusCode> = Some(StatusCode::INTERNAL_SERVER_ERROR);
        let wish = serde_json::json!({ "LiveStreamId": live_stream.as_str() });
        let mut answer = self.playback_info(place, "", login, &wish).await;
        if let Err(error) = &answer
            && error.status() == FAULT
        {
            let version = self.version(&place.prefix).await?;
            if VERSIONS_WITHOUT_404.iter().any(|without| version.starts_with(without)) {
                self.playback_info(place, "AutoOpenLiveStream=false", login, &nothing()).await?;
                answer = self.playback_info(place, "", login, &wish).await;
                if answer.as_ref().is_err_and(|error| error.status() == FAULT) {
                    return Ok(CurrentOpening::Closed);
                }
            }
        }
        match answer {
            Ok(info) => {
                let source = field(&info, "MediaSources").and_then(|sources| sources.get(0));
                let raw = raw_path(source.ok_or(Error::Unreadable("no MediaSource"))?);
                Ok(raw.map_or(CurrentOpening::Unnamed, |raw| CurrentOpening::Named(raw.opening())))
            }
            Err(Error::Status(StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND)) => Ok(CurrentOpening::Closed),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::fake::Fake;
    use domain::key::ItemId;

    /// A server of this version that answers with these statuses: about a live stream, and about the channel.
    async fn asked_about_an_opening(version: &'static str, live_stream: u16, channel: u16) -> Option<bool> {
        let fake = Fake::start(move |line| async move {
            let info = format!(r#"{{"Version":"{version}"}}"#);
            Some(match line {
                line if line.contains("/System/Info/Public") => (200, info),
                line if line.contains("AutoOpenLiveStream=false") => (channel, "{}".to_owned()),
                _ => (live_stream, r#"{"MediaSources":[{"Path":"http://provider/1.ts"}]}"#.to_owned()),
            })
        })
        .await;
        let item = ItemId::parse(&"a".repeat(32)).unwrap();
        let place = Place { prefix: String::new(), item, user: None };
        let hold = Hold { live_stream: LiveStreamId::new("live"), opening: None, raw: None };
        fake.jellyfin.is_open(&place, &hold, &Login::default()).await.ok()
    }

    #[tokio::test]
    async fn a_server_that_fails_does_not_say_that_a_live_stream_is_closed() {
        for (version, live_stream, channel, expected) in [
            ("12.0.0", 200, 200, Some(true)),
            ("12.0.0", 404, 200, Some(false)),
            ("12.0.0", 500, 200, None),
            ("12.0.0", 503, 200, None),
            ("10.9.11", 400, 200, Some(false)),
            ("10.9.11", 500, 200, None),
            ("10.11.11", 500, 200, Some(false)),
            ("10.11.11", 500, 500, None),
            ("10.11.11", 503, 200, None),
            ("10.10.7", 500, 200, Some(false)),
        ] {
            let is_open = asked_about_an_opening(version, live_stream, channel).await;
            assert_eq!(is_open, expected, "{version} {live_stream} {channel}");
        }
    }
}
