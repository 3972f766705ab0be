//! Asks the provider of a playlist how many connections it allows: an HDHomeRun by its `discover.json`, an Xtream panel by the account whose
//! name and password are in the playlist's URL.
//!
//! Whether there is anything to ask is told by the URL alone. The server that the playlist comes from is asked, and where it redirects
//! to. What follows from the number is not known here.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::time::sleep;
use tracing::{debug, info};
use url::Url;

use crate::config::{Location, Playlist};
use crate::fetch::{self, Fetcher};
use crate::lineup::load::{self, Error};
use domain::lineup::source::SourceUrl;
use domain::reason::LimitSource;
use domain::tuners::TunerLimit;

/// Bytes of the largest answer that is read; a usual one has less than a kilobyte.
const LARGEST: usize = 1 << 20;
/// The time limit for the body of an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the provider of a playlist is asked, and in which words it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Question {
    url: SourceUrl,
    source: LimitSource,
}

/// Why the number is not known from an attempt to ask.
#[derive(Debug, thiserror::Error)]
enum Miss {
    /// No whole answer came, or the server is busy: it may answer soon.
    #[error(transparent)]
    Unanswered(Error),
    /// The server is no such device, or the account is not one any more.
    #[error("its server answers {0}")]
    Denied(StatusCode),
    /// The answer is something else, such as an error page or the sign-in page of a network.
    #[error("its answer is not understood")]
    Strange,
}

/// Asks about one playlist again and again.
#[derive(Debug)]
pub(super) struct Allowance {
    question: Question,
    headers: HeaderMap,
    fetcher: Fetcher,
    reload: Duration,
}

impl Allowance {
    /// `None` if the playlist's URL is not that of a device or a panel that could be asked.
    pub(super) fn of(playlist: &Playlist, fetcher: &Fetcher) -> Option<Self> {
        let question = Question::of(&playlist.location)?;
        let (headers, reload) = (load::headers(&playlist.rules), playlist.reload);
        Some(Self { question, headers, fetcher: fetcher.clone(), reload })
    }

    /// Asks for ever, as often as the playlist is fetched, sooner where no answer came, and calls `tell` with each change. What was told
    /// last holds until another answer is understood.
    pub(super) async fn run(self, retry: Duration, tell: impl Fn(Option<TunerLimit>)) {
        let (mut known, mut after_strange) = (None, retry);
        loop {
            let wait = match self.ask().await {
                Ok(told) => {
                    after_strange = retry;
                    if known != Some(told) {
                        known = Some(told);
                        self.log(told);
                        tell(told);
                    }
                    self.reload
                }
                Err(miss) => {
                    debug!(provider = %self.question.url, reason = %miss, "cannot ask how many connections a provider allows");
                    match miss {
                        Miss::Unanswered(_) => self.reload.min(retry),
                        Miss::Denied(_) => self.reload,
                        Miss::Strange => {
                            let wait = after_strange.min(self.reload);
                            // A server that never says more is not asked every minute.
                            after_strange = wait * 2;
                            wait
                        }
                    }
                }
            };
            sleep(wait).await;
        }
    }

    /// The number that the provider tells; `None` if it says that there is none.
    async fn ask(&self) -> Result<Option<TunerLimit>, Miss> {
        let Question { url, source } = &self.question;
        let text = self.fetch(url).await.map_err(Miss::of)?;
        let count = self.question.number_in(&text).ok_or(Miss::Strange)?;
        Ok((count > 0).then_some(TunerLimit { count, source: *source }))
    }

    async fn fetch(&self, url: &SourceUrl) -> Result<Bytes, Error> {
        let url = Url::parse(url.expose()).map_err(|_| fetch::Error::Address)?;
        load::whole(self.fetcher.get(&url, &self.headers).await?.response, LARGEST, PATIENCE).await
    }

    fn log(&self, told: Option<TunerLimit>) {
        if let Some(TunerLimit { count, source }) = told {
            let (provider, source) = (&self.question.url, source.as_str());
            info!(%provider, connections = count, source, "a provider tells how many connections it allows");
        }
    }
}

impl Miss {
    fn of(error: Error) -> Self {
        match error {
            Error::Status(StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS) => {
                Self::Unanswered(error)
            }
            Error::Status(status) if status.is_client_error() => Self::Denied(status),
            Error::Status(_)
            | Error::Fetch(_)
            | Error::Body
            | Error::File(_)
            | Error::Packed(_)
            | Error::NoList(_)
            | Error::Empty => Self::Unanswered(error),
        }
    }
}

