//! The file: opened or begun, set aside if it is damaged, and written one transaction at a time.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use tracing::warn;

use crate::history::entry::{Entry, Zapped};
use crate::history::error::HistoryError;
use crate::history::past::{self, Past};
use crate::history::tables::{TABLES, VERSION, millis, print, span};
use domain::key::ItemId;
use domain::pool::foresight::{KnownChannel, Remembered};
use domain::reason::ZapOutcome;
use domain::time::Timestamp;
use domain::viewer::PlayerKey;

/// How long another process that writes is waited for.
const BUSY: Duration = Duration::from_secs(2);
/// How many viewings are deleted at a time, and how many channels, names and sources are kept.
const DELETED: i64 = 5000;
const OTHERS: i64 = 10_000;
/// A viewing may have begun so long before its change of channel, by the reading of the clock.
const BLUR: Duration = Duration::from_millis(100);

/// How a history is kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file. The key of the fingerprints lies beside it.
    pub path: PathBuf,
    /// How long a viewing is kept.
    pub keep: Duration,
    /// How many are kept at most.
    pub rows: u32,
    /// Whether the names of users and devices are kept beside their fingerprints.
    pub identify: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct File {
    connection: Connection,
    settings: Settings,
    /// The channels in the order that the file has.
    order: Vec<ItemId>,
}

impl File {
    /// Opens the file, or begins it, and reads what it tells of the past.
    pub(super) fn open(settings: &Settings, follows: bool) -> Result<(Self, Past), HistoryError> {
        match Self::try_open(settings, follows) {
            Err(error) if error.is_damage() => {
                set_aside(&settings.path, &error)?;
                Self::try_open(settings, follows)
            }
            opened => opened,
        }
    }

