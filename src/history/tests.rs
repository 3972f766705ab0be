//! The history, with files and the writer's thread.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime};

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use domain::key::{Channel, ItemId, MediaSourceId, StreamKey};
use domain::pool::foresight::{KnownChannel, Remembered};
use domain::prediction::{ChannelKey, Prediction, Switch, ViewerKey};
use domain::profile::{Policy, ProfileKey};
use domain::reason::ZapOutcome;
use domain::time::Timestamp;
use domain::viewer::PlayerKey;

/// The test's file.
const PATH: &str = "WARMGATE_TEST_HISTORY";

fn settings(folder: &Path) -> Settings {
    let keep = Duration::from_secs(400 * 24 * 3600);
    Settings { path: folder.join("history-1.db"), keep, rows: 1_000_000, identify: false }
}

fn item(channel: u8) -> ItemId {
    ItemId::parse(&format!("{channel:032x}")).unwrap()
}

fn stream(channel: u8) -> StreamKey {
    let profile = ProfileKey::from_query([("VideoCodec", "h264")].into_iter(), false, Policy::UNRESTRICTED);
    let channel = Channel { item: item(channel), source: MediaSourceId::new("source") };
    StreamKey { channel, profile: profile.unwrap().key }
}

fn player(number: u64) -> PlayerKey {
    PlayerKey { user: Some(number), device: None }
}

/// So many milliseconds after an hour ago.
fn at(millis: u64) -> Timestamp {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_millis((now.as_secs() - 3600) / 60 * 60_000 + millis)
}

fn came(number: u64, channel: u8, how: Switch, at: Timestamp) -> Remembered {
    Remembered::Came { player: player(number), item: item(channel), how, at }
}

fn left(number: u64, at: Timestamp) -> Remembered {
    Remembered::Left { player: player(number), at }
}

fn zapped(number: u64, channel: u8, begun: Timestamp, outcome: ZapOutcome) -> Entry {
    let waited = Some(Duration::from_millis(350));
    Entry::Zapped(Zapped { player: player(number), item: item(channel), begun, waited, outcome, reason: "" })
}

impl History {
    fn remember(&self, all: impl IntoIterator<Item = Remembered>) {
        all.into_iter().for_each(|remembered| self.write(Entry::Remembered(remembered)));
    }

    async fn all(&self) -> Vec<Viewing> {
        self.written().await;
        self.read(Query { limit: 1000, ..Query::default() }).await.unwrap()
    }
}

#[tokio::test]
async fn the_next_process_begins_with_what_this_one_told() {
    let folder = TempDir::new().unwrap();
    let known = KnownChannel {
        opened: Some((Duration::from_millis(1234), at(5))),
        wait: Some(Duration::from_micros(4_567_890)),
        failures: Some((3, at(90_000))),
    };
    let told = vec![
        Remembered::Order(vec![item(2), item(1)]),
        Remembered::Channel(item(2), known),
        Remembered::Attempt(stream(3), at(3_700_000)),
        came(1, 1, Switch::On, at(1000)),
        came(2, 2, Switch::On, at(2000)),
        came(1, 2, Switch::Up, at(3000)),
        left(1, at(9000)),
        came(2, 1, Switch::Down, at(9500)),
        came(1, 2, Switch::On, at(60_000)),
        left(2, at(70_000)),
        left(1, at(80_000)),
    ];
    let (history, past) = History::open(settings(folder.path()), false).unwrap();
    assert_eq!(past.remembered, [Remembered::Order(Vec::new())]);
    history.remember(told.clone());
    history.write(Entry::Source(MediaSourceId::new("source"), "{}".to_owned()));
    history.written().await;
    drop(history);
    let (_, past) = History::open(settings(folder.path()), false).unwrap();
    assert_eq!(past.remembered, told);
    assert_eq!(past.sources, [(MediaSourceId::new("source"), "{}".to_owned())]);
}