impl Question {
    fn of(location: &Location) -> Option<Self> {
        let Location::Url(url) = location else { return None };
        let mut url = Url::parse(url.expose()).ok()?;
        if let Some(mut device) = device(&url) {
            device.set_path("/discover.json");
            return Some(Self { url: SourceUrl::new(device.as_str()), source: LimitSource::Device });
        }
        let folder = url.path().strip_suffix("/get.php")?.to_owned();
        let value = |name| url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value);
        let (user, password) = (value("username")?.into_owned(), value("password")?.into_owned());
        url.set_path(&format!("{folder}/player_api.php"));
        url.query_pairs_mut().clear().append_pair("username", &user).append_pair("password", &password);
        url.set_fragment(None);
        Some(Self { url: SourceUrl::new(url.as_str()), source: LimitSource::Account })
    }

    /// The number in an answer, 0 if it says that there is none; `None` if it is no such answer. Panels write it as text or as a number,
    /// and `null` for an account without a limit.
    fn number_in(&self, text: &[u8]) -> Option<u32> {
        let answer: Value = serde_json::from_slice(text).ok()?;
        let number = match self.source {
            LimitSource::Device => answer.get("TunerCount")?,
            LimitSource::Account => answer.get("user_info")?.get("max_connections")?,
            LimitSource::Server | LimitSource::Configured | LimitSource::Lineup | LimitSource::Learned => {
                return None;
            }
        };
        if number.is_null() {
            return Some(0);
        }
        let number = number.as_u64().or_else(|| number.as_str()?.trim().parse().ok())?;
        u32::try_from(number).ok()
    }
}

/// The address of the HDHomeRun whose own playlist `playlist` is, whatever it is asked to list.
#[must_use]
pub fn device(playlist: &Url) -> Option<Url> {
    let mut device = playlist.clone();
    device.set_path("/");
    device.set_query(None);
    device.set_fragment(None);
    (playlist.path() == "/lineup.m3u").then_some(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(url: &str) -> Option<(String, LimitSource)> {
        let question = Question::of(&Location::Url(SourceUrl::new(url)))?;
        Some((question.url.expose().to_owned(), question.source))
    }

    #[test]
    fn only_what_is_known_to_answer_is_asked() {
        let device = ("http://10.0.0.5/discover.json".to_owned(), LimitSource::Device);
        assert_eq!(question("http://10.0.0.5/lineup.m3u?show=demo"), Some(device));
        let account = "http://panel.example:8080/tv/player_api.php?username=me&password=a%26b".to_owned();
        assert_eq!(
            question("http://panel.example:8080/tv/get.php?username=me&password=a%26b&type=m3u_plus#x"),
            Some((account, LimitSource::Account))
        );
        for other in [
            "http://panel.example/get.php?username=me",
            "http://panel.example/get.php",
            "http://panel.example/list.m3u?username=me&password=b",
            "http://10.0.0.5/tv/lineup.m3u",
            "nonsense",
        ] {
            assert_eq!(question(other), None, "{other}");
        }
        assert_eq!(Question::of(&Location::File("/lineup.m3u".into())), None);
    }

    #[test]
    fn only_a_denial_is_final() {
        let is_denied = |status: u16| {
            matches!(Miss::of(Error::Status(StatusCode::from_u16(status).unwrap())), Miss::Denied(_))
        };
        assert!([401, 403, 404].into_iter().all(is_denied));
        assert!(![204, 408, 429, 500, 503].into_iter().any(is_denied));
        assert!(matches!(Miss::of(Error::Body), Miss::Unanswered(_)));
    }

    #[test]
    fn a_number_is_a_number_in_either_spelling() {
        let number = |source, text: &str| {
            let url = SourceUrl::new("http://a/");
            Question { url, source }.number_in(text.as_bytes())
        };
        let device = |text| number(LimitSource::Device, text);
        assert_eq!(device(r#"{"FriendlyName":"HDHomeRun","TunerCount":3,"BaseURL":"x"}"#), Some(3));
        for nothing in ["{}", "[]", "<html>", r#"{"TunerCount":-1}"#, r#"{"TunerCount":99999999999}"#] {
            assert_eq!(device(nothing), None, "{nothing}");
        }
        let account = |text| number(LimitSource::Account, text);
        assert_eq!(account(r#"{"user_info":{"auth":1,"max_connections":"2","active_cons":"0"}}"#), Some(2));
        assert_eq!(account(r#"{"user_info":{"max_connections":4}}"#), Some(4));
        assert_eq!(account(r#"{"user_info":{"max_connections":"0"}}"#), Some(0));
        assert_eq!(account(r#"{"user_info":{"max_connections":null}}"#), Some(0));
        assert_eq!(account(r#"{"user_info":{"max_connections":"many"}}"#), None);
        assert_eq!(account(r#"{"user_info":{"auth":0}}"#), None);
    }
}