    fn try_open(settings: &Settings, follows: bool) -> Result<(Self, Past), HistoryError> {
        // SQLite gives the files beside it the same mode.
        OpenOptions::new().create(true).append(true).mode(0o600).open(&settings.path)?;
        let mut connection = Connection::open(&settings.path)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        // What is committed outlives this process; the last seconds may be lost with the machine.
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.pragma_update(None, "secure_delete", "on")?;
        // Where another process writes, it is waited for.
        let writing = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        match writing.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))? {
            VERSION => {}
            0 => {
                writing.execute_batch(TABLES)?;
                writing.pragma_update(None, "user_version", VERSION)?;
            }
            newer => return Err(HistoryError::Newer(newer)),
        }
        if !follows {
            // Whoever watched until the last process ended, however it did, was last known to when that last wrote.
            writing.execute(
                "UPDATE viewing SET ended = max(began, coalesce((SELECT alive FROM gateway), began)) WHERE ended IS NULL",
                [],
            )?;
        }
        let forgotten = if settings.identify { 0 } else { writing.execute("DELETE FROM person", [])? };
        keep_few(&writing)?;
        writing.commit()?;
        if forgotten > 0 {
            // The names stand in the log of what was written, too.
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        }
        let past = past::recall(&connection)?;
        let order = past.order();
        Ok((Self { connection, settings: settings.clone(), order }, past))
    }

    /// Writes entries in one transaction. If the file turns out to be damaged, another one is begun with them.
    pub(super) fn write(&mut self, entries: &[Entry], now: Timestamp) -> Result<(), HistoryError> {
        match self.try_write(entries, now) {
            Err(error) if error.is_damage() => {
                set_aside(&self.settings.path, &error)?;
                *self = Self::try_open(&self.settings, true)?.0;
                self.try_write(entries, now)
            }
            written => written,
        }
    }

    fn try_write(&mut self, entries: &[Entry], now: Timestamp) -> Result<(), HistoryError> {
        let writing = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut order = None;
        for entry in entries {
            match entry {
                Entry::Remembered(Remembered::Order(items)) if *items == self.order => {}
                Entry::Remembered(Remembered::Order(items)) => {
                    put_in_order(&writing, items)?;
                    order = Some(items.clone());
                }
                Entry::Remembered(Remembered::Came { player, item, how, at }) => {
                    end(&writing, *player, *at)?;
                    let [viewer, device] = columns(*player);
                    writing.execute("INSERT OR IGNORE INTO channel (item) VALUES (?)", [item.as_str()])?;
                    writing.execute(
                        "INSERT INTO viewing (viewer, device, item, began, how) VALUES (?, ?, ?, ?, ?)",
                        params![viewer, device, item.as_str(), millis(*at), how.as_str()],
                    )?;
                }
                Entry::Remembered(Remembered::Left { player, at }) => end(&writing, *player, *at)?,
                Entry::Remembered(Remembered::Channel(item, known)) => know(&writing, item, known)?,
                Entry::Remembered(Remembered::Attempt(key, until)) => {
                    // What cannot be written as text is tried again.
                    let stream = serde_json::to_string(key).ok();
                    writing.execute("DELETE FROM attempt WHERE until < ?", [millis(now)])?;
                    writing.execute(
                        "INSERT OR REPLACE INTO attempt SELECT ?1, ?2 WHERE ?1 IS NOT NULL",
                        params![stream, millis(*until)],
                    )?;
                }
                Entry::Zapped(zapped) => meet(&writing, zapped)?,
                Entry::Channel(item, name, number) => {
                    writing.execute(
                        "INSERT INTO channel (item, name, number) VALUES (?, ?, ?) ON CONFLICT (item)
                        DO UPDATE SET name = excluded.name, number = excluded.number
                        WHERE name IS NOT excluded.name OR number IS NOT excluded.number",
                        params![item.as_str(), name, number],
                    )?;
                }
                Entry::Person(fingerprint, name) => {
                    writing.execute(
                        "INSERT OR REPLACE INTO person VALUES (?, ?)",
                        params![print(Some(*fingerprint)), name],
                    )?;
                }
                Entry::Source(source, facts) => {
                    writing.execute(
                        "INSERT OR REPLACE INTO source VALUES (?, ?, ?)",
                        params![source.as_str(), facts, millis(now)],
                    )?;
                }
                Entry::End(at) => {
                    let sql = "UPDATE viewing SET ended = max(began, ?) WHERE ended IS NULL";
                    writing.execute(sql, [millis(*at)])?;
                }
            }
        }
        writing.execute(
            "UPDATE gateway SET alive = ? WHERE EXISTS (SELECT 1 FROM viewing WHERE ended IS NULL)",
            [millis(now)],
        )?;
        delete_old(&writing, &self.settings, now)?;
        writing.commit()?;
        if let Some(order) = order {
            self.order = order;
        }
        Ok(())
    }
}

/// The columns of a player.
fn columns(player: PlayerKey) -> [Option<String>; 2] {
    [print(player.user), print(player.device)]
}

/// Whatever the player watched, it has left.
fn end(writing: &Transaction<'_>, player: PlayerKey, at: Timestamp) -> Result<(), HistoryError> {
    let [viewer, device] = columns(player);
    writing.execute(
        "UPDATE viewing SET ended = max(began, ?) WHERE ended IS NULL AND viewer IS ? AND device IS ?",
        params![millis(at), viewer, device],
    )?;
    Ok(())
}

/// Adds to a viewing what its change of channel has met. One that came to no viewing here is written as one without length.
fn meet(writing: &Transaction<'_>, zapped: &Zapped) -> Result<(), HistoryError> {
    let Zapped { player, item, begun, waited, outcome, reason } = zapped;
    let ([viewer, device], waited) = (columns(*player), waited.map(span));
    let reason = Some(*reason).filter(|reason| !reason.is_empty());
    let met = writing.execute(
        "UPDATE viewing SET waited_ms = ?1, outcome = ?2, reason = ?3 WHERE id = (
            SELECT id FROM viewing WHERE began >= ?4 AND viewer IS ?5 AND device IS ?6 AND item = ?7
                AND outcome IS NULL AND how IS NOT NULL ORDER BY began LIMIT 1)",
        params![waited, outcome.as_str(), reason, millis(begun.before(BLUR)), viewer, device, item.as_str()],
    )?;
    let is_here = match outcome {
        ZapOutcome::Hit | ZapOutcome::Joined | ZapOutcome::Near | ZapOutcome::Cold => true,
        ZapOutcome::Bypass | ZapOutcome::Conflict | ZapOutcome::Failed | ZapOutcome::Abandoned => false,
    };
    // Without a viewing, one that was served here has come to the channel that its player watched already.
    if met == 0 && !is_here {
        writing.execute(
            "INSERT INTO viewing (viewer, device, item, began, ended, waited_ms, outcome, reason)
            VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7)",
            params![viewer, device, item.as_str(), millis(*begun), waited, outcome.as_str(), reason],
        )?;
    }
    Ok(())
}

