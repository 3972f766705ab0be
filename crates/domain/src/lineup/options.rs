//! Reads the options that some players put beside a URL: VLC's `#EXTVLCOPT`, Kodi's `#KODIPROP`, and Kodi's headers
//! behind a `|`.
//!
//! It keeps request headers and notices licences. Options for the player itself are ignored.

use http::{HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

/// The options of the next URL.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub(super) user_agent: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    /// Whether the stream needs a licence.
    pub(super) drm: bool,
    /// Whether a header was left out because HTTP does not allow it.
    pub(super) refused: bool,
    /// The manifest type that Kodi is told: `hls`, `mpd`, `ism`.
    pub(super) manifest: Option<String>,
}

impl Options {
    /// Reads the text behind `#EXTVLCOPT:`.
    pub(super) fn vlc(&mut self, text: &str) {
        let Some((key, value)) = pair(text) else { return };
        match key.trim_start_matches("--").trim_start_matches(':').to_ascii_lowercase().as_str() {
            "http-user-agent" => self.header("User-Agent", value),
            "http-referrer" | "http-referer" => self.header("Referer", value),
            "http-origin" => self.header("Origin", value),
            "http-cookie" => self.header("Cookie", value),
            _ => {}
        }
    }

    /// Reads the text behind `#KODIPROP:`.
    pub(super) fn kodi(&mut self, text: &str) {
        let Some((key, value)) = pair(text) else { return };
        let key = key.to_ascii_lowercase();
        let Some(property) = key.strip_prefix("inputstream.adaptive.") else { return };
        match property {
            "license_type" | "license_key" | "license_data" | "drm" | "drm_legacy" => {
                self.drm |= !value.is_empty();
            }
            "manifest_type" => self.manifest = Some(value.to_ascii_lowercase()),
            "stream_headers" | "manifest_headers" | "common_headers" => self.encoded(value),
            _ => {}
        }
    }

    /// Reads Kodi's headers: `User-Agent=VLC%2F3&Referer=http…`.
    pub(super) fn encoded(&mut self, text: &str) {
        for part in text.split('&').filter(|part| !part.is_empty()) {
            match (pair(part), part.split_once('=').map(|(_, value)| percent_decode_str(value).decode_utf8()))
            {
                (Some((name, _)), Some(Ok(value))) => self.header(name, &value),
                _ => self.refused = true,
            }
        }
    }

    /// Sets a header; the last of a name counts.
    pub(super) fn header(&mut self, name: &str, value: &str) {
        let value = unquoted(value.trim());
        let allowed = HeaderName::try_from(name).is_ok() && HeaderValue::try_from(value).is_ok();
        if !allowed || value.is_empty() {
            self.refused |= !allowed;
        } else if name.eq_ignore_ascii_case("user-agent") {
            self.user_agent = Some(value.to_owned());
        } else {
            let name = if name.eq_ignore_ascii_case("referrer") { "Referer" } else { name };
            self.headers.retain(|(old, _)| !old.eq_ignore_ascii_case(name));
            self.headers.push((name.to_owned(), value.to_owned()));
        }
    }
}

/// Splits Kodi's headers off a URL.
pub(super) fn split_pipe(written: &str) -> (&str, Option<&str>) {
    match written.split_once('|') {
        Some((url, headers)) if headers.contains('=') => (url.trim_end(), Some(headers)),
        Some(_) | None => (written, None),
    }
}

fn pair(text: &str) -> Option<(&str, &str)> {
    text.split_once('=').map(|(key, value)| (key.trim(), value.trim()))
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}
