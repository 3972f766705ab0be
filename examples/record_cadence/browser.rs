//! Chromium on a virtual screen. The debugger is attached for single calls only, because it would keep the page awake.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::fs;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use warmgate::body::BoxError;

use crate::scenario::Deed;

const PATIENCE: Duration = Duration::from_secs(30);
/// Chromium's switches, without those that keep background tabs awake in automated browsers.
const FLAGS: [&str; 8] = [
    "--no-sandbox",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--remote-debugging-port=0",
];
/// The state of the page's player.
const STATE: &str = "(video => ({visibility: document.visibilityState, paused: video?.paused, \
    at: Math.round(video?.currentTime * 1000) / 1000, buffered: video?.buffered.length ? \
    Math.round(video.buffered.end(video.buffered.length - 1) * 1000) / 1000 : null, \
    error: video?.error?.message, trouble: typeof trouble === 'undefined' ? [] : trouble}))(document.querySelector('video'))";

/// A browser with two tabs: an empty one, and the player's in front of it.
pub(crate) struct Browser {
    chromium: Child,
    _screen: Child,
    _profile: TempDir,
    devtools: String,
    empty: String,
    player: String,
}

impl Browser {
    /// Starts it and opens `page`.
    pub(crate) async fn open(page: &str) -> Result<Self, BoxError> {
        let (screen, display) = screen().await?;
        let profile = TempDir::new()?;
        let chromium = Command::new("chromium")
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .env("DISPLAY", display)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let devtools = timeout(PATIENCE, devtools(profile.path())).await?;
        let mut browser = Self {
            chromium,
            _screen: screen,
            _profile: profile,
            devtools,
            empty: String::new(),
            player: String::new(),
        };
        let tabs = browser.call(Method::GET, "list").await?;
        let tabs = tabs.as_array().into_iter().flatten();
        browser.empty = id(tabs.clone().find(|tab| tab["type"] == "page").ok_or("no tab")?)?;
        let page = utf8_percent_encode(page, NON_ALPHANUMERIC);
        browser.player = id(&browser.call(Method::PUT, &format!("new?{page}")).await?)?;
        Ok(browser)
    }

    /// Its version, as `156.0.8078.79`.
    pub(crate) async fn version(&self) -> Result<String, BoxError> {
        let said = self.call(Method::GET, "version").await?;
        let name = said["Browser"].as_str().ok_or("no version")?;
        Ok(name.rsplit('/').next().unwrap_or(name).to_owned())
    }

    /// Performs an action.
    pub(crate) async fn perform(&mut self, deed: Deed) -> Result<(), BoxError> {
        match deed {
            Deed::Pause => drop(self.evaluate("document.querySelector('video').pause()").await?),
            Deed::Resume => drop(self.evaluate("void document.querySelector('video').play()").await?),
            Deed::Hide => drop(self.call(Method::GET, &format!("activate/{}", self.empty)).await?),
            Deed::Show => drop(self.call(Method::GET, &format!("activate/{}", self.player)).await?),
            Deed::Stop => drop(self.call(Method::GET, &format!("close/{}", self.player)).await?),
            Deed::Kill => self.chromium.start_kill()?,
            Deed::Freeze | Deed::Thaw => return Err("a browser is not one process".into()),
            Deed::Cut | Deed::Restore => {}
        }
        Ok(())
    }

    /// The state of the page's player.
    pub(crate) async fn state(&self) -> Result<Value, BoxError> {
        self.evaluate(STATE).await
    }

    /// Evaluates an expression in the player's page, and detaches the debugger.
    pub(crate) async fn evaluate(&self, expression: &str) -> Result<Value, BoxError> {
        let url = format!("ws://{}/devtools/page/{}", self.devtools, self.player);
        let (mut socket, _) = connect_async(url).await?;
        let parameters = json!({"expression": expression, "returnByValue": true, "userGesture": true});
        let call = json!({"id": 1, "method": "Runtime.evaluate", "params": parameters});
        socket.send(Message::text(call.to_string())).await?;
        let answer = timeout(PATIENCE, socket.next()).await?.ok_or("no answer")??;
        let mut answer: Value = serde_json::from_str(answer.to_text()?)?;
        socket.close(None).await?;
        Ok(answer["result"]["result"]["value"].take())
    }

    /// Ends it, if it has not ended.
    pub(crate) async fn end(mut self) -> io::Result<()> {
        self.chromium.kill().await?;
        // Its helper processes end a little later, and until then write to the profile that will be deleted.
        sleep(Duration::from_secs(1)).await;
        Ok(())
    }

    async fn call(&self, method: Method, what: &str) -> Result<Value, BoxError> {
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        let url = format!("http://{}/json/{what}", self.devtools);
        let request = Request::builder().method(method).uri(url).body(Empty::new())?;
        let body = client.request(request).await?.into_body().collect().await?.to_bytes();
        // Some responses are plain text.
        Ok(serde_json::from_slice(&body).unwrap_or(Value::Null))
    }
}

/// A virtual screen, because no tab is ever hidden in headless mode.
async fn screen() -> Result<(Child, String), BoxError> {
    let mut child = Command::new("Xvfb")
        .args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let stdout = child.stdout.take().ok_or("no standard output")?;
    let number = BufReader::new(stdout).lines().next_line().await?.ok_or("no screen")?;
    Ok((child, format!(":{}", number.trim())))
}

/// The debugger's address, which the browser writes to its profile.
async fn devtools(profile: &Path) -> String {
    loop {
        let written = fs::read_to_string(profile.join("DevToolsActivePort")).await.unwrap_or_default();
        match written.lines().next() {
            Some(port) if written.lines().count() > 1 => return format!("127.0.0.1:{port}"),
            Some(_) | None => sleep(Duration::from_millis(50)).await,
        }
    }
}

fn id(tab: &Value) -> Result<String, BoxError> {
    Ok(tab["id"].as_str().ok_or("a tab without a name")?.to_owned())
}
