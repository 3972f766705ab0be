//! Shows single values, and hides those that are secret.

use std::time::Duration;

use crate::config::secret::Secret;
use crate::config::units::spell_duration;
use domain::lineup::source::SourceUrl;

/// What stands for a secret.
pub(super) const HIDDEN: &str = "…";

/// A length of time.
pub(super) fn span(span: Duration) -> String {
    spell_duration(span)
}

/// Whether a secret is set.
pub(super) fn secret(secret: Option<&Secret>) -> Option<&'static str> {
    secret.map(|_| HIDDEN)
}

/// An address of somebody else's server without what may be a credential in it.
pub(super) fn address(url: &str) -> String {
    SourceUrl::new(url).to_string()
}