fn know(writing: &Transaction<'_>, item: &ItemId, known: &KnownChannel) -> Result<(), HistoryError> {
    let KnownChannel { opened, wait, failures } = known;
    writing.execute(
        "INSERT INTO channel (item, opening_ms, opened, wait_ms, failures, paused_until)
        VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (item) DO UPDATE SET opening_ms = excluded.opening_ms,
            opened = excluded.opened, wait_ms = excluded.wait_ms, failures = excluded.failures,
            paused_until = excluded.paused_until",
        params![
            item.as_str(),
            opened.map(|(took, _)| span(took)),
            opened.map(|(_, at)| millis(at)),
            wait.map(|wait| wait.as_secs_f64() * 1000.0),
            failures.map(|(count, _)| count),
            failures.map(|(_, until)| millis(until)),
        ],
    )?;
    Ok(())
}

fn put_in_order(writing: &Transaction<'_>, items: &[ItemId]) -> Result<(), HistoryError> {
    writing.execute("UPDATE channel SET place = NULL WHERE place IS NOT NULL", [])?;
    let mut put = writing.prepare(
        "INSERT INTO channel (item, place) VALUES (?, ?) ON CONFLICT (item) DO UPDATE SET place = excluded.place",
    )?;
    for (place, item) in (0_i64..).zip(items) {
        put.execute(params![item.as_str(), place])?;
    }
    Ok(())
}

/// Deletes viewings that are too old or too many, not too many at a time.
fn delete_old(writing: &Transaction<'_>, settings: &Settings, now: Timestamp) -> Result<(), HistoryError> {
    let oldest = millis(now.before(settings.keep));
    writing.execute(
        "DELETE FROM viewing WHERE id IN (SELECT id FROM viewing WHERE began < ? ORDER BY began LIMIT ?)",
        [oldest, DELETED],
    )?;
    writing.execute(
        "DELETE FROM viewing WHERE id <= (SELECT max(id) FROM viewing) - ?
            AND id < (SELECT min(id) FROM viewing) + ?",
        [i64::from(settings.rows), DELETED],
    )?;
    Ok(())
}

/// Bounds the other tables.
fn keep_few(writing: &Transaction<'_>) -> Result<(), HistoryError> {
    for sql in [
        "DELETE FROM channel WHERE (SELECT count(*) FROM channel) > ?1 AND place IS NULL
            AND item NOT IN (SELECT item FROM viewing)",
        "DELETE FROM source WHERE source IN (SELECT source FROM source ORDER BY seen DESC LIMIT -1 OFFSET ?1)",
        "DELETE FROM person WHERE (SELECT count(*) FROM person) > ?1",
    ] {
        writing.execute(sql, [OTHERS])?;
    }
    Ok(())
}

/// Sets a damaged file aside, in the place of one that was before.
fn set_aside(path: &Path, why: &HistoryError) -> Result<(), HistoryError> {
    let aside = path.with_extension("damaged.db");
    warn!(
        file = %path.display(), aside = %aside.display(), %why,
        "the history is damaged: it is set aside, and another one is begun"
    );
    fs::rename(path, &aside)?;
    for ending in ["-wal", "-shm"] {
        let beside = |path: &Path| PathBuf::from(format!("{}{ending}", path.display()));
        match fs::rename(beside(path), beside(&aside)) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // One of an earlier damage would not fit.
                let _ = fs::remove_file(beside(&aside));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
