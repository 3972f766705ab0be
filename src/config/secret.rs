//! A value that must reach an upstream request and nothing else.

use std::fmt;

/// A secret text. Its `Debug` shows nothing of it, and it has no `Display`, so a log line cannot contain it.
#[derive(Clone)]
pub struct Secret(Box<str>);

impl Secret {
    /// Takes `text` into custody.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text itself: for a request header, never for a message.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
