//! The interface of a feed's inputs.
//!
//! An input hides what is behind it: a URL, a process, a live stream of the server.

use std::fmt::Debug;
use std::pin::Pin;

use crate::body::{Body, BoxError};
use domain::reason::Failure;

/// The future of [`Input::open`].
pub type OpenFuture<'a> = Pin<Box<dyn Future<Output = Result<Body, InputError>> + Send + 'a>>;

/// A source of a transport stream that can be opened again after a failure.
pub trait Input: Debug + Send + Sync + 'static {
    /// Opens the stream. Dropping the body closes it.
    fn open(&self) -> OpenFuture<'_>;

    /// Its name in the log, without address or secret.
    fn name(&self) -> &str;
}

/// An input that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("{}", failure.as_str())]
pub struct InputError {
    /// The kind of failure. After [`Failure::Gone`] the same input is not tried again.
    pub failure: Failure,
    /// The cause, for the log.
    #[source]
    pub cause: BoxError,
}

impl InputError {
    /// The error of an input that could not be opened, or broke off.
    pub fn new(failure: Failure, cause: impl Into<BoxError>) -> Self {
        Self { failure, cause: cause.into() }
    }
}
