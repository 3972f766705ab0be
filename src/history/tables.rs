//! The tables, as docs/history.md tells them, and how values are written into them.

use std::time::Duration;

use domain::time::Timestamp;

/// The version of the tables. Another number needs a step from each earlier one (`file`).
pub(super) const VERSION: i64 = 1;

/// Makes all tables.
pub(super) const TABLES: &str = "
CREATE TABLE viewing (
    id INTEGER PRIMARY KEY,
    viewer TEXT,
    device TEXT,
    item TEXT NOT NULL,
    began INTEGER NOT NULL,
    ended INTEGER,
    how TEXT,
    waited_ms INTEGER,
    outcome TEXT,
    reason TEXT
);
CREATE INDEX viewing_began ON viewing (began);
CREATE INDEX viewing_open ON viewing (viewer, device) WHERE ended IS NULL;
CREATE TABLE channel (
    item TEXT PRIMARY KEY,
    name TEXT,
    number TEXT,
    place INTEGER,
    opening_ms INTEGER,
    opened INTEGER,
    wait_ms REAL,
    failures INTEGER,
    paused_until INTEGER
) WITHOUT ROWID;
CREATE TABLE person (fingerprint TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE source (source TEXT PRIMARY KEY, facts TEXT NOT NULL, seen INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE attempt (stream TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE gateway (alive INTEGER);
INSERT INTO gateway VALUES (NULL);
CREATE VIEW viewings AS
SELECT viewing.id,
    datetime(began / 1000, 'unixepoch', 'localtime') AS began,
    datetime(ended / 1000, 'unixepoch', 'localtime') AS ended,
    (ended - began) / 1000.0 AS seconds,
    coalesce(viewers.name, viewer) AS viewer,
    coalesce(devices.name, device) AS device,
    coalesce(channel.name, viewing.item) AS channel,
    how, waited_ms, outcome, reason
FROM viewing
    LEFT JOIN person AS viewers ON viewers.fingerprint = viewer
    LEFT JOIN person AS devices ON devices.fingerprint = device
    LEFT JOIN channel USING (item);
";

/// A moment, in milliseconds.
pub(super) fn millis(at: Timestamp) -> i64 {
    span(at.elapsed())
}

/// A span, in milliseconds.
pub(super) fn span(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// The moment that was written as this.
pub(super) fn moment(millis: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(millis).unwrap_or_default())
}

/// A fingerprint as it is written.
pub(super) fn print(fingerprint: Option<u64>) -> Option<String> {
    fingerprint.map(|print| format!("{print:016x}"))
}

/// The fingerprint that was written as this.
pub(super) fn fingerprint(print: Option<&str>) -> Option<u64> {
    u64::from_str_radix(print?, 16).ok()
}
