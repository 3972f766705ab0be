//! Loads one playlist from a server or a file, unpacked, and only if it has changed.

use std::borrow::Cow;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::header::{ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use url::Url;

use crate::body::{self, Body};
use crate::config::{Location, Playlist};
use crate::fetch::{self, Fetcher};
use domain::lineup::Rules;
use domain::lineup::entry::{Complaint, Entry, Flaw};
use domain::lineup::parse::{self, decode};
use domain::lineup::source::{SourceKind, SourceUrl};

/// The maximum size of a playlist, packed and unpacked: a quarter of a million entries.
pub(super) const LARGEST: usize = 64 << 20;

/// The time limit for the body of a response.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// The first bytes of gzip (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Why a playlist was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There was no response.
    #[error(transparent)]
    Fetch(#[from] fetch::Error),
    /// The response is not 200.
    #[error("its server answers {0}")]
    Status(StatusCode),
    /// The body broke off, took too long or is too large.
    #[error("it broke off, took too long or is too large")]
    Body,
    /// The file cannot be read.
    #[error("it cannot be read")]
    File(#[from] io::Error),
    /// It is not valid gzip.
    #[error("it cannot be unpacked")]
    Packed(#[source] io::Error),
    /// It is not a playlist.
    #[error("{0}")]
    NoList(Flaw),
    /// It has no channel that the gateway can pull.
    #[error("there is no channel in it that the gateway could pull")]
    Empty,
}

/// Loads one playlist repeatedly.
#[derive(Debug)]
pub(super) struct Loader {
    location: Location,
    fetcher: Fetcher,
    headers: HeaderMap,
    /// The validators of the last response, as request fields (RFC 9110 13.1).
    validators: Vec<(HeaderName, HeaderValue)>,
    stamp: Option<(SystemTime, u64)>,
}

impl Loader {
    pub(super) fn new(playlist: &Playlist, fetcher: Fetcher) -> Self {
        let location = playlist.location.clone();
        Self { location, fetcher, headers: headers(&playlist.rules), validators: Vec::new(), stamp: None }
    }

    /// The bytes as they came; `None` if they have not changed.
    pub(super) async fn load(&mut self) -> Result<Option<Bytes>, Error> {
        match self.location.clone() {
            Location::Url(url) => self.fetch(&url).await,
            Location::File(path) => self.read(&path).await,
        }
    }

    /// Forgets the validators, so that the next response counts as changed: the last one could not be used.
    pub(super) fn forget(&mut self) {
        self.validators.clear();
    }

    async fn fetch(&mut self, url: &SourceUrl) -> Result<Option<Bytes>, Error> {
        let url = Url::parse(url.expose()).map_err(|_| fetch::Error::Address)?;
        let mut headers = self.headers.clone();
        headers.extend(self.validators.iter().cloned());
        let answer = self.fetcher.get(&url, &headers).await?.response;
        if answer.status() == StatusCode::NOT_MODIFIED && !self.validators.is_empty() {
            return Ok(None);
        }
        let validators = [(ETAG, IF_NONE_MATCH), (LAST_MODIFIED, IF_MODIFIED_SINCE)];
        let known =
            validators.map(|(said, asked)| answer.headers().get(said).cloned().map(|value| (asked, value)));
        let bytes = whole(answer, LARGEST, PATIENCE).await?;
        self.validators = known.into_iter().flatten().collect();
        Ok(Some(bytes))
    }

    async fn read(&mut self, path: &Path) -> Result<Option<Bytes>, Error> {
        let about = tokio::fs::metadata(path).await?;
        let stamp = Some((about.modified()?, about.len()));
        if self.stamp == stamp {
            return Ok(None);
        }
        if about.len() > LARGEST as u64 {
            return Err(Error::Body);
        }
        let bytes = tokio::fs::read(path).await?;
        self.stamp = stamp;
        Ok(Some(bytes.into()))
    }
}

/// The header fields of requests to a playlist's provider.
pub(super) fn headers(rules: &Rules) -> HeaderMap {
    let user_agent = rules.user_agent.iter().map(|name| (USER_AGENT.as_str(), name.as_str()));
    fetch::headers(
        user_agent.chain(rules.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))),
    )
}

/// The body of a response with status 200, of at most `largest` bytes, within `patience`.
pub(super) async fn whole(
    answer: Response<Body>,
    largest: usize,
    patience: Duration,
) -> Result<Bytes, Error> {
    if answer.status() != StatusCode::OK {
        return Err(Error::Status(answer.status()));
    }
    let body = tokio::time::timeout(patience, body::read(answer.into_body(), largest)).await;
    body.ok().flatten().ok_or(Error::Body)
}

/// `bytes`, unpacked if they are gzip; an error if they are larger than `largest`.
pub(super) fn unpack(bytes: &[u8], largest: usize) -> Result<Cow<'_, [u8]>, Error> {
    if !bytes.starts_with(&GZIP) {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut unpacked = Vec::new();
    let mut packed = MultiGzDecoder::new(bytes).take(largest as u64 + 1);
    packed.read_to_end(&mut unpacked).map_err(Error::Packed)?;
    if unpacked.len() > largest { Err(Error::Body) } else { Ok(Cow::Owned(unpacked)) }
}

/// Parses `bytes`, packed or not. A playlist from a server cannot name files of this machine: such entries are left out.
pub(super) fn parse(bytes: &[u8], from: &Location) -> Result<parse::Playlist, Error> {
    let mut playlist = parse::parse(&decode(&unpack(bytes, LARGEST)?));
    if let Location::Url(_) = from {
        let is_file = |entry: &mut Entry| SourceKind::of(entry.url.expose()) == Some(SourceKind::File);
        let files = playlist.entries.extract_if(.., is_file);
        let files = files.map(|Entry { line, name, .. }| Complaint { line, name, flaw: Flaw::File });
        playlist.complaints.extend(files);
    }
    let mut flaws = playlist.complaints.iter().map(|complaint| complaint.flaw);
    match flaws.find(|flaw| matches!(flaw, Flaw::Stream | Flaw::Page)) {
        Some(flaw) => Err(Error::NoList(flaw)),
        None if playlist.entries.is_empty() => Err(Error::Empty),
        None => Ok(playlist),
    }
}
