//! Reads certificates and keys from PEM files (RFC 7468).

use std::path::{Path, PathBuf};

use rustls::pki_types::pem::{Error, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// It cannot be read.
    #[error("cannot read {}: {cause}", .0.display(), cause = .1)]
    File(PathBuf, #[source] Error),
    /// It has no certificate.
    #[error("{} has no certificate", .0.display())]
    NoCertificate(PathBuf),
    /// It has no private key.
    #[error("{} has no private key", .0.display())]
    NoKey(PathBuf),
}

/// All certificates in a file.
///
/// # Errors
/// If it cannot be read, or has none.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let unreadable = |cause| PemError::File(path.to_owned(), cause);
    let all = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
    let all: Vec<_> = all.collect::<Result<_, _>>().map_err(unreadable)?;
    if all.is_empty() { Err(PemError::NoCertificate(path.to_owned())) } else { Ok(all) }
}

/// The first private key in a file.
///
/// # Errors
/// If it cannot be read, or has none.
pub(crate) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, PemError> {
    PrivateKeyDer::from_pem_file(path).map_err(|cause| match cause {
        Error::NoItemsFound => PemError::NoKey(path.to_owned()),
        cause => PemError::File(path.to_owned(), cause),
    })
}
