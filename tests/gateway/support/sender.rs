//! Real senders of channels that are no transport stream over HTTP: FFmpeg sends HLS, UDP and RTP, nginx serves the
//! playlists, and VLC sends RTSP (over UDP, which is all it can).

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::support::nginx;
use crate::support::provider::PICTURE;
use crate::support::wait::eventually;

/// How a channel is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Hls,
    /// HLS with a multivariant playlist of two variants.
    Variants,
    Udp,
    Multicast,
    Rtp,
    Rtsp,
}

/// The sender of a channel. Dropping it ends it.
pub(crate) struct Sender {
    kind: Kind,
    address: SocketAddr,
    folder: TempDir,
    sending: Vec<Child>,
    _nginx: Option<Child>,
}

impl Sender {
    /// Starts a sender that sends.
    pub(crate) async fn start(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = match kind {
            Kind::Hls | Kind::Variants | Kind::Rtsp => {
                std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
            }
            Kind::Udp | Kind::Multicast | Kind::Rtp => pair_of_ports(),
        };
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let nginx = match kind {
            Kind::Hls | Kind::Variants => {
                let shown = folder.path().display();
                let config = format!(
                    "daemon off; master_process off; pid {shown}/pid; error_log {shown}/errors; events {{}} http {{ \
                     log_format asked '$request_uri $http_user_agent'; access_log {shown}/asked asked; \
                     server {{ listen {address}; root {shown}; }} }}"
                );
                Some(nginx::start(&folder, &config, address).await)
            }
            Kind::Udp | Kind::Multicast | Kind::Rtp | Kind::Rtsp => None,
        };
        let mut sender = Self { kind, address, folder, sending: Vec::new(), _nginx: nginx };
        sender.on().await;
        sender
    }

    /// The URL of the channel.
    pub(crate) fn url(&self) -> String {
        let Self { kind, address, .. } = self;
        match kind {
            Kind::Hls => format!("http://{address}/v0.m3u8"),
            Kind::Variants => format!("http://{address}/all.m3u8"),
            Kind::Udp => format!("udp://{address}"),
            Kind::Multicast => format!("udp://@{}:{}?localaddr=127.0.0.1", group(*address), address.port()),
            Kind::Rtp => format!("rtp://{address}"),
            Kind::Rtsp => format!("rtsp://{address}/ch"),
        }
    }

    /// A folder for files, which is deleted with the sender.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops sending without closing anything.
    pub(crate) async fn off(&mut self) {
        for mut process in self.sending.drain(..) {
            process.kill().await.unwrap();
        }
    }

    /// Sends again, with a clock that begins anew.
    pub(crate) async fn on(&mut self) {
        let Self { address, folder, .. } = &*self;
        let folder = folder.path();
        match self.kind {
            Kind::Hls | Kind::Variants => {
                let list = folder.join("v0.m3u8");
                let more = if self.kind == Kind::Hls { "v:0,a:0" } else { "v:0,a:0 v:1,a:1" };
                let twice = if self.kind == Kind::Hls { "" } else { "-map 0:v -map 1:a -map 0:v -map 1:a" };
                let output = format!(
                    "{twice} -f hls -hls_time 1 -hls_list_size 5 -hls_flags delete_segments+append_list"
                );
                let mut ffmpeg = picture(&output);
                ffmpeg
                    .args(["-master_pl_name", "all.m3u8", "-var_stream_map", more])
                    .arg(folder.join("v%v.m3u8"));
                self.sending.push(ffmpeg.spawn().unwrap());
                let ready =
                    || std::fs::read_to_string(&list).is_ok_and(|text| text.matches("#EXTINF").count() >= 3);
                eventually("there is a playlist", async || ready()).await;
            }
            Kind::Udp => self.sending.push(to(&format!("-f mpegts udp://{address}?pkt_size=1316"))),
            Kind::Rtp => self.sending.push(to(&format!("-f rtp_mpegts rtp://{address}"))),
            Kind::Multicast => {
                let (group, port) = (group(*address), address.port());
                let there = format!("udp://{group}:{port}?pkt_size=1316&ttl=0&localaddr=127.0.0.1");
                self.sending.push(to(&format!("-f mpegts {there}")));
            }
            Kind::Rtsp => self.speak_rtsp().await,
        }
    }

    /// The requests over HTTP: their paths and user agents.
    pub(crate) fn asked(&self) -> Vec<String> {
        let asked = std::fs::read_to_string(self.folder.path().join("asked")).unwrap();
        asked.lines().map(str::to_owned).collect()
    }

    async fn speak_rtsp(&mut self) {
        let mut ffmpeg = picture("-f mpegts pipe:1").stdout(Stdio::piped()).spawn().unwrap();
        let picture: Stdio = ffmpeg.stdout.take().unwrap().try_into().unwrap();
        let mut vlc = Command::new("vlc");
        let (port, url) = (self.address.port(), self.url());
        vlc.args(["-I", "dummy", "--no-audio", "--no-media-library", "--rtsp-host", "127.0.0.1"])
            .args(["--demux", "ts", "fd://0", "--sout", &format!("#rtp{{sdp=rtsp://:{port}/ch}}")])
            .env("HOME", self.folder.path())
            .stdin(picture)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        if rustix::process::geteuid().is_root() {
            // VLC refuses to run as root.
            vlc.uid(65534).gid(65534);
        }
        let vlc = vlc.spawn().expect("vlc must be installed: make test does it");
        self.sending.extend([ffmpeg, vlc]);
        eventually("it is described", async || describes(self.address, &url).await).await;
    }
}

/// An FFmpeg that sends the usual picture to `output`.
fn picture(output: &str) -> Command {
    let (picture, _) = PICTURE.split_once("-f mpegts ").unwrap();
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg
        .args(picture.split_whitespace())
        .args("-muxdelay 0 -muxpreload 0 -flush_packets 1".split_whitespace())
        .args(output.split_whitespace())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    ffmpeg
}

fn to(output: &str) -> Child {
    picture(output).spawn().unwrap()
}

/// A multicast group of the local scope, another for each port.
fn group(address: SocketAddr) -> String {
    let [high, low] = address.port().to_be_bytes();
    format!("239.255.{high}.{low}")
}

/// A free even port whose next port is free too, for RTP's reports.
fn pair_of_ports() -> u16 {
    let free = |port| UdpSocket::bind(("127.0.0.1", port)).ok()?.local_addr().ok().map(|at| at.port());
    loop {
        let port = free(0).unwrap() & !1;
        if free(port).is_some() && free(port + 1).is_some() {
            return port;
        }
    }
}

/// Whether a picture can be received from `url`.
async fn describes(address: SocketAddr, url: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address).await else { return false };
    let asked = format!("DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\n\r\n");
    let mut answer = Vec::new();
    let _ = stream.write_all(asked.as_bytes()).await;
    let described = async {
        while matches!(stream.read_buf(&mut answer).await, Ok(1..)) {
            if answer.windows(7).any(|word| word == b"m=video") {
                return true;
            }
        }
        false
    };
    // It either succeeds at once or not in this attempt.
    timeout(Duration::from_millis(300), described).await.unwrap_or(false)
}
