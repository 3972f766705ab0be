//! What it costs that lists reach back for two hours: the time and bytes of a poll beside those of a list that slides, the
//! memory while the spool is filled beyond its budget, the time to read a segment at any of 500 places in it, and whether 500 viewers
//! at 500 places get each segment in time.
//!
//! No network: what a request costs besides is in `benches/crowd.rs`. `cargo bench --bench rewind -- evening` fills 8 GiB with two hours of
//! eight streams of 8 Mbit/s, 58 GB.

#[path = "support/resident.rs"]
mod resident;

use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::time::Timestamp;
use domain::window::{Arrival, JoinPoint, ListLengths, Listing, Promise, Window};
use warmgate::spool::{Owner, Place, Spool};

const PIECE: Duration = Duration::from_millis(500);
const SHORT: Duration = Duration::from_secs(30);
const LONG: Duration = Duration::from_secs(2 * 3600);
const ROUNDS: u32 = 300;
/// The disk space of the spool, and the bytes that are stored in it.
const USUAL: (u64, u64) = (1 << 30, 2 << 30);
const EVENING: (u64, u64) = (8 << 30, 8 * 7200 * 1_000_000);
const STREAMS: usize = 8;
const PLACES: usize = 500;
/// Two hours of 1 Mbit/s, and how long 500 viewers play in it.
const PACED: (usize, usize) = (14_400, 62_500);
const PLAYED: Duration = Duration::from_secs(20);
/// How many of them are served at a time: fewer than the gateway's threads for files.
const THREADS: usize = 16;

fn main() -> anyhow::Result<()> {
    let is_evening = std::env::args().any(|word| word == "evening");
    lists();
    spool(Path::new("target"), if is_evening { EVENING } else { USUAL })?;
    paced(Path::new("target"))
}

/// A window of a stream that has gone on for as long as its lists reach back, with a key frame each two seconds.
fn window(length: Duration) -> (Window<()>, [JoinPoint; 2]) {
    let promise = Promise::Pieces { target: Duration::from_secs(1), group: Duration::from_secs(2) };
    let mut window = Window::new(230_334_702, promise, ListLengths { least: SHORT, most: LONG });
    let mut starts = None;
    for number in 0..u32::try_from(length.as_millis() / PIECE.as_millis()).unwrap_or(u32::MAX) {
        let independent = number % 4 == 0;
        // As a source of 25 pictures a second is cut.
        let duration = Duration::from_millis(if number % 2 == 0 { 480 } else { 520 });
        let arrival = Arrival { duration, discontinuity: false, independent, ends_group: number % 4 == 3 };
        window.push(arrival, (), 0, (Timestamp::after_start(PIECE * number), PIECE * number));
        if starts.is_none() {
            starts = window.join(Listing::Fine, SHORT, None).zip(window.join(Listing::Keyed, SHORT, None));
            window.reached([starts.map(|(fine, _)| fine.sequence), starts.map(|(_, keyed)| keyed.sequence)]);
        }
    }
    let (fine, keyed) = starts.expect("a list");
    (window, [fine, keyed])
}

fn lists() {
    println!("A poll                     µs   µs gzip     bytes  bytes gzip");
    for (name, length) in [("30 s", SHORT), ("2 h", LONG)] {
        let (window, starts) = window(length);
        for start in starts {
            let timed = |poll: &dyn Fn() -> Option<Bytes>| {
                let begun = Instant::now();
                let bytes =
                    (0..ROUNDS).map(|_| poll().map_or(0, |bytes| bytes.len())).max().unwrap_or_default();
                (begun.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS), bytes)
            };
            let (plain, bytes) = timed(&|| Some(window.text(start, true).plain()));
            let (gzip, gzipped) = timed(&|| window.text(start, true).gzipped());
            let listing = start.listing.as_str();
            println!("{name:>5} {listing:<10} {plain:>12.1} {gzip:>9.1} {bytes:>9} {gzipped:>11}");
        }
    }
}

/// Keeps the newest pieces, as a window does.
#[derive(Debug)]
struct Kept {
    places: Mutex<Vec<(u64, Place)>>,
    told: mpsc::Sender<()>,
}

impl Owner for Kept {
    fn stored(&self, piece: u64, place: Place) {
        self.places.lock().expect("no panic").push((piece, place));
        let _ = self.told.send(());
    }

