//! Sets up logging: `tracing`, to standard error.
//!
//! It does not know what is logged.

use std::env;
use std::io;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;
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
}

/// Starts logging for the whole process. `RUST_LOG`, if set, overrides `level`.
///
/// # Errors
/// If the filter is not understood, or logging was started before.
pub fn init(level: &str, format: Format) -> Result<(), Error> {
    let filter = filter(level, env::var("RUST_LOG").ok().as_deref())?;
    match format {
        Format::Text => text(filter, io::stderr).try_init()?,
        Format::Json => json(filter, io::stderr).try_init()?,
    }
    Ok(())
}

fn filter(level: &str, rust_log: Option<&str>) -> Result<EnvFilter, ParseError> {
    EnvFilter::try_new(rust_log.filter(|value| !value.is_empty()).unwrap_or(level))
}

// Neither format reports its own write errors: it would report them to standard error, and panic if that is closed. A
// closed log must not keep the gateway from stopping.

fn text<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .log_internal_errors(false)
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(writer)
        .finish()
}

fn json<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .log_internal_errors(false)
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(writer)
        .finish()
}

#[cfg(test)]
mod tests;
