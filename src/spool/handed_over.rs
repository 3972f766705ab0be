//! Hands extents over to another process of the gateway: their files have no names, so their descriptors travel.
//!
//! It does not know which pieces lie in them.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, mpsc};

use serde::{Deserialize, Serialize};

use crate::spool::extent::{Extent, Medium, Place};
use crate::spool::writer::Job;
use crate::spool::{Owner, Spool};
use domain::spool::ExtentId;

/// The extents that are handed over, each once.
#[derive(Debug, Default)]
pub struct Extents(Vec<Arc<Extent>>);

/// A place in one of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlaceParts {
    /// The extent, counted from 0.
    extent: usize,
    offset: u64,
    length: usize,
}

impl Extents {
    /// Notes the extent of a place.
    pub fn note(&mut self, place: &Place) -> PlaceParts {
        let (offset, length) = (place.offset, place.length);
        let known = self.0.iter().rposition(|known| Arc::ptr_eq(known, &place.extent));
        let extent = known.unwrap_or_else(|| {
            self.0.push(Arc::clone(&place.extent));
            self.0.len() - 1
        });
        PlaceParts { extent, offset, length }
    }

    /// Their descriptors, in their order.
    ///
    /// # Errors
    /// If the system has no descriptor left.
    pub fn descriptors(&self) -> io::Result<Vec<OwnedFd>> {
        self.0.iter().map(|extent| extent.descriptor()).collect()
    }
}

/// Extents that another process has handed over.
#[derive(Debug, Default)]
pub struct Adopted(Vec<Arc<Extent>>);

impl Adopted {
    /// The place that these parts mean.
    #[must_use]
    pub fn place(&self, parts: &PlaceParts) -> Option<Place> {
        let extent = Arc::clone(self.0.get(parts.extent)?);
        Some(Place::new(extent, parts.offset, parts.length))
    }
}

impl Place {
    /// The extent that it is in.
    #[must_use]
    pub fn extent(&self) -> ExtentId {
        self.extent.id()
    }
}

impl Spool {
    /// Goes on with the extents of another process. They take their part of the budget, and the oldest make room first.
    #[must_use]
    pub fn adopt(&self, descriptors: Vec<OwnedFd>) -> Adopted {
        let (adopted, extents) = mpsc::channel();
        for descriptor in descriptors {
            let medium: Box<dyn Medium> = Box::new(File::from(descriptor));
            // The thread lives as long as this spool.
            let _ = self.jobs.send(Job::Adopt { medium, adopted: adopted.clone() });
        }
        drop(adopted);
        Adopted(extents.into_iter().collect())
    }

    /// Tells whose an adopted extent is, and the last piece in it.
    pub fn owned(&self, place: &Place, piece: u64, owner: &Arc<dyn Owner>) {
        let (extent, owner) = (Arc::downgrade(&place.extent), Arc::downgrade(owner));
        let _ = self.jobs.send(Job::Owned { id: place.extent(), extent, piece, owner });
    }
}