#[tokio::test]
async fn a_viewing_knows_what_its_change_of_channel_met() {
    let folder = TempDir::new().unwrap();
    let (history, _) = History::open(settings(folder.path()), false).unwrap();
    history.remember([came(1, 1, Switch::On, at(1000))]);
    history.write(zapped(1, 1, at(400), ZapOutcome::Cold));
    // It opens the channel again that it watches.
    history.write(zapped(1, 1, at(5000), ZapOutcome::Hit));
    history.write(zapped(1, 2, at(7000), ZapOutcome::Conflict));
    history.write(zapped(1, 3, at(8000), ZapOutcome::Bypass));
    history.write(Entry::Channel(item(1), "One".to_owned(), Some("1".to_owned())));
    let all = history.all().await;
    let shown = all.iter().map(|viewing| {
        let Viewing { how, outcome, waited_ms, ended, .. } = viewing;
        (how.as_deref(), outcome.as_deref(), *waited_ms, ended.is_some())
    });
    let expected = [
        (None, Some("bypass"), Some(350), true),
        (None, Some("conflict"), Some(350), true),
        (Some("on"), Some("cold"), Some(350), false),
    ];
    assert_eq!(shown.collect::<Vec<_>>(), expected);
    let of_one = Query { limit: 9, channel: Some("One".to_owned()), ..Query::default() };
    assert_eq!(history.read(of_one).await.unwrap(), all[2..]);
    let before = Query { limit: 1, before: Some(tables::millis(at(8000))), ..Query::default() };
    assert_eq!(history.read(before).await.unwrap(), all[1..2]);
    let view = Connection::open(folder.path().join("history-1.db")).unwrap();
    let named: String =
        view.query_row("SELECT channel FROM viewings WHERE how = 'on'", [], |row| row.get(0)).unwrap();
    assert_eq!(named, "One");
}

#[tokio::test]
async fn who_watched_at_the_end_of_a_process_watches_on_only_in_its_successor() {
    let folder = TempDir::new().unwrap();
    let (old, _) = History::open(settings(folder.path()), false).unwrap();
    old.remember([came(1, 1, Switch::On, at(1000))]);
    old.written().await;
    let (new, past) = History::open(settings(folder.path()), true).unwrap();
    assert_eq!(past.remembered[1..], [came(1, 1, Switch::On, at(1000))]);
    // The old process hears of the zap, the new one of the next tune.
    new.remember([came(1, 2, Switch::Up, at(2000))]);
    old.write(zapped(1, 1, at(900), ZapOutcome::Cold));
    old.written().await;
    let all = new.all().await;
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!((all[1].ended, all[1].outcome.as_deref()), (Some(at(2000)), Some("cold")));
    assert_eq!(all[0].ended, None);
    drop((old, new));
    // As after a kill: the gateway was known to live until a moment ago.
    let (_, past) = History::open(settings(folder.path()), false).unwrap();
    let Some(Remembered::Left { at: left, .. }) = past.remembered.last() else { panic!("{past:?}") };
    assert!(*left > at(2000), "{left:?}");
}

#[tokio::test]
async fn an_end_in_order_ends_all_viewings() {
    let folder = TempDir::new().unwrap();
    let (history, _) = History::open(settings(folder.path()), false).unwrap();
    history.remember([came(1, 1, Switch::On, at(1000)), came(2, 1, Switch::On, at(1000))]);
    history.write(Entry::End(at(4000)));
    assert!(history.all().await.iter().all(|viewing| viewing.ended == Some(at(4000))));
}

#[tokio::test]
async fn a_damaged_file_is_set_aside() {
    let folder = TempDir::new().unwrap();
    let (settings, aside) = (settings(folder.path()), folder.path().join("history-1.damaged.db"));
    fs::write(&settings.path, "this is no database, and has never been one: ".repeat(100)).unwrap();
    let (history, past) = History::open(settings.clone(), false).unwrap();
    assert_eq!(past.remembered.len(), 1);
    assert!(fs::read_to_string(&aside).unwrap().starts_with("this is no database"));
    history.remember((0..200).map(|number| came(number, 1, Switch::On, at(number))));
    history.written().await;
    drop(history);
    // Damaged in the middle, as by a disk; the log of what was written is in the file by now.
    let connection = Connection::open(&settings.path).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(connection);
    let mut bytes = fs::read(&settings.path).unwrap();
    bytes[4096..].fill(0xa5);
    fs::write(&settings.path, &bytes).unwrap();
    let (history, past) = History::open(settings, false).unwrap();
    assert_eq!(past.remembered.len(), 1);
    assert_eq!(fs::read(&aside).unwrap(), bytes);
    history.remember([came(1, 1, Switch::On, at(0))]);
    assert_eq!(history.all().await.len(), 1, "the new one is written");
}

