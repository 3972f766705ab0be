//! The gateway and nginx, each in front of the same server, with the same certificate.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::support::{Gateway, resident};

/// How long it may take until a server listens.
const AT_MOST: Duration = Duration::from_secs(10);

/// A server that strangers can reach. Dropping it ends it.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    /// Where it speaks HTTP.
    pub(crate) plain: SocketAddr,
    /// Where it speaks HTTPS.
    pub(crate) secure: SocketAddr,
    running: Running,
}

enum Running {
    Gateway(Gateway),
    Nginx(Child, TempDir),
}

/// A folder with a certificate and its key.
pub(crate) fn certificate() -> anyhow::Result<TempDir> {
    let folder = tempfile::tempdir()?;
    let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    std::fs::write(folder.path().join("tv.pem"), signed.cert.pem())?;
    std::fs::write(folder.path().join("tv.key"), signed.signing_key.serialize_pem())?;
    Ok(folder)
}

impl Server {
    pub(crate) async fn gateway(before: SocketAddr, certificate: &Path) -> anyhow::Result<Self> {
        let (folder, secure, tls) = (tempfile::tempdir()?, free()?, certificate.display());
        let config = format!(
            "listen: 127.0.0.1:0\nstate_dir: .\nupstream: {{url: \"http://{before}\"}}\n\
             tls: {{listen: \"{secure}\", certificate: {tls}/tv.pem, key: {tls}/tv.key}}\n"
        );
        std::fs::write(folder.path().join("gateway.yaml"), config)?;
        let gateway = Gateway::start(folder).await?;
        Ok(Self { name: "warmgate", plain: gateway.address, secure, running: Running::Gateway(gateway) })
    }

    pub(crate) async fn nginx(before: SocketAddr, certificate: &Path) -> anyhow::Result<Self> {
        let (folder, plain, secure) = (tempfile::tempdir()?, free()?, free()?);
        let (at, tls) = (folder.path().display(), certificate.display());
        let config = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log;
             events {{ worker_connections 2048; }}
             http {{
               access_log off; tcp_nodelay on; client_max_body_size 0;
               client_body_temp_path {at}/b; proxy_temp_path {at}/p; fastcgi_temp_path {at}/f;
               uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;
               upstream server {{ server {before}; keepalive 64; }}
               server {{
                 listen {plain};
                 listen {secure} ssl http2;
                 ssl_certificate {tls}/tv.pem; ssl_certificate_key {tls}/tv.key; ssl_protocols TLSv1.2 TLSv1.3;
                 location / {{
                   proxy_pass http://server; proxy_http_version 1.1;
                   proxy_buffering off; proxy_request_buffering off;
                   proxy_set_header Connection ''; proxy_set_header Host $http_host;
                 }}
               }}
             }}"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, config)?;
        let nginx = Command::new("nginx")
            .args(["-p".as_ref(), folder.path().as_os_str(), "-c".as_ref(), file.as_os_str()])
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("nginx is not installed")?;
        let begun = Instant::now();
        while TcpStream::connect(plain).is_err() {
            anyhow::ensure!(begun.elapsed() < AT_MOST, "nginx does not listen");
            sleep(Duration::from_millis(10)).await;
        }
        Ok(Self { name: "nginx", plain, secure, running: Running::Nginx(nginx, folder) })
    }

    /// Its resident set, in bytes.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        match &self.running {
            Running::Gateway(gateway) => gateway.resident(),
            Running::Nginx(nginx, _) => resident::of(nginx.id().context("nginx has ended")?),
        }
    }

    pub(crate) async fn stop(self) {
        match self.running {
            Running::Gateway(gateway) => gateway.stop().await,
            Running::Nginx(mut nginx, folder) => {
                let _ = nginx.kill().await;
                drop(folder);
            }
        }
    }
}

/// An address where nothing listens.
fn free() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
