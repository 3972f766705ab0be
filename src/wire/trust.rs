//! Which servers a connection over TLS may reach, and who the gateway is to them.

use std::path::PathBuf;
use std::sync::Arc;

use hyper_rustls::ConfigBuilderExt as _;
use rustls::client::WantsClientCert;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

use crate::wire::pem::{self, PemError};

/// Whose certificates a server may show, and the certificate that is shown to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// The file with the authorities; `None`: those of the system (`SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured).
    pub authority: Option<PathBuf>,
    /// The files of a certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Why no connection over TLS can be made.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file cannot be read.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// Certificate and key are not fit for each other.
    #[error("{} cannot be used: {cause}", .0.display(), cause = .1)]
    Identity(PathBuf, #[source] rustls::Error),
}

/// What rustls needs to reach servers.
#[derive(Clone, Debug)]
pub struct ClientTls(pub(super) ClientConfig);

impl ClientTls {
    /// For servers that are not reached over TLS: no certificate is accepted.
    #[must_use]
    pub fn unneeded() -> Self {
        Self(builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth())
    }

    /// For servers with a certificate that the system trusts.
    #[must_use]
    pub fn of_system() -> Self {
        Self(system_roots().with_no_client_auth())
    }

    /// For servers that `trust` allows.
    ///
    /// # Errors
    /// If a file cannot be read, or certificate and key are not fit for each other.
    pub fn of(trust: &Trust) -> Result<Self, TrustError> {
        let builder = match &trust.authority {
            None => system_roots(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(pem::certificates(path)?);
                builder().with_root_certificates(roots)
            }
        };
        let Some((certificate, key)) = &trust.identity else {
            return Ok(Self(builder.with_no_client_auth()));
        };
        let config = builder.with_client_auth_cert(pem::certificates(certificate)?, pem::key(key)?);
        config.map(Self).map_err(|cause| TrustError::Identity(certificate.clone(), cause))
    }
}

fn builder() -> ConfigBuilder<ClientConfig, WantsVerifier> {
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider supports the default versions")
}

fn system_roots() -> ConfigBuilder<ClientConfig, WantsClientCert> {
    builder().with_native_roots().unwrap_or_else(|error| {
        tracing::error!(%error, "the system has no trusted certificates, so every server's certificate will be refused");
        builder().with_root_certificates(RootCertStore::empty())
    })
}
