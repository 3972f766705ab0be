//! Parses M3U playlists as forgivingly as players do: a flaw in one entry costs no other.
//!
//! An entry is what Jellyfin takes for one (`M3uParser.cs`), so that both know the same channels by the same ids.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::mem;

use crate::guid;
use crate::key::MediaSourceId;
use crate::lineup::attributes::{Attributes, Info};
use crate::lineup::entry::{Complaint, Entry, Flaw};
use crate::lineup::options::{Options, split_pipe};
use crate::lineup::source::{SourceKind, SourceUrl};

/// A parsed playlist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Playlist {
    /// The URLs of its guides, from the first line.
    pub guides: Vec<SourceUrl>,
    /// The entries that can be pulled, in order.
    pub entries: Vec<Entry>,
    /// Its flaws, in order.
    pub complaints: Vec<Complaint>,
}

/// Decodes UTF-8; lines that are not valid UTF-8 are read as Latin-1.
#[must_use]
pub fn decode(bytes: &[u8]) -> Cow<'_, str> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').map(|line| match std::str::from_utf8(line) {
        Ok(line) => line.to_owned(),
        Err(_) => line.iter().copied().map(char::from).collect(),
    });
    Cow::Owned(lines.collect())
}

/// Parses a playlist.
#[must_use]
pub fn parse(text: &str) -> Playlist {
    let mut reader = Reader::default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    for (index, line) in text.split(['\n', '\r']).enumerate() {
        reader.line(index + 1, line.trim());
        if reader.is_no_list {
            break;
        }
    }
    reader.finish()
}

/// An `#EXTINF` whose URL has not come yet.
struct Pending {
    line: usize,
    name: String,
    attributes: Attributes,
}

#[derive(Default)]
struct Reader {
    playlist: Playlist,
    pending: Option<Pending>,
    group: Option<String>,
    options: Options,
    /// The line on which each URL occurred first.
    seen: BTreeMap<String, usize>,
    is_no_list: bool,
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) {
        let Some(rest) = line.strip_prefix('#') else {
            match line {
                "" => {}
                _ if line.starts_with('<') => self.reject(number, Flaw::Page),
                url => self.url(number, url),
            }
            return;
        };
        let (tag, value) = rest.split_at(rest.find([':', ' ', '\t']).unwrap_or(rest.len()));
        let value = value.trim_start_matches([':', ' ', '\t']);
        match tag.to_ascii_uppercase().as_str() {
            "EXTM3U" => self.guides(value),
            "EXTINF" => self.info(number, value),
            "EXTGRP" => self.group = Some(value.to_owned()).filter(|group| !group.is_empty()),
            "EXTVLCOPT" => self.options.vlc(value),
            "KODIPROP" => self.options.kodi(value),
            "EXT-X-TARGETDURATION" | "EXT-X-STREAM-INF" => self.reject(number, Flaw::Stream),
            _ => {}
        }
    }

    fn guides(&mut self, value: &str) {
        let attributes = Info::read(value).attributes;
        let urls = attributes.first(&["x-tvg-url", "url-tvg", "tvg-url"]).unwrap_or_default().split(',');
        let http = |url: &&str| url.starts_with("http://") || url.starts_with("https://");
        self.playlist.guides.extend(urls.map(str::trim).filter(http).map(SourceUrl::new));
    }

    fn info(&mut self, line: usize, value: &str) {
        self.leave_pending();
        let info = Info::read(value);
        let known = [info.name, info.attributes.first(&["tvg-name", "tvg-id"]).unwrap_or_default()];
        let name = known.into_iter().find(|name| !name.is_empty()).unwrap_or_default().to_owned();
        if info.unclosed {
            self.complain(line, &name, Flaw::Unclosed);
        }
        self.pending = Some(Pending { line, name, attributes: info.attributes });
    }

    fn url(&mut self, line: usize, written: &str) {
        let (options, group) = (mem::take(&mut self.options), self.group.take());
        let Some(pending) = self.pending.take() else { return self.complain(line, "", Flaw::NoInfo) };
        match self.entry(line, written, options, &pending) {
            Ok(entry) => {
                let group = entry.group.or(group);
                self.playlist.entries.push(Entry { group, ..entry });
            }
            Err(flaw) => self.complain(line, &pending.name, flaw),
        }
    }

    fn entry(
        &mut self,
        line: usize,
        written: &str,
        mut options: Options,
        pending: &Pending,
    ) -> Result<Entry, Flaw> {
        let (url, headers) = split_pipe(written);
        let attributes = pending.attributes.clone();
        if let Some(user_agent) = attributes.first(&["user-agent", "http-user-agent"]) {
            options.header("User-Agent", user_agent);
        }
        options.encoded(headers.unwrap_or_default());
        let kind = match options.manifest.as_deref() {
            Some("mpd" | "ism") => None,
            Some("hls") => SourceKind::of(url).map(|_| SourceKind::Hls),
            Some(_) | None => SourceKind::of(url),
        };
        if options.drm {
            return Err(Flaw::Drm);
        }
        let kind = kind.ok_or(Flaw::Kind)?;
        match self.seen.get(written) {
            Some(first) => return Err(Flaw::Repeated { first: *first }),
            None => drop(self.seen.insert(written.to_owned(), line)),
        }
        if options.refused {
            self.complain(line, &pending.name, Flaw::Header);
        }
        if pending.name.is_empty() {
            self.complain(line, "", Flaw::Unnamed);
        }
        let media_source = MediaSourceId::new(guid::md5(written));
        let group = attributes.get("group-title").map(str::to_owned);
        let (url, name) = (SourceUrl::new(url), pending.name.clone());
        let Options { user_agent, headers, .. } = options;
        Ok(Entry { line, media_source, url, kind, name, group, attributes, user_agent, headers })
    }

    fn leave_pending(&mut self) {
        if let Some(Pending { line, name, .. }) = self.pending.take() {
            // Options behind the `#EXTINF` belonged to the missing URL.
            (self.options, self.group) = (Options::default(), None);
            self.complain(line, &name, Flaw::NoUrl);
        }
    }

    fn reject(&mut self, line: usize, flaw: Flaw) {
        self.playlist = Playlist::default();
        self.pending = None;
        self.complain(line, "", flaw);
        self.is_no_list = true;
    }

    fn complain(&mut self, line: usize, name: &str, flaw: Flaw) {
        self.playlist.complaints.push(Complaint { line, name: name.to_owned(), flaw });
    }

    fn finish(mut self) -> Playlist {
        self.leave_pending();
        self.playlist
    }
}
