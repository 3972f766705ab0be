//! The thread that writes the lines.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Stdout, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use serde_json::json;
use tracing::warn;

use crate::access_log::entry::Entry;
use crate::background::survived;

/// The name under which its deaths are logged.
const NAME: &str = "the access log's writer";

/// What the lines are written to.
#[derive(Debug)]
pub(super) enum Output {
    Stdout(Stdout),
    File(BufWriter<File>, PathBuf),
}

impl Output {
    /// The end of a file.
    pub(super) fn file(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).mode(0o640).open(path)?;
        Ok(Self::File(BufWriter::new(file), path.to_owned()))
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => writeln!(stdout, "{line}"),
            Self::File(file, _) => writeln!(file, "{line}"),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::File(file, _) => file.flush(),
        }
    }

    fn reopen(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(_) => {}
            Self::File(_, path) => *self = Self::file(&path.clone())?,
        }
        Ok(())
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) output: Output,
    /// Whether the file is to be opened again before the next line.
    pub(super) reopens: Arc<AtomicBool>,
}

impl Writer {
    /// Works until nobody is left who could add an entry.
    pub(super) fn run(mut self, entries: &Receiver<Entry>) {
        let mut is_failing = false;
        while let Ok(entry) = entries.recv() {
            let written = survived(NAME, || self.write_all(entry, entries));
            let error = written.and_then(Result::err);
            if let (Some(cause), false) = (&error, is_failing) {
                warn!(%cause, "the access log cannot be written: lines are lost");
            }
            is_failing = error.is_some();
        }
    }

    /// Writes an entry, and all that wait behind it.
    fn write_all(&mut self, first: Entry, entries: &Receiver<Entry>) -> io::Result<()> {
        for entry in std::iter::once(first).chain(entries.try_iter()) {
            if self.reopens.swap(false, Ordering::Relaxed) {
                self.output.flush()?;
                self.output.reopen()?;
            }
            self.output.write(&line(&entry))?;
        }
        self.output.flush()
    }
}

fn line(entry: &Entry) -> String {
    let Entry { at, client, method, path, status, bytes, first_byte, total, route, cache, stream } = entry;
    let time = jiff::Timestamp::try_from(*at).map(|at| format!("{at:.3}")).unwrap_or_default();
    let millis = |span: &Duration| (span.as_secs_f64() * 10_000.0).round() / 10.0;
    let line = json!({
        "time": time,
        "client": client,
        "method": method,
        "path": path,
        "status": status,
        "bytes": bytes,
        "first_byte_ms": millis(first_byte),
        "total_ms": millis(total),
        "route": route,
        "cache": cache,
        "stream": stream,
    });
    line.to_string()
}