    fn lost(&self, piece: u64) {
        let mut places = self.places.lock().expect("no panic");
        let is_newest = places.last().is_none_or(|(kept, _)| *kept < piece);
        places.retain(|(kept, _)| *kept > piece);
        // Each piece is waited for once, and older ones that make room for it are not.
        if is_newest {
            let _ = self.told.send(());
        }
    }
}

fn spool(folder: &Path, (budget, bytes): (u64, u64)) -> anyhow::Result<()> {
    let spool = Spool::open(folder, budget)?;
    let (told, tells) = mpsc::channel();
    let kept: Vec<_> =
        (0..STREAMS).map(|_| Arc::new(Kept { places: Mutex::default(), told: told.clone() })).collect();
    let rolls: Vec<_> = (0..STREAMS).map(|_| spool.roll()).collect();
    // Half a second of 8 Mbit/s.
    let piece = Bytes::from(vec![0x47; 500_000]);
    let before = resident::of(std::process::id())?;
    let begun = Instant::now();
    let (mut most, mut written) = (before, 0);
    while written < bytes {
        for (roll, kept) in rolls.iter().zip(&kept) {
            roll.store(written, piece.clone(), Arc::clone(kept) as Arc<dyn Owner>);
            tells.recv()?;
            written += piece.len() as u64;
        }
        most = most.max(resident::of(std::process::id())?);
    }
    let speed = written as f64 / begun.elapsed().as_secs_f64() / 1e6;
    let held: usize = kept.iter().map(|kept| kept.places.lock().expect("no panic").len() * piece.len()).sum();
    println!("\n{STREAMS} streams into a spool of {} MiB: {:.0} MB/s", budget >> 20, speed);
    println!("on disk {} MiB; resident {} → {} MiB", held >> 20, before >> 20, most >> 20);
    let places: Vec<Place> = kept
        .iter()
        .flat_map(|kept| {
            kept.places.lock().expect("no panic").iter().map(|(_, place)| place.clone()).collect::<Vec<_>>()
        })
        .collect();
    let mut took: Vec<_> = (0..PLACES)
        .map(|at| {
            let begun = Instant::now();
            places[at * places.len() / PLACES].read().map(|_| begun.elapsed())
        })
        .collect::<Result<_, _>>()?;
    took.sort();
    println!(
        "a piece read at {PLACES} places: median {:.2?}, slowest {:.2?}",
        took[PLACES / 2],
        took[PLACES - 1]
    );
    Ok(())
}

/// 500 viewers at 500 places in two hours of one stream, each of whom reads half a second in each half second.
fn paced(folder: &Path) -> anyhow::Result<()> {
    let (pieces, bytes) = PACED;
    let spool = Spool::open(folder, 2 << 30)?;
    let (told, tells) = mpsc::channel();
    let kept = Arc::new(Kept { places: Mutex::default(), told });
    let roll = spool.roll();
    let piece = Bytes::from(vec![0x47; bytes]);
    for number in 0..pieces as u64 {
        roll.store(number, piece.clone(), Arc::clone(&kept) as Arc<dyn Owner>);
        tells.recv()?;
    }
    let places: Vec<Place> =
        kept.places.lock().expect("no panic").iter().map(|(_, place)| place.clone()).collect();
    let begun = Instant::now();
    let late = std::thread::scope(|threads| {
        let served = |thread: usize| {
            let mut late = Vec::new();
            for turn in 0..PLAYED.div_duration_f64(PIECE) as usize {
                for viewer in (thread..PLACES).step_by(THREADS) {
                    // They have tuned in one after another.
                    let due = PIECE * u32::try_from(turn).unwrap_or(0)
                        + PIECE * u32::try_from(viewer).unwrap_or(0) / PLACES as u32;
                    std::thread::sleep(due.saturating_sub(begun.elapsed()));
                    places[(viewer * places.len() / PLACES + turn) % places.len()].read()?;
                    late.push(begun.elapsed().saturating_sub(due));
                }
            }
            Ok::<_, std::io::Error>(late)
        };
        let threads: Vec<_> = (0..THREADS).map(|thread| threads.spawn(move || served(thread))).collect();
        let late: Result<Vec<_>, _> =
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect();
        late
    })?;
    let mut late: Vec<_> = late.into_iter().flatten().collect();
    late.sort();
    println!(
        "{PLACES} viewers at {PLACES} places in 2 h: {} pieces, median {:.2?} after they were due, latest {:.2?}",
        late.len(),
        late[late.len() / 2],
        late[late.len() - 1]
    );
    Ok(())
}
