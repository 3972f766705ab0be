//! The spool on a real disk, and on disks that fail.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::os::fd::OwnedFd;
use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::background;
use crate::spool::extent::Medium;

/// What an owner was told, and what it keeps.
#[derive(Debug)]
struct Kept {
    places: Mutex<BTreeMap<u64, Place>>,
    told: mpsc::Sender<(u64, bool)>,
}

impl Owner for Kept {
    fn stored(&self, piece: u64, place: Place) {
        self.places.lock().unwrap().insert(piece, place);
        self.told.send((piece, true)).unwrap();
    }

    fn lost(&self, piece: u64) {
        self.told.send((piece, false)).unwrap();
    }
}

fn owner() -> (Arc<Kept>, mpsc::Receiver<(u64, bool)>) {
    let (told, tells) = mpsc::channel();
    (Arc::new(Kept { places: Mutex::default(), told }), tells)
}

fn bytes_of(piece: u64) -> Bytes {
    let size = 100_000 + usize::try_from(piece).unwrap() * 17;
    Bytes::from(vec![u8::try_from(piece % 251).unwrap(); size])
}

/// The files in a folder, as far as they have names.
fn names(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn what_is_stored_can_be_read_and_has_no_name() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(&folder.path().join("spool"), 64 << 20).unwrap();
    let (kept, tells) = owner();
    let roll = spool.roll();
    for piece in 0..50 {
        roll.store(piece, bytes_of(piece), Arc::clone(&kept) as Arc<dyn Owner>);
    }
    assert!((0..50).all(|piece| tells.recv().unwrap() == (piece, true)));
    for (piece, place) in kept.places.lock().unwrap().iter() {
        assert_eq!(place.read().unwrap(), bytes_of(*piece), "{piece}");
    }
    assert_eq!(names(&folder.path().join("spool")), 0);
    assert_eq!(spool.figures.queued.load(Ordering::Relaxed), 0);
}

#[test]
fn the_oldest_make_room_for_new_ones_within_the_budget() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path(), 16 << 20).unwrap();
    let (kept, tells) = owner();
    let roll = spool.roll();
    let (mut lost, mut stored) = (0, 0);
    for piece in 0..400 {
        roll.store(piece, bytes_of(piece), Arc::clone(&kept) as Arc<dyn Owner>);
        loop {
            let (told, is_stored) = tells.recv().unwrap();
            if is_stored {
                stored += 1;
                assert_eq!(told, piece);
                break;
            }
            // It asks for what is older to go, and gets its space.
            lost += 1;
            let mut places = kept.places.lock().unwrap();
            *places = places.split_off(&(told + 1));
            if told == piece {
                break;
            }
        }
        let held: usize = kept.places.lock().unwrap().keys().map(|piece| bytes_of(*piece).len()).sum();
        assert!(held <= 16 << 20, "{held} bytes");
    }
    assert!(stored >= 395 && lost > 20, "{stored} stored, {lost} times lost");
}

/// Another process of the gateway goes on with what lies in the spool, and shares its budget.
#[test]
fn what_another_process_has_stored_can_be_read_and_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let [old, new] = [(); 2].map(|()| Spool::open(folder.path(), 16 << 20).unwrap());
    let (kept, tells) = owner();
    let roll = old.roll();
    for piece in 0..50 {
        roll.store(piece, bytes_of(piece), Arc::clone(&kept) as Arc<dyn Owner>);
        assert_eq!(tells.recv().unwrap(), (piece, true));
    }
    let mut extents = handed_over::Extents::default();
    let parts: Vec<_> = kept.places.lock().unwrap().values().map(|place| extents.note(place)).collect();
    let adopted = new.adopt(extents.descriptors().unwrap());
    kept.places.lock().unwrap().clear();
    drop((extents, roll, old));

    let (heir, tells) = owner();
    for (piece, parts) in (0..).zip(&parts) {
        let place = adopted.place(parts).unwrap();
        assert_eq!(place.read().unwrap(), bytes_of(piece), "{piece}");
        new.owned(&place, piece, &(Arc::clone(&heir) as Arc<dyn Owner>));
    }
    let roll = new.roll();
    let mut lost = None;
    for piece in 50..200 {
        roll.store(piece, bytes_of(piece), Arc::clone(&heir) as Arc<dyn Owner>);
        while let (told, false) = tells.recv().unwrap() {
            lost = lost.or(Some(told));
        }
    }
    assert!(lost.is_some_and(|lost| lost < 50), "the oldest go first: {lost:?}");
}

/// A disk that is full after half a megabyte.
#[derive(Debug)]
struct Full;

impl Medium for Full {
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if offset + bytes.len() as u64 > 500_000 { Err(Error::from(ErrorKind::StorageFull)) } else { Ok(()) }
    }

    fn read(&self, _: &mut [u8], _: u64) -> io::Result<()> {
        Err(Error::other("an I/O error"))
    }

    fn clear(&self) -> io::Result<()> {
        Ok(())
    }

    fn descriptor(&self) -> io::Result<OwnedFd> {
        Err(Error::from(ErrorKind::Unsupported))
    }
}

/// What the writer dies of.
#[derive(Debug)]
struct Deadly;

impl Medium for Deadly {
    fn write(&self, _: &[u8], _: u64) -> io::Result<()> {
        panic!("as a test")
    }

    fn read(&self, _: &mut [u8], _: u64) -> io::Result<()> {
        Ok(())
    }

    fn clear(&self) -> io::Result<()> {
        Ok(())
    }

    fn descriptor(&self) -> io::Result<OwnedFd> {
        Err(Error::from(ErrorKind::Unsupported))
    }
}

/// Lists then reach no farther than to what is in memory, and nothing piles up there.
#[test]
fn what_the_writer_dies_of_is_lost_and_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::with(folder.path(), 64 << 20, |_| Ok(Box::new(Deadly))).unwrap();
    let (kept, tells) = owner();
    let roll = spool.roll();
    let before = background::deaths("the spool's writer");
    for piece in 0..4 {
        roll.store(piece, bytes_of(piece), Arc::clone(&kept) as Arc<dyn Owner>);
        assert_eq!(tells.recv_timeout(Duration::from_secs(40)), Ok((piece, false)));
    }
    assert_eq!(background::deaths("the spool's writer"), before + 1, "the disk is left alone for a while");
    assert_eq!(spool.figures.queued.load(Ordering::Relaxed), 0);
}

#[test]
fn a_disk_that_is_full_or_broken_loses_pieces_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::with(folder.path(), 64 << 20, |_| Ok(Box::new(Full))).unwrap();
    let (kept, tells) = owner();
    let roll = spool.roll();
    for piece in 0..8 {
        roll.store(piece, bytes_of(piece), Arc::clone(&kept) as Arc<dyn Owner>);
    }
    let told: Vec<_> = (0..8).map(|_| tells.recv().unwrap()).collect();
    assert_eq!(told, (0..8).map(|piece| (piece, piece < 4)).collect::<Vec<_>>());
    assert!(kept.places.lock().unwrap()[&0].read().is_err());
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(Spool::open(&file.path().join("spool"), 1 << 30).is_err());
}
