//! A secret, which may go into a request and nowhere else.

use std::fmt;

/// A secret text. Its `Debug` hides it and it has no `Display`, so that no log line can contain it. It is
/// compared only with that of another configuration: how long that takes tells a client nothing.
#[derive(Clone, PartialEq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Wraps `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text itself, for a request and never for a message.
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