#[tokio::test]
async fn damage_while_it_runs_costs_what_was_before_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let settings = settings(folder.path());
    let (history, _) = History::open(settings.clone(), false).unwrap();
    history.remember((0..200).map(|number| came(number, 1, Switch::On, at(number))));
    history.written().await;
    let connection = Connection::open(&settings.path).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(connection);
    let length = fs::metadata(&settings.path).unwrap().len() as usize;
    fs::write(&settings.path, vec![0xa5; length]).unwrap();
    for number in 0..20 {
        history.remember([came(number, 2, Switch::On, at(1000))]);
        history.written().await;
    }
    assert!(folder.path().join("history-1.damaged.db").exists());
    assert!(history.all().await.iter().any(|viewing| viewing.item == item(2).as_str()));
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let settings = settings(folder.path());
    drop(History::open(settings.clone(), false).unwrap());
    let connection = Connection::open(&settings.path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(History::open(settings.clone(), false), Err(HistoryError::Newer(99))));
    let nowhere = Settings { path: settings.path.join("history-1.db"), ..settings };
    assert!(matches!(History::open(nowhere, false), Err(HistoryError::Io(_))));
}

/// Whoever writes is never held up: here the file is locked for as long as the test likes.
#[tokio::test]
async fn a_full_queue_loses_entries_and_counts_them() {
    let folder = TempDir::new().unwrap();
    let settings = settings(folder.path());
    let (history, _) = History::open(settings.clone(), false).unwrap();
    let locking = Connection::open(&settings.path).unwrap();
    locking.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begun = Instant::now();
    history.remember((0..5000).map(|number| came(1, 1, Switch::On, at(number))));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let lost = history.0.lost.load(Ordering::Relaxed);
    assert!(lost >= 5000 - 2 * QUEUE as u64 - 1, "{lost}");
    locking.execute_batch("ROLLBACK").unwrap();
    history.remember([came(2, 2, Switch::On, at(0))]);
}

#[tokio::test]
async fn what_is_too_old_or_too_much_goes() {
    let folder = TempDir::new().unwrap();
    let settings = Settings { rows: 10, ..settings(folder.path()) };
    let (history, _) = History::open(settings, false).unwrap();
    let before = |days: u64| at(0).before(Duration::from_secs(days * 24 * 3600));
    history.remember([came(1, 1, Switch::On, before(500)), came(1, 2, Switch::Up, before(399))]);
    let all = history.all().await;
    assert_eq!(all.iter().map(|viewing| viewing.item.as_str()).collect::<Vec<_>>(), [item(2).as_str()]);
    history.remember((0..30).map(|number| came(1, 3, Switch::On, at(number))));
    let all = history.all().await;
    assert_eq!(all.len(), 10);
    assert_eq!(all[0].began, at(29), "the newest stay");
}

#[tokio::test]
async fn names_stand_in_it_only_if_they_are_to() {
    let folder = TempDir::new().unwrap();
    let settings = settings(folder.path());
    let named = Settings { identify: true, ..settings.clone() };
    let files = || {
        let all = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let texts = all.map(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned());
        texts.collect::<String>()
    };
    let watch = async |settings: &Settings, at| {
        let (history, _) = History::open(settings.clone(), false).unwrap();
        let player = history.key().player(Some("user-of-ann"), Some("tv-of-ann"));
        history.name(player.user, || Some("Ann".to_owned()));
        history.name(player.device, || Some("tv-of-ann".to_owned()));
        history.remember([Remembered::Came { player, item: item(1), how: Switch::On, at }]);
        (player, history.all().await)
    };
    let (player, all) = watch(&settings, at(0)).await;
    assert_eq!(all[0].viewer, tables::print(player.user));
    for secret in ["Ann", "user-of-ann", "tv-of-ann"] {
        assert!(!files().contains(secret), "{secret}");
    }
    let (same, all) = watch(&named, at(1)).await;
    assert_eq!(same, player, "it is the same player");
    assert!(files().contains("tv-of-ann"), "the test sees what is written");
    assert!(all.iter().all(|viewing| viewing.viewer.as_deref() == Some("Ann")), "what was before, too");
    let of_ann = Query { limit: 9, viewer: Some("Ann".to_owned()), ..Query::default() };
    let (history, _) = History::open(named, false).unwrap();
    assert_eq!(history.read(of_ann.clone()).await.unwrap().len(), 2);
    drop(history);
    let (history, _) = History::open(settings, false).unwrap();
    assert!(history.read(of_ann).await.unwrap().is_empty());
    assert!(!files().contains("tv-of-ann"), "it is gone from the file");
}

