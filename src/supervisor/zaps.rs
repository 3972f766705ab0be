//! Keeps the book of zaps on the pool's clock, has those remembered that are over, and tells whoever follows it.
//!
//! It costs a request for a segment nothing while no zap is under way. What a zap consists of is the domain's.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::supervisor::handle::Handle;
use crate::supervisor::remembering::Remembering;
use domain::key::ConsumerId;
use domain::reason::ZapOutcome;
use domain::time::Timestamp;
use domain::zap::{ZapBook, Zapper};

/// See the module. Clones share everything.
#[derive(Clone, Debug)]
pub struct Zaps(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    handle: Handle,
    remembering: Remembering,
    book: Mutex<ZapBook>,
    is_any_under_way: AtomicBool,
    /// How many are over.
    over: watch::Sender<u64>,
}

impl Zaps {
    pub(super) fn new(handle: Handle, remembering: Remembering, objective: Duration) -> Self {
        let (over, _) = watch::channel(0);
        Self(Arc::new(Shared {
            handle,
            remembering,
            book: Mutex::new(ZapBook::judging(objective)),
            is_any_under_way: AtomicBool::new(false),
            over,
        }))
    }

    /// The server has opened a channel, which its client asked for `ago`. `is_near` says that a stream of it ran.
    pub fn opened(&self, zapper: &Zapper, ago: Duration, is_near: bool) {
        self.note(|book, now| book.opened(zapper, now.before(ago), is_near, now));
    }

    /// A client that asked `ago` to open a channel was refused it.
    pub fn refused(&self, zapper: &Zapper, ago: Duration, why: (ZapOutcome, &'static str)) {
        self.note(|book, now| book.refused(zapper, now.before(ago), why, now));
    }

    /// A viewer that asked `ago` for its first list is given one of the gateway's.
    pub fn listed(&self, zapper: &Zapper, ago: Duration, what: (ConsumerId, ZapOutcome)) {
        self.note(|book, now| book.listed(zapper, now.before(ago), what, now));
    }

    /// A viewer that asked `ago` for a list got the server's own answer.
    pub fn passed_on(&self, zapper: &Zapper, ago: Duration, why: (ZapOutcome, &'static str)) {
        self.note_if_any(|book, now| book.passed_on(zapper, now.before(ago), why, now));
    }

    /// A viewer asks for a segment.
    pub fn segment_asked(&self, consumer: ConsumerId) {
        self.note_if_any(|book, now| book.segment_asked(consumer, now));
    }

    /// A viewer has been sent a segment.
    pub fn segment_sent(&self, consumer: ConsumerId) {
        self.note_if_any(|book, now| book.segment_sent(consumer, now));
    }

    /// A viewer that plays asks for its list.
    pub fn listed_again(&self, consumer: ConsumerId) {
        self.note_if_any(|book, now| book.listed_again(consumer, now));
    }

    /// Reads the book, in which no zap is left that should be over by now.
    pub fn read<T>(&self, read: impl FnOnce(&ZapBook) -> T) -> T {
        self.note(|book, now| {
            book.expire(now);
            read(book)
        })
    }

    /// How many zaps are over, now and whenever that changes.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.0.over.subscribe()
    }

    fn note_if_any(&self, note: impl FnOnce(&mut ZapBook, Timestamp)) {
        if self.0.is_any_under_way.load(Ordering::Relaxed) {
            self.note(note);
        }
    }

    fn note<T>(&self, note: impl FnOnce(&mut ZapBook, Timestamp) -> T) -> T {
        let now = self.0.handle.now();
        let mut book = self.0.book.lock().unwrap_or_else(PoisonError::into_inner);
        let before = book.count();
        let noted = note(&mut book, now);
        self.0.is_any_under_way.store(book.is_any_under_way(), Ordering::Relaxed);
        let over = book.count();
        let is_news = over > before && self.0.remembering.is_on();
        let news = if is_news { (over - before) as usize } else { 0 };
        let mut news: Vec<_> = book.over().rev().take(news).cloned().collect();
        drop(book);
        news.reverse();
        self.0.remembering.zapped(news);
        // Another may have told of more meanwhile.
        self.0.over.send_if_modified(|told| over > *told && std::mem::replace(told, over) != over);
        noted
    }
}
