//! Who owns pieces in the spool.

use std::fmt::Debug;

use crate::spool::extent::Place;

/// The owner of pieces, which is told what becomes of them.
pub trait Owner: Debug + Send + Sync {
    /// A piece lies on disk.
    fn stored(&self, piece: u64, place: Place);

    /// A piece will be lost, or those on disk up to it are about to go.
    fn lost(&self, piece: u64);
}
