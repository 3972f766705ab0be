//! Reads viewings for whoever looks at them, over a connection of its own.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, params};

use crate::history::error::HistoryError;
use crate::history::tables::moment;
use domain::time::Timestamp;

/// The most viewings that are read at a time.
const MOST: u32 = 1000;

/// Which viewings are asked for.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// How many at most; a thousand in any case.
    pub limit: u32,
    /// The viewer, by its name or its fingerprint.
    pub viewer: Option<String>,
    /// The channel, by its name or its item.
    pub channel: Option<String>,
    /// Those that began before, in milliseconds since 1970.
    pub before: Option<i64>,
}

/// A viewing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewing {
    /// The viewer: its name if names are kept, or else its fingerprint; `None` if it is not known.
    pub viewer: Option<String>,
    /// The device, in the same way.
    pub device: Option<String>,
    /// The channel's item.
    pub item: String,
    /// The channel's name, if it is known.
    pub channel: Option<String>,
    /// The channel's number.
    pub number: Option<String>,
    /// When it began.
    pub began: Timestamp,
    /// When it ended; `None` if it goes on.
    pub ended: Option<Timestamp>,
    /// How the viewer came; `None` if it was not served here.
    pub how: Option<String>,
    /// How long it waited, in milliseconds.
    pub waited_ms: Option<u64>,
    /// What it met.
    pub outcome: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// The newest viewings that are asked for, the newest first.
pub(super) fn read(path: &Path, query: &Query) -> Result<Vec<Viewing>, HistoryError> {
    let Query { limit, viewer, channel, before } = query;
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut statement = connection.prepare(
        "SELECT coalesce(viewers.name, viewer), coalesce(devices.name, device), viewing.item, channel.name, number,
            began, ended, how, waited_ms, outcome, reason
        FROM viewing
            LEFT JOIN person AS viewers ON viewers.fingerprint = viewer
            LEFT JOIN person AS devices ON devices.fingerprint = device
            LEFT JOIN channel USING (item)
        WHERE began < ?1 AND (?2 IS NULL OR viewer = ?2 OR viewers.name = ?2)
            AND (?3 IS NULL OR viewing.item = ?3 OR channel.name = ?3)
        ORDER BY began DESC, id DESC LIMIT ?4",
    )?;
    let before = before.unwrap_or(i64::MAX);
    let viewings = statement.query_map(params![before, viewer, channel, (*limit).min(MOST)], |row| {
        Ok(Viewing {
            viewer: row.get(0)?,
            device: row.get(1)?,
            item: row.get(2)?,
            channel: row.get(3)?,
            number: row.get(4)?,
            began: moment(row.get(5)?),
            ended: row.get::<_, Option<i64>>(6)?.map(moment),
            how: row.get(7)?,
            waited_ms: row.get::<_, Option<i64>>(8)?.and_then(|waited| waited.try_into().ok()),
            outcome: row.get(9)?,
            reason: row.get(10)?,
        })
    })?;
    Ok(viewings.collect::<Result<_, _>>()?)
}
