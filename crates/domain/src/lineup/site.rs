//! Builds the URLs under which the gateway serves its lineup and guide.

use std::fmt;

use crate::container::Container;

/// The address of the lineup, and the token that its URLs carry.
#[derive(Clone, PartialEq, Eq)]
pub struct Site {
    base: String,
    token: Option<String>,
}

impl Site {
    /// The site at `base`: the scheme, the host and any path before `/lineup/`.
    #[must_use]
    pub fn new(base: &str, token: Option<&str>) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), token: token.map(str::to_owned) }
    }

    /// The URL of the channel `id`.
    #[must_use]
    pub fn channel(&self, id: &str) -> String {
        self.url(&Container::MpegTs.file(id))
    }

    /// The URL of the guide.
    #[must_use]
    pub fn guide(&self) -> String {
        self.url("guide.xml")
    }

    fn url(&self, name: &str) -> String {
        let token = self.token.iter().map(|token| format!("?token={token}"));
        format!("{}/lineup/{name}{}", self.base, token.collect::<String>())
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("base", &self.base).finish_non_exhaustive()
    }
}
