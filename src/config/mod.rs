//! The configuration: `gateway.yaml`, overridden by the environment, read and checked once at the start.
//!
//! `file` mirrors the YAML as written, `check` applies the rules, and [`Config`] is the result. All errors are
//! collected, each with its key and its line or variable.
//!
//! **Invariant:** nothing outside this module knows that the configuration is YAML, and nothing in it knows what the
//! values are used for.

mod admin;
mod check;
mod checked;
mod clients;
mod environment;
mod errors;
mod file;
mod fixed;
mod lines;
mod lineup;
mod running;
mod scalar;
mod secret;
mod sections;
mod shown;
mod streams;
mod thrift;
mod tls;
mod tuners;
mod units;
mod upstream_url;
mod webhooks;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

pub use admin::{Admin, Zap};
pub use checked::{AccessLogTo, Config, Upstream};
pub use clients::{Believed, ClientRule, ClientSettings, Clients, Conditions};
pub use errors::{Errors, Place, Problem};
pub use lineup::{Location, Playlist};
pub use running::Running;
pub use secret::Secret;
pub use sections::{
    BlockingReload, History, LineupServer, LiveTvRight, Log, LogFormat, Pool, Produce, Rewind, Shutdown,
    Viewers, Window,
};
pub use streams::{CopyWith, Encoders, Feed, Ffmpeg, Warm};
pub use thrift::ThriftChoice;
pub use tls::Tls;
pub use tuners::{Refusal, Tuners};
pub use units::{BitRate, ByteSize};
pub use upstream_url::UpstreamUrl;
pub use webhooks::Webhook;

impl Config {
    /// Reads the file at `path` and overrides it with the process's environment.
    ///
    /// A missing file is an error only if the environment does not name the upstream.
    ///
    /// # Errors
    /// All problems at once.
    pub fn load(path: &Path) -> Result<Self, Errors> {
        let variables = environment::of_process();
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound && environment::names_upstream(&variables) => {
                String::new()
            }
            Err(error) => return Err(Errors::unreadable(path, &error)),
        };
        Self::parse(path, &text, &variables)
    }

    /// The defaults with the upstream at `url`; reads neither a file nor the environment.
    ///
    /// # Errors
    /// If `url` is not a valid upstream URL.
    pub fn for_upstream(url: &str) -> Result<Self, Errors> {
        let variable = (environment::UPSTREAM_URL.to_owned(), url.to_owned());
        Self::parse(Path::new(""), "", &[variable])
    }

    /// Reads and checks `text`, the content of `path`, overridden by `variables` (name and value).
    ///
    /// # Errors
    /// All problems at once.
    pub fn parse(path: &Path, text: &str, variables: &[(String, String)]) -> Result<Self, Errors> {
        let (file, mut report) = file::read(path, text, variables)?;
        let config = check::lower(file, path, &mut report);
        report.into_result(config)
    }
}
