//! Where a feed's bytes come from.
//!
//! Who makes an input knows what is behind it: an address, a process, a live stream of the server's.

use std::fmt::Debug;
use std::pin::Pin;

use crate::body::{Body, BoxError};
use domain::reason::Failure;

/// An opening that is under way.
pub type OpenFuture<'a> = Pin<Box<dyn Future<Output = Result<Body, InputError>> + Send + 'a>>;

/// Something that gives a transport stream, anew for each attempt.
pub trait Input: Debug + Send + Sync + 'static {
    /// Begins to give it. Dropping the body ends it.
    fn open(&self) -> OpenFuture<'_>;

    /// What it is called in the log: no address, no secret.
    fn name(&self) -> &str;
}

/// An input that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("{}", failure.as_str())]
pub struct InputError {
    /// How. After [`Failure::Gone`] the same input is not tried again.
    pub failure: Failure,
    /// The cause, for the log.
    #[source]
    pub cause: BoxError,
}

impl InputError {
    /// It could not be opened.
    pub fn new(failure: Failure, cause: impl Into<BoxError>) -> Self {
        Self { failure, cause: cause.into() }
    }
}
