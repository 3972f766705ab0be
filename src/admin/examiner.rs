//! Gathers what [`domain::doctor`] looks at, of the server and of this machine.
//!
//! What it finds is shown for a minute: to look costs the server a few requests.

use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::ffmpeg::Ffmpeg;
use crate::supervisor::Supervisor;
use crate::upstream::jellyfin::{Jellyfin, Login};
use domain::doctor::{Finding, Surroundings, examine};

/// How long a finding is shown.
const SHOWN: Duration = Duration::from_secs(60);
/// How long the server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where it looks.
#[derive(Debug)]
pub struct Places {
    /// The server.
    pub jellyfin: Jellyfin,
    /// The gateway's own credential.
    pub gateway_login: Option<Login>,
    /// The encoder, if any stream may be produced here.
    pub ffmpeg: Option<Ffmpeg>,
    /// The folder of the spool, and what it may use in bytes, if there is one.
    pub spool: Option<(PathBuf, u64)>,
}

/// See the module.
#[derive(Debug)]
pub struct Examiner {
    places: Places,
    supervisor: Supervisor,
    last: Mutex<Option<(Instant, Surroundings)>>,
}

impl Examiner {
    /// Looks at these places.
    #[must_use]
    pub fn new(places: Places, supervisor: Supervisor) -> Self {
        Self { places, supervisor, last: Mutex::default() }
    }

    /// What there is to do about, and the surroundings as they are.
    pub async fn examine(&self) -> (Surroundings, Vec<Finding>) {
        let mut last = self.last.lock().await;
        let shown = last.as_ref().filter(|(at, _)| at.elapsed() < SHOWN).map(|(_, found)| found.clone());
        let found = match shown {
            Some(found) => found,
            None => last.insert((Instant::now(), self.look().await)).1.clone(),
        };
        let findings = examine(&found);
        (found, findings)
    }

    async fn look(&self) -> Surroundings {
        let Places { jellyfin, gateway_login, ffmpeg, spool } = &self.places;
        let prefix = self.supervisor.prefix();
        let version = timeout(PATIENCE, jellyfin.version(&prefix)).await;
        let network = match gateway_login {
            Some(login) => timeout(PATIENCE, jellyfin.known_proxies(&prefix, login)).await.ok(),
            None => None,
        };
        let is_key_accepted = network.as_ref().and_then(|network| match network {
            Ok(_) => Some(true),
            Err(error) if error.status() == Some(StatusCode::UNAUTHORIZED) => Some(false),
            Err(_) => None,
        });
        let disk = spool.as_ref().and_then(|(folder, _)| rustix::fs::statvfs(folder).ok());
        Surroundings {
            version: version.ok().and_then(Result::ok),
            has_key: gateway_login.is_some(),
            is_key_accepted,
            known_proxies: network.and_then(Result::ok),
            tuners: self.supervisor.tuner_limit(),
            slots: self.supervisor.slots(),
            encodes: ffmpeg.as_ref().and_then(|ffmpeg| {
                ffmpeg.found().borrow().as_ref().map(|found| !found.video_encoders.is_empty())
            }),
            disk_left: disk.map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
            spool: spool.as_ref().map_or(0, |(_, budget)| *budget),
        }
    }
}
