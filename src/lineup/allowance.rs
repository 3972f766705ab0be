//! Asks the provider of a playlist how many connections it allows: an HDHomeRun by its `discover.json`, an Xtream panel by the account whose
//! name and password are in the playlist's URL.
//!
//! Whether there is anything to ask is told by the URL alone, and the server that the playlist comes from is the only one that is asked.
//! What follows from the number is not known here.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::time::{sleep, timeout};
use tracing::{debug, info};
use url::Url;

use crate::body;
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

    /// Asks for ever, as often as the playlist is fetched, sooner where no answer came, and calls `tell` with each answer.
    pub(super) async fn run(self, retry: Duration, tell: impl Fn(Option<TunerLimit>)) {
        let mut known = None;
        loop {
            let wait = match self.ask().await {
                Ok(told) => {
                    if known != Some(told) {
                        known = Some(told);
                        self.log(told);
                        tell(told);
                    }
                    self.reload
                }
                Err(error) => {
                    debug!(provider = %self.question.url, reason = %error, "cannot ask how many connections a provider allows");
                    // With an answer that tells nothing, it is no such device, or its account is not one any more.
                    let is_answered = matches!(error, Error::Status(_) | Error::Body);
                    if is_answered { self.reload } else { self.reload.min(retry) }
                }
            };
            sleep(wait).await;
        }
    }

    /// The number that the provider tells, if it tells any.
    async fn ask(&self) -> Result<Option<TunerLimit>, Error> {
        let Question { url, source } = &self.question;
        let url = Url::parse(url.expose()).map_err(|_| fetch::Error::Address)?;
        let answer = self.fetcher.get(&url, &self.headers).await?.response;
        if answer.status() != StatusCode::OK {
            return Err(Error::Status(answer.status()));
        }
        let read = timeout(PATIENCE, body::read(answer.into_body(), LARGEST)).await;
        let text = read.ok().flatten().ok_or(Error::Body)?;
        let count = self.question.number_in(&text).filter(|count| *count > 0);
        Ok(count.map(|count| TunerLimit { count, source: *source }))
    }

    fn log(&self, told: Option<TunerLimit>) {
        if let Some(TunerLimit { count, source }) = told {
            let (provider, source) = (&self.question.url, source.as_str());
            info!(%provider, connections = count, source, "a provider tells how many connections it allows");
        }
    }
}

impl Question {
    fn of(location: &Location) -> Option<Self> {
        let Location::Url(url) = location else { return None };
        let mut url = Url::parse(url.expose()).ok()?;
        let folder = url.path().strip_suffix("/get.php").map(str::to_owned);
        let source = if url.path() == "/lineup.m3u" {
            url.set_path("/discover.json");
            url.set_query(None);
            LimitSource::Device
        } else {
            let folder = folder?;
            let value = |name| url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value);
            let (user, password) = (value("username")?.into_owned(), value("password")?.into_owned());
            url.set_path(&format!("{folder}/player_api.php"));
            url.query_pairs_mut().clear().append_pair("username", &user).append_pair("password", &password);
            LimitSource::Account
        };
        url.set_fragment(None);
        Some(Self { url: SourceUrl::new(url.as_str()), source })
    }

    /// The number in an answer. Panels write it as text or as a number.
    fn number_in(&self, text: &[u8]) -> Option<u32> {
        let answer: Value = serde_json::from_slice(text).ok()?;
        let number = match self.source {
            LimitSource::Device => answer.get("TunerCount")?,
            LimitSource::Account => answer.get("user_info")?.get("max_connections")?,
            LimitSource::Server | LimitSource::Configured | LimitSource::Lineup | LimitSource::Learned => {
                return None;
            }
        };
        let number = number.as_u64().or_else(|| number.as_str()?.trim().parse().ok())?;
        u32::try_from(number).ok()
    }
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
        assert_eq!(account(r#"{"user_info":{"max_connections":null}}"#), None);
        assert_eq!(account(r#"{"user_info":{"auth":0}}"#), None);
    }
}
