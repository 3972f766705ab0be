//! What the file tells of the past, for a process that begins with it.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Connection, Row};

use crate::history::error::HistoryError;
use crate::history::tables::{fingerprint, moment};
use domain::key::{ItemId, MediaSourceId};
use domain::pool::foresight::{KnownChannel, Remembered};
use domain::prediction::Switch;
use domain::time::Timestamp;
use domain::viewer::PlayerKey;

/// How many viewings are recalled: more than anybody's habits rest on. While they are replayed in a hand-over, players wait.
const RECALLED: i64 = 10_000;
/// How many channels and sources.
const OTHERS: i64 = 4096;

/// What was remembered.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Of viewers and channels, in the order of time.
    pub remembered: Vec<Remembered>,
    /// What media sources carry.
    pub sources: Vec<(MediaSourceId, String)>,
}

impl Past {
    /// The channels in their order.
    pub(super) fn order(&self) -> Vec<ItemId> {
        let order = self.remembered.iter().find_map(|remembered| match remembered {
            Remembered::Order(items) => Some(items.clone()),
            Remembered::Came { .. }
            | Remembered::Left { .. }
            | Remembered::Channel(..)
            | Remembered::Attempt(..) => None,
        });
        order.unwrap_or_default()
    }
}

/// A row of the table `viewing`.
struct Viewed {
    player: PlayerKey,
    item: ItemId,
    how: Switch,
    began: Timestamp,
    ended: Option<Timestamp>,
}

/// Reads what was remembered, of the newest viewings.
pub(super) fn recall(connection: &Connection) -> Result<Past, HistoryError> {
    let order = rows(
        connection,
        "SELECT item FROM channel WHERE place IS NOT NULL ORDER BY place LIMIT ?",
        OTHERS,
        |row| item(row, 0),
    )?;
    let channels = rows(
        connection,
        "SELECT item, opening_ms, opened, wait_ms, failures, paused_until FROM channel
            WHERE opened IS NOT NULL OR wait_ms IS NOT NULL OR failures IS NOT NULL
            ORDER BY opened DESC LIMIT ?",
        OTHERS,
        |row| Ok(item(row, 0)?.zip(Some(known(row)?))),
    )?;
    let mut viewed = rows(
        connection,
        "SELECT viewer, device, item, how, began, ended FROM viewing WHERE how IS NOT NULL
            ORDER BY began DESC, id DESC LIMIT ?",
        RECALLED,
        viewed,
    )?;
    viewed.reverse();
    let sources =
        rows(connection, "SELECT source, facts FROM source ORDER BY seen DESC LIMIT ?", OTHERS, |row| {
            Ok(Some((MediaSourceId::new(row.get::<_, String>(0)?), row.get(1)?)))
        })?;
    let attempts = rows(connection, "SELECT stream, until FROM attempt LIMIT ?", OTHERS, |row| {
        let stream = serde_json::from_str(row.get_ref(0)?.as_str()?).ok();
        Ok(stream.zip(Some(moment(row.get(1)?))))
    })?;
    let attempts = attempts.into_iter().map(|(stream, until)| Remembered::Attempt(stream, until));
    let channels = channels.into_iter().map(|(item, known)| Remembered::Channel(item, known));
    let mut remembered = vec![Remembered::Order(order)];
    remembered.extend(channels);
    remembered.extend(attempts);
    remembered.extend(events(viewed));
    Ok(Past { remembered, sources })
}

/// What players did, in the order of time. Who tuned when it left has not switched off.
fn events(viewed: Vec<Viewed>) -> Vec<Remembered> {
    let mut events = Vec::with_capacity(viewed.len() * 2);
    let mut ended: BTreeMap<PlayerKey, Timestamp> = BTreeMap::new();
    let left = |player, at| (at, Remembered::Left { player, at });
    for Viewed { player, item, how, began, ended: end } in viewed {
        events.extend(ended.remove(&player).filter(|&at| at < began).map(|at| left(player, at)));
        events.push((began, Remembered::Came { player, item, how, at: began }));
        ended.extend(end.map(|end| (player, end)));
    }
    events.extend(ended.into_iter().map(|(player, at)| left(player, at)));
    events.sort_by_key(|(at, _)| *at);
    events.into_iter().map(|(_, event)| event).collect()
}

/// What `read` makes of the rows; those are left out that it makes nothing of, as a hand may have written them.
fn rows<T>(
    connection: &Connection,
    sql: &str,
    limit: i64,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<Option<T>>,
) -> Result<Vec<T>, HistoryError> {
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([limit], |row| read(row))?;
    let readable = rows.filter(|row| !row.as_ref().is_err_and(is_of_another_type));
    Ok(readable.filter_map(Result::transpose).collect::<Result<_, _>>()?)
}

/// Whether a value is not of the type that its column has.
const fn is_of_another_type(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
    )
}

fn viewed(row: &Row<'_>) -> rusqlite::Result<Option<Viewed>> {
    let print = |column| {
        Ok::<_, rusqlite::Error>(fingerprint(row.get_ref(column)?.as_str_or_null().unwrap_or_default()))
    };
    let player = PlayerKey { user: print(0)?, device: print(1)? };
    let how: String = row.get(3)?;
    let how = Switch::ALL.into_iter().find(|known| known.as_str() == how);
    let (began, ended) = (moment(row.get(4)?), row.get::<_, Option<i64>>(5)?.map(moment));
    Ok(item(row, 2)?.zip(how).map(|(item, how)| Viewed { player, item, how, began, ended }))
}

fn item(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<ItemId>> {
    Ok(ItemId::parse(row.get_ref(column)?.as_str()?))
}

fn known(row: &Row<'_>) -> rusqlite::Result<KnownChannel> {
    let span = |millis: i64| Duration::from_millis(u64::try_from(millis).unwrap_or_default());
    let opened = row.get::<_, Option<i64>>(1)?.map(span).zip(row.get::<_, Option<i64>>(2)?.map(moment));
    let wait = row.get::<_, Option<f64>>(3)?.and_then(|wait| Duration::try_from_secs_f64(wait / 1000.0).ok());
    let failures = row.get::<_, Option<u32>>(4)?.zip(row.get::<_, Option<i64>>(5)?.map(moment));
    Ok(KnownChannel { opened, wait, failures })
}
