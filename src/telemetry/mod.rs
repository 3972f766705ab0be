//! Sets up logging: `tracing`, to standard error; and counts what happens (`counts`).
//!
//! It does not know what is logged.

pub mod counts;

use std::env;
use std::fmt;
use std::io;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::reload;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// The format of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text, for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Why logging could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `RUST_LOG` or the configured level is not a valid filter.
    #[error("the log filter (RUST_LOG, else log.level) is not understood: {0}")]
    Filter(#[from] ParseError),
    /// Logging was started before.
    #[error(transparent)]
    Installed(#[from] TryInitError),
    /// There is no log any more.
    #[error("the level of the log cannot be changed: {0}")]
    Changed(#[from] reload::Error),
}

/// What is logged, as it may be changed.
pub struct Level(Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>);

impl Level {
    /// Logs from now on by this level, unless `RUST_LOG` is set.
    ///
    /// # Errors
    /// If the filter is not understood.
    pub fn change(&self, level: &str) -> Result<(), Error> {
        self.0(filter(level, rust_log().as_deref())?)?;
        Ok(())
    }
}

impl fmt::Debug for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Level").finish_non_exhaustive()
    }
}

/// Starts logging for the whole process. `RUST_LOG`, if set, overrides `level`.
///
/// # Errors
/// If the filter is not understood, or logging was started before.
pub fn init(level: &str, format: Format) -> Result<Level, Error> {
    let filter = filter(level, rust_log().as_deref())?;
    match format {
        Format::Text => install(text(filter, io::stderr)),
        Format::Json => install(json(filter, io::stderr)),
    }
}

fn install((subscriber, level): (impl Subscriber + Send + Sync, Level)) -> Result<Level, Error> {
    subscriber.try_init()?;
    Ok(level)
}

fn rust_log() -> Option<String> {
    env::var("RUST_LOG").ok()
}

fn filter(level: &str, rust_log: Option<&str>) -> Result<EnvFilter, ParseError> {
    EnvFilter::try_new(rust_log.filter(|value| !value.is_empty()).unwrap_or(level))
}

// Neither format reports its own write errors: it would report them to standard error, and panic if that is closed. A
// closed log must not keep the gateway from stopping.

fn text<W>(filter: EnvFilter, writer: W) -> (impl Subscriber + Send + Sync, Level)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt()
        .log_internal_errors(false)
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(writer)
        .with_filter_reloading();
    let handle = builder.reload_handle();
    (builder.finish(), Level(Box::new(move |filter| handle.reload(filter))))
}

fn json<W>(filter: EnvFilter, writer: W) -> (impl Subscriber + Send + Sync, Level)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt()
        .log_internal_errors(false)
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(writer)
        .with_filter_reloading();
    let handle = builder.reload_handle();
    (builder.finish(), Level(Box::new(move |filter| handle.reload(filter))))
}

#[cfg(test)]
mod tests;
