//! The access log, written to real files.

use std::fs;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use super::*;

fn entry(path: &str) -> Entry {
    Entry {
        at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_234),
        client: Some([192, 0, 2, 1].into()),
        method: "GET".to_owned(),
        path: path.to_owned(),
        status: 200,
        bytes: 12,
        first_byte: Duration::from_micros(1_300),
        total: Duration::from_millis(20),
        route: "segment",
        cache: Some("gate; hit".to_owned()),
        stream: None,
    }
}

/// The lines of a file, once there are so many.
fn lines(path: &std::path::Path, count: usize) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        if text.lines().count() >= count && text.ends_with('\n') {
            return text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{text}");
        thread::yield_now();
    }
}

#[test]
fn a_request_is_a_line_of_json() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    fs::write(&path, "{}\n").unwrap();
    let log = AccessLog::open(&Destination::File(path.clone())).unwrap();
    log.add(entry("/a \"b\"\n"));
    let line = &lines(&path, 2)[1];
    assert_eq!((&line["time"], &line["client"]), (&"1970-01-01T00:00:01.234Z".into(), &"192.0.2.1".into()));
    assert_eq!((&line["path"], &line["status"]), (&"/a \"b\"\n".into(), &200.into()));
    assert_eq!((&line["first_byte_ms"], &line["total_ms"]), (&1.3.into(), &20.0.into()));
    assert_eq!((&line["cache"], &line["stream"]), (&"gate; hit".into(), &Value::Null));
    assert_eq!(log.dropped(), 0);
}

#[test]
fn a_file_that_was_moved_away_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
    let log = AccessLog::open(&Destination::File(path.clone())).unwrap();
    log.add(entry("/1"));
    lines(&path, 1);
    fs::rename(&path, &moved).unwrap();
    log.reopen();
    log.add(entry("/2"));
    assert_eq!((&lines(&path, 1)[0]["path"], &lines(&moved, 1)[0]["path"]), (&"/2".into(), &"/1".into()));
}

#[test]
fn what_nobody_writes_is_dropped_and_counted() {
    let (entries, _nobody) = sync_channel(1);
    let (dropped, reopens) = (AtomicU64::new(0), Arc::default());
    let log = AccessLog(Arc::new(Shared { entries, dropped, reopens }));
    for path in ["/1", "/2", "/3"] {
        log.add(entry(path));
    }
    assert_eq!(log.dropped(), 2);
}
