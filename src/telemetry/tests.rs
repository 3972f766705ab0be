//! What reaches the log, and what does not.

use std::io::Write;
use std::sync::{Arc, Mutex};

use super::*;

/// Keeps what was logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// What `say` logs in `format` under `level` and `RUST_LOG`.
fn logged(level: &str, rust_log: Option<&str>, format: Format, say: impl FnOnce()) -> String {
    let (lines, filter) = (Lines::default(), filter(level, rust_log).unwrap());
    let writer = lines.clone();
    let make = move || writer.clone();
    match format {
        Format::Text => tracing::subscriber::with_default(text(filter, make).0, say),
        Format::Json => tracing::subscriber::with_default(json(filter, make).0, say),
    }
    lines.text()
}

fn say() {
    tracing::info!(slots = 4, "ready");
    tracing::debug!("a detail");
}

#[test]
fn the_level_decides() {
    let lines = logged("info", None, Format::Text, say);
    assert!(lines.contains("ready slots=4") && !lines.contains("a detail"), "{lines}");
    assert_eq!(logged("error", None, Format::Text, say), "");
}

#[test]
fn rust_log_wins_unless_it_is_empty() {
    assert!(logged("error", Some("debug"), Format::Text, say).contains("a detail"));
    assert!(logged("info", Some(""), Format::Text, say).contains("ready"));
    assert!(filter("info", Some("warmgate=loud")).is_err());
}

#[test]
fn json_is_one_object_a_line() {
    let lines = logged("debug", None, Format::Json, say);
    let objects: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 2);
    assert_eq!(objects[0]["message"], "ready");
    assert_eq!(objects[0]["slots"], 4);
}
