//! The section `tls`, and what `upstream` says about TLS.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::config::errors::Report;
use crate::config::scalar;

/// The section `tls`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub(super) struct WrittenTls {
    #[serde(deserialize_with = "scalar::some")]
    listen: Option<SocketAddr>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    client_ca: Option<PathBuf>,
}

/// Where players are served over TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The address.
    pub listen: SocketAddr,
    /// The file with the certificate and those between it and the authority.
    pub certificate: PathBuf,
    /// The file with its private key.
    pub key: PathBuf,
    /// The file with the authority whose certificates players must show; `None`: they need none.
    pub client_ca: Option<PathBuf>,
}

/// Checks the section; paths are relative to `folder`.
pub(super) fn lower(written: WrittenTls, folder: &Path, report: &mut Report) -> Option<Tls> {
    let WrittenTls { listen, certificate, key, client_ca } = written;
    let of_folder = |path: PathBuf| folder.join(path);
    for (name, is_given) in [("tls.certificate", certificate.is_some()), ("tls.key", key.is_some())] {
        report.rule(
            is_given || listen.is_none(),
            name,
            &["tls.listen"],
            "is missing: write the path of a PEM file",
        );
    }
    let is_used = [&certificate, &key, &client_ca].iter().all(|path| path.is_none());
    let what = "is missing: write the address for HTTPS, as in 0.0.0.0:8920";
    report.rule(listen.is_some() || is_used, "tls.listen", &["tls"], what);
    Some(Tls {
        listen: listen?,
        certificate: of_folder(certificate?),
        key: of_folder(key?),
        client_ca: client_ca.map(of_folder),
    })
}

/// The files of the gateway's own certificate for the server: both or none.
pub(super) fn identity(
    (certificate, key): (Option<PathBuf>, Option<PathBuf>),
    folder: &Path,
    report: &mut Report,
) -> Option<(PathBuf, PathBuf)> {
    let both = [("upstream.certificate", certificate.is_some()), ("upstream.key", key.is_some())];
    for (name, is_given) in both {
        let holds = is_given || both.iter().all(|(_, is_given)| !is_given);
        report.rule(holds, name, &["upstream"], "is missing: certificate and key go together");
    }
    certificate.zip(key).map(|(certificate, key)| (folder.join(certificate), folder.join(key)))
}
