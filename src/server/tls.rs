//! TLS of accepted connections: shows a certificate, and reads it again when its files change.
//!
//! It does not know who may do what: with an authority for clients, whoever has a certificate of its may connect.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{info, warn};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use crate::file_stamp::FileStamp;
use crate::wire::pem::{self, PemError};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(10);

/// A certificate that expires within this time is warned of.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// What TLS keeps of an answer that its client does not read, in bytes.
const KEPT: usize = 32 << 10;

/// Where the certificate is, its key, and the authority whose certificates clients must show.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate and those between it and the authority that the clients know.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// If it is given, clients without a certificate of this authority are refused.
    pub client_ca: Option<PathBuf>,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// Certificate and key are not fit for each other, or for TLS.
    #[error("{} cannot be used with {}: {cause}", .certificate.display(), .key.display())]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's.
        key: PathBuf,
        /// What is wrong.
        #[source]
        cause: rustls::Error,
    },
    /// The authority cannot be used for clients.
    #[error("{} cannot be used for clients: {cause}", .0.display(), cause = .1)]
    ClientCa(PathBuf, #[source] rustls::server::VerifierBuilderError),
    /// The library refuses the settings.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// Accepts TLS. Clones share the certificate.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    shown: Arc<Shown>,
    files: Arc<TlsFiles>,
    /// The files as they were before they were read.
    read: Stamps,
}

/// What tells that the files have changed.
type Stamps = [Option<FileStamp>; 2];

/// The certificate that is shown.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Tls {
    /// Reads the certificate from its files.
    ///
    /// # Errors
    /// If a file cannot be read, or what is in the files does not belong together.
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let read_at = stamps(&files);
        let shown = Arc::new(Shown(RwLock::new(Arc::new(read(&files, &provider)?))));
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = match &files.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(pem::certificates(path)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(
                    verifier.map_err(|cause| TlsError::ClientCa(path.clone(), cause))?,
                )
            }
        };
        let mut config = builder.with_cert_resolver(Arc::clone(&shown) as _);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            shown,
            files: Arc::new(files),
            read: read_at,
        })
    }

    /// When the certificate expires, if that can be read from it.
    #[must_use]
    pub fn expires(&self) -> Option<SystemTime> {
        let shown = Arc::clone(&self.shown.0.read().unwrap_or_else(PoisonError::into_inner));
        expires(&shown)
    }

    /// Whether the certificate expires soon, or has expired.
    #[must_use]
    pub fn expires_soon(&self, now: SystemTime) -> bool {
        self.expires().is_some_and(|at| at < now + SOON)
    }

    /// Speaks TLS on a connection.
    ///
    /// # Errors
    /// If the client does not, or has no certificate that it needs.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let mut stream = self.acceptor.accept(stream).await?;
        stream.get_mut().1.set_buffer_limit(Some(KEPT));
        Ok(stream)
    }

    /// Shows what is in the files whenever they have changed, for ever. What cannot be used is not shown: the log says why.
    pub(super) async fn follow(&self) {
        let mut seen = self.read;
        let mut complaint = String::new();
        let mut warned = false;
        loop {
            if !warned && self.expires_soon(SystemTime::now()) {
                warn!(certificate = %self.files.certificate.display(), "the certificate expires within two weeks, or has expired");
                warned = true;
            }
            sleep(LOOK).await;
            let now = stamps(&self.files);
            if now == seen {
                continue;
            }
            match read(&self.files, &aws_lc_rs::default_provider()) {
                Ok(certified) => {
                    *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
                    info!(certificate = %self.files.certificate.display(), "new connections get the new certificate");
                    (seen, warned) = (now, false);
                    complaint.clear();
                }
                // Of two files one may not be written yet, so they are tried again.
                Err(cause) if cause.to_string() != complaint => {
                    warn!(%cause, "the new certificate cannot be used; the gateway goes on with the old one");
                    complaint = cause.to_string();
                }
                Err(_) => {}
            }
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

fn read(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let chain = pem::certificates(&files.certificate)?;
    let key = pem::key(&files.key)?;
    CertifiedKey::from_der(chain, key, provider).map_err(|cause| TlsError::Pair {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        cause,
    })
}

fn expires(certified: &CertifiedKey) -> Option<SystemTime> {
    let certificate = Certificate::from_der(certified.cert.first()?).ok()?;
    Some(certificate.tbs_certificate.validity.not_after.to_system_time())
}

fn stamps(files: &TlsFiles) -> Stamps {
    [&files.certificate, &files.key].map(|path| FileStamp::of(path))
}