#[test]
fn the_key_is_the_owners_alone_and_stays() {
    let folder = TempDir::new().unwrap();
    let settings = settings(folder.path());
    let first = History::open(settings.clone(), false).unwrap().0.key().player(Some("ann"), Some("tv"));
    let again = History::open(settings.clone(), false).unwrap().0.key().player(Some("ann"), Some("tv"));
    assert_eq!(first, again);
    assert_ne!(first.user, Key::passing(1).player(Some("ann"), None).user);
    assert_ne!(
        first.user,
        History::open(settings.clone(), false).unwrap().0.key().player(None, Some("ann")).device
    );
    for file in ["history-1.db", "history-1.key"] {
        let mode = fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

/// The other process of the next test.
#[test]
#[ignore = "it writes until it is killed"]
fn writes_until_it_is_killed() {
    let Some(path) = std::env::var_os(PATH) else { return };
    let (history, _) = History::open(settings(Path::new(&path)), false).unwrap();
    loop {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        history.remember([came(1, 1, Switch::On, Timestamp::after_start(now))]);
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_killed_process_loses_the_last_second() {
    let folder = TempDir::new().unwrap();
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args(["history::tests::writes_until_it_is_killed", "--exact", "--ignored"])
        .env(PATH, folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let path = settings(folder.path()).path;
    let count = || {
        let connection = Connection::open(&path).ok()?;
        connection.query_row("SELECT count(*) FROM viewing", [], |row| row.get::<_, i64>(0)).ok()
    };
    let begun = Instant::now();
    while count().is_none_or(|count| count < 100) {
        assert!(begun.elapsed() < Duration::from_secs(20), "it writes nothing");
        thread::sleep(Duration::from_millis(20));
    }
    let seen = count().unwrap();
    let killed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    writer.kill().unwrap();
    writer.wait().unwrap();
    let (_, past) = History::open(settings(folder.path()), false).unwrap();
    let connection = Connection::open(&path).unwrap();
    let whole: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(whole, "ok");
    let times = past.remembered.iter().filter_map(|remembered| match remembered {
        Remembered::Came { at, .. } => Some(at.elapsed()),
        Remembered::Order(_)
        | Remembered::Left { .. }
        | Remembered::Channel(..)
        | Remembered::Attempt(..) => None,
    });
    let times: Vec<_> = times.collect();
    assert!(times.len() as i64 >= seen);
    let lost = killed.saturating_sub(*times.last().unwrap());
    assert!(lost < Duration::from_secs(2), "{lost:?}");
}

/// The start, in a release build: `cargo test --release --lib a_million -- --ignored`.
#[test]
#[ignore = "it takes a while to write them"]
fn a_million_viewings_are_no_hindrance() {
    let folder = TempDir::new().unwrap();
    let settings = settings(folder.path());
    drop(History::open(settings.clone(), false).unwrap());
    let connection = Connection::open(&settings.path).unwrap();
    let viewings = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999999)
        INSERT INTO viewing (viewer, device, item, began, ended, how, waited_ms, outcome)
        SELECT printf('%016x', i % 5), printf('%016x', i % 7), printf('%032x', i * 31 % 150), ?1 + i * 30000,
            ?1 + i * 30000 + 30000, 'up', 350, 'hit' FROM n";
    let began = tables::millis(at(0)) - 1_000_000 * 30_000;
    connection.execute(viewings, [began]).unwrap();
    drop(connection);
    let opening = Instant::now();
    let (_, past) = History::open(settings, false).unwrap();
    let opened = opening.elapsed();
    let (mut prediction, mut channels) = (Prediction::default(), Vec::new());
    for remembered in &past.remembered {
        let Remembered::Came { player, item, at, .. } = remembered else { continue };
        let number = channels.iter().position(|known| known == item).unwrap_or_else(|| {
            channels.push(item.clone());
            channels.len() - 1
        });
        let viewer = ViewerKey(player.user.unwrap() as u32 * 7 + player.device.unwrap() as u32);
        prediction.tuned(viewer, ChannelKey(number as u32), *at, 20);
    }
    let began = opening.elapsed();
    assert!(began < Duration::from_secs(1), "opened in {opened:?}, all in {began:?}");
}
