//! A writer for log lines, which a test then reads.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

/// Log lines; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// All lines so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    /// Adds a line.
    pub(crate) fn line(&self, line: &str) {
        let mut text = self.0.lock().unwrap();
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
