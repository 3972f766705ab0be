//! What the gateway uses of this machine: its folders, and FFmpeg.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::access_log::{AccessLog, Destination};
use crate::app::settings;
use crate::background::{kept, survived};
use crate::config::{self, AccessLogTo, Config, CopyWith, Ffmpeg};
use crate::ffmpeg;
use crate::ffmpeg::launcher::Launcher;
use crate::history::{self, History, Past};
use crate::spool::Spool;
use crate::supervisor::generation::own::workshop::Encoding;
use domain::encoding::health;

/// An FFmpeg that has produced nothing for this long hangs, whatever its input does.
const SILENT: Duration = Duration::from_secs(15);
/// An FFmpeg that has been slow for this long will not catch up.
const SLOW: Duration = Duration::from_secs(15);
/// An FFmpeg is slow if it produces fewer seconds of stream per second than this.
const SLOWEST: f64 = 0.9;

/// How long a process that takes another one's place waits for the test of FFmpeg.
const FFMPEG_TESTED: Duration = Duration::from_secs(10);

/// How long the history may take to open.
const HISTORY: Duration = Duration::from_secs(2);

/// The state directory of the systemd unit, else that of the XDG Base Directory Specification.
pub(super) fn usual_state_dir() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    folder("STATE_DIRECTORY")
        .or_else(|| Some(folder("XDG_STATE_HOME")?.join("warmgate")))
        .or_else(|| Some(folder("HOME")?.join(".local/state/warmgate")))
}

/// The path of a file in the state directory. Gateways that share the directory are told apart by their ports.
pub(super) fn state_file(config: &Config, address: SocketAddr, name: &str) -> Option<PathBuf> {
    let folder = config.state_dir.as_ref()?;
    if let Err(cause) = std::fs::create_dir_all(folder) {
        warn!(folder = %folder.display(), %cause, "cannot create the state directory: after a crash, what is open at the server stays open, and what is watched is forgotten");
        return None;
    }
    Some(folder.join(format!("{name}-{}.json", address.port())))
}

/// What was watched, and where that is remembered, if it is. If this process `follows` another one, that has written all that it had to.
pub(super) async fn history(config: &Config, address: SocketAddr, follows: bool) -> Option<(History, Past)> {
    let config::History { enabled, identify, keep, rows } = config.history;
    if !enabled {
        return None;
    }
    let path = state_file(config, address, "history")?.with_extension("db");
    let settings = history::Settings { path: path.clone(), keep, rows, identify };
    let opened =
        spawn_blocking(move || survived("the history's opening", || History::open(settings, follows)));
    // Viewers wait for it.
    let Ok(opened) = timeout(HISTORY, opened).await else {
        warn!(file = %path.display(), "the history takes too long to open: what is watched is forgotten at the end");
        return None;
    };
    match opened.ok().flatten() {
        Some(Ok((history, past))) => {
            info!(file = %path.display(), remembered = past.remembered.len(), "the history is open");
            Some((history, past))
        }
        Some(Err(why)) => {
            warn!(
                file = %path.display(), %why,
                "the history cannot be opened: what is watched is forgotten at the end"
            );
            None
        }
        None => None,
    }
}

/// Whether anybody may go back to what is too old for memory.
fn keeps_old_pieces(config: &Config) -> bool {
    config.rewind.budget > 0 && config.rewind.length > config.window.length
}

/// The folder for old pieces, if there is one and any are kept.
pub(super) fn spool_folder(config: &Config) -> Option<PathBuf> {
    let usual = || config.state_dir.as_ref().map(|folder| folder.join("spool"));
    config.rewind.dir.clone().or_else(usual).filter(|_| keeps_old_pieces(config))
}

/// Where old pieces are kept, if there is a place for them.
pub(super) fn spool(config: &Config) -> Option<Spool> {
    if !keeps_old_pieces(config) {
        return None;
    }
    let Some(folder) = spool_folder(config) else {
        warn!("there is no folder for rewind.dir: viewers can go back no farther than window.length");
        return None;
    };
    match Spool::open(&folder, config.rewind.budget) {
        Ok(spool) => Some(spool),
        Err(cause) => {
            warn!(
                folder = %folder.display(),
                %cause,
                "cannot write in rewind.dir: viewers can go back no farther than window.length"
            );
            None
        }
    }
}

/// The log of requests, if there is one.
pub(super) fn access_log(config: &Config) -> Option<AccessLog> {
    let to = match config.access_log.clone()? {
        AccessLogTo::Stdout => Destination::Stdout,
        AccessLogTo::File(path) => Destination::File(path),
    };
    match AccessLog::open(&to) {
        Ok(log) => Some(log),
        Err(cause) => {
            warn!(?to, %cause, "cannot open access_log: there is none");
            None
        }
    }
}

/// The encoder, if any stream may be produced here. FFmpeg's abilities are probed in the background; until they are known, or if there is no
/// FFmpeg, streams that need encoding are left to the server.
pub(super) fn encoding(
    config: &Config,
    launcher: Launcher,
    address: SocketAddr,
) -> io::Result<Option<Encoding>> {
    if !settings::makes_streams(config) {
        return Ok(None);
    }
    let Ffmpeg { path, copy, encoders, preset, processes, encodes, nice, memory } = config.ffmpeg.clone();
    let limits = health::Limits { silence: SILENT, patience: SLOW, speed: SLOWEST, memory };
    let owner = address.to_string();
    let settings = ffmpeg::Settings {
        path,
        launcher,
        encoders: encoders.0,
        processes,
        encodes,
        nice: i32::try_from(nice).unwrap_or(0),
        limits,
        owner: owner.clone(),
    };
    let ffmpeg = ffmpeg::Ffmpeg::new(settings)?;
    let probed = ffmpeg.clone();
    tokio::spawn(kept("the test of FFmpeg", move || {
        let (ffmpeg, owner) = (probed.clone(), owner.clone());
        async move {
            let ending = tokio::task::spawn_blocking(move || {
                survived("the end of an earlier process's FFmpegs", || ffmpeg::leftovers::end(&owner))
            });
            let _ = ending.await;
            ffmpeg.probe().await;
        }
    }));
    let copies_natively = match copy {
        CopyWith::Native => true,
        CopyWith::Ffmpeg => false,
    };
    Ok(Some(Encoding { ffmpeg, preset, copies_natively, tasks: TaskTracker::new() }))
}

/// Waits until FFmpeg has been tested, for a while: before that, streams that need it would be left to the server.
pub(super) async fn tested(encoding: Option<&Encoding>) {
    if let Some(encoding) = encoding {
        let mut found = encoding.ffmpeg.found();
        let _ = timeout(FFMPEG_TESTED, found.wait_for(Option::is_some)).await;
    }
}
