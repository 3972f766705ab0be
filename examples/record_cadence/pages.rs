//! The pages of the browser's players, served from memory and from a folder of npm packages.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::service::service_fn;
use jellyfin_alike::{Origin, User};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::fs;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use warmgate::body::{self, Body, BoxError};
use warmgate::demo::page::Page;
use warmgate::server::{Listener, Upload};
use warmgate::supervisor::Supervisor;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Web {
    Hlsjs,
    Shaka,
    Videojs,
    /// Chromium's own HLS.
    Native,
    /// The demonstration's player, which reports as jellyfin-web does.
    Page,
}

impl Web {
    /// Its name in `page.html` and of its npm package.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Hlsjs => ("hlsjs", "hls.js"),
            Self::Shaka => ("shaka", "shaka-player"),
            Self::Videojs => ("videojs", "video.js"),
            Self::Native => ("native", ""),
            Self::Page => ("page", ""),
        }
    }

    /// The version of its npm package, if it has one.
    pub(crate) async fn version(self, modules: &Path) -> Result<Option<String>, BoxError> {
        let (_, package) = self.names();
        if package.is_empty() {
            return Ok(None);
        }
        let read = fs::read(modules.join(package).join("package.json")).await?;
        let package: serde_json::Value = serde_json::from_slice(&read)?;
        Ok(package["version"].as_str().map(str::to_owned))
    }

    /// The page at `server` that plays `url`.
    pub(crate) fn page(self, server: SocketAddr, url: &str, muted: bool) -> String {
        let (name, _) = self.names();
        let url = utf8_percent_encode(url, NON_ALPHANUMERIC);
        let muted = if muted { "&muted" } else { "" };
        format!("http://{server}/?player={name}&url={url}{muted}")
    }
}

/// Serves `page.html` and the packages in `modules`.
pub(crate) async fn serve(modules: PathBuf) -> Result<SocketAddr, BoxError> {
    let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into()).await?;
    let address = listener.local_addr();
    let modules = Arc::new(modules);
    let service = service_fn(move |request: Request<Upload>| {
        let modules = Arc::clone(&modules);
        async move { Ok::<_, Infallible>(answer(request.uri().path(), &modules).await) }
    });
    tokio::spawn(listener.serve(service, CancellationToken::new(), Duration::ZERO));
    Ok(address)
}

/// Serves the demonstration's page, which plays through `gateway`.
pub(crate) async fn serve_demo(
    origin: Arc<Origin>,
    supervisor: Supervisor,
    gateway: SocketAddr,
    users: &[User],
) -> Result<SocketAddr, BoxError> {
    let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into()).await?;
    let address = listener.local_addr();
    let (report, _) = watch::channel(None);
    let page = Page::new(origin, supervisor, gateway, users, 3, report);
    tokio::spawn(listener.serve(page, CancellationToken::new(), Duration::ZERO));
    Ok(address)
}

async fn answer(path: &str, modules: &Path) -> Response<Body> {
    let (kind, bytes) = match path.strip_prefix("/modules/") {
        None if path == "/" => ("text/html; charset=utf-8", include_bytes!("page.html").to_vec()),
        Some(file) if !file.contains("..") => {
            ("text/javascript", fs::read(modules.join(file)).await.unwrap_or_default())
        }
        None | Some(_) => ("text/plain", Vec::new()),
    };
    let status = if bytes.is_empty() { StatusCode::NOT_FOUND } else { StatusCode::OK };
    let mut response = Response::new(body::full(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
