//! A provider, which sends each connection an endless channel in real time, made by FFmpeg.

use std::io;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// FFmpeg's arguments for a channel like the origin's, so that the same profiles can be copied.
pub(crate) const PICTURE: &str = "-v error -re -f lavfi -i testsrc2=size=320x180:rate=25,format=yuv420p \
    -re -f lavfi -i sine=frequency=440:sample_rate=48000 -c:v libx264 -threads 1 -preset ultrafast \
    -tune zerolatency -profile:v baseline -level 3.0 -b:v 1000k -maxrate 1200k -bufsize 1200k \
    -g 12 -keyint_min 12 -sc_threshold 0 -c:a aac -b:a 96k -ac 1 \
    -f mpegts -muxdelay 0 -muxpreload 0 -flush_packets 1 pipe:1";

/// Bytes of a channel that garbage replaces: most of a second, and no whole number of packets.
const LOST: usize = 100_000;
/// A null packet (ISO/IEC 13818-1, 2.4.3.3).
const STUFFING: [u8; 188] = {
    let mut packet = [0xff; 188];
    [packet[0], packet[1], packet[2], packet[3]] = [0x47, 0x1f, 0xff, 0x10];
    packet
};

/// A running provider. Dropping it ends it.
pub(crate) struct Provider {
    address: SocketAddr,
    inner: Arc<Inner>,
    stop: CancellationToken,
}

struct Inner {
    /// The requests, as they were sent.
    asked: Mutex<Vec<String>>,
    open: Mutex<usize>,
    most: Mutex<usize>,
    up: watch::Sender<bool>,
    silent: watch::Sender<bool>,
    picture: watch::Sender<String>,
    garbage: watch::Sender<Vec<u8>>,
    scrambled: watch::Sender<bool>,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (up, _) = watch::channel(true);
        let (silent, _) = watch::channel(false);
        let (picture, _) = watch::channel(PICTURE.to_owned());
        let (garbage, _) = watch::channel(Vec::new());
        let (scrambled, _) = watch::channel(false);
        let inner = Inner {
            asked: Mutex::default(),
            open: Mutex::default(),
            most: Mutex::default(),
            up,
            silent,
            picture,
            garbage,
            scrambled,
        };
        let provider = Self {
            address: listener.local_addr().unwrap(),
            inner: Arc::new(inner),
            stop: CancellationToken::new(),
        };
        let (inner, stop) = (Arc::clone(&provider.inner), provider.stop.clone());
        tokio::spawn(async move {
            while let Some(Ok((stream, _))) = stop.run_until_cancelled(listener.accept()).await {
                let (inner, stop) = (Arc::clone(&inner), stop.clone());
                tokio::spawn(async move { stop.run_until_cancelled(inner.serve(stream)).await });
            }
        });
        provider
    }

    /// The URL of a channel, with secrets that must not be logged.
    pub(crate) fn url(&self, channel: usize) -> String {
        format!("http://me:s3cr3t@{}/live/s3cr3t/{channel}.ts?key=s3cr3t", self.address)
    }

    /// Disconnects all, and refuses connections from now on.
    pub(crate) fn fail(&self) {
        self.inner.up.send_replace(false);
    }

    /// Sends new connections nothing but null packets while it is `silent`.
    pub(crate) fn keep(&self, silent: bool) {
        self.inner.silent.send_replace(silent);
    }

    /// Changes open connections to a picture of this size.
    pub(crate) fn show(&self, size: &str) {
        self.inner.picture.send_replace(PICTURE.replace("320x180", size));
    }

    /// Changes open connections to MPEG-2.
    pub(crate) fn show_mpeg2(&self) {
        let (before, codec) = PICTURE.split_once("-c:v ").unwrap();
        let (_, sound) = codec.split_once("-c:a ").unwrap();
        let mpeg2 = "mpeg2video -b:v 1000k -g 12";
        self.inner.picture.send_replace(format!("{before}-c:v {mpeg2} -c:a {sound}"));
    }

    /// Changes open connections to a clock that begins at this number of seconds.
    pub(crate) fn show_at(&self, seconds: u32) {
        let offset = format!("-output_ts_offset {seconds} -f mpegts");
        self.inner.picture.send_replace(PICTURE.replace("-f mpegts", &offset));
    }

    /// Changes open connections to an interlaced picture.
    pub(crate) fn show_interlaced(&self) {
        let interlaced = "-profile:v high -x264-params tff=1:cabac=0 -flags +ilme+ildct";
        self.inner.picture.send_replace(PICTURE.replace("-profile:v baseline", interlaced));
    }

    /// Changes open connections to other PIDs.
    pub(crate) fn move_pids(&self) {
        self.inner.picture.send_replace(PICTURE.replace("-f mpegts", "-f mpegts -mpegts_start_pid 0x200"));
    }

    /// Marks all packets as scrambled from now on.
    pub(crate) fn scramble(&self) {
        self.inner.scrambled.send_replace(true);
    }

    /// Sends this instead of a piece of the channel.
    pub(crate) fn interject(&self, garbage: Vec<u8>) {
        self.inner.garbage.send_replace(garbage);
    }

    /// The requests so far, as they were sent.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.inner.asked.lock().unwrap().clone()
    }

    /// The number of open connections.
    pub(crate) fn open(&self) -> usize {
        *self.inner.open.lock().unwrap()
    }

    /// The highest number of open connections so far.
    pub(crate) fn most(&self) -> usize {
        *self.inner.most.lock().unwrap()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Counts a connection for as long as it exists.
struct Counted<'a>(&'a Inner);

impl<'a> Counted<'a> {
    fn new(inner: &'a Inner) -> Self {
        let mut open = inner.open.lock().unwrap();
        *open += 1;
        let mut most = inner.most.lock().unwrap();
        *most = (*most).max(*open);
        Self(inner)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        *self.0.open.lock().unwrap() -= 1;
    }
}

impl Inner {
    /// Copies packets. Not cancel-safe: bytes that were read and not written are lost.
    async fn copy(
        &self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<()> {
        let mut packet = [0; 188];
        loop {
            from.read_exact(&mut packet).await?;
            let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
            if *self.scrambled.borrow() && (0x100..0x110).contains(&pid) {
                packet[3] |= 0x80;
            }
            to.write_all(&packet).await?;
        }
    }

    async fn serve(&self, mut stream: TcpStream) {
        let mut up = self.up.subscribe();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else { return };
            request.push(byte);
        }
        self.asked.lock().unwrap().push(String::from_utf8(request).unwrap());
        if !*up.borrow() {
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
            return;
        }
        let _counted = Counted::new(self);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").await;
        let mut silent = self.silent.subscribe();
        if *silent.borrow_and_update() {
            let _ = stream.write_all(&STUFFING.repeat(10)).await;
            let _ = silent.changed().await;
        }
        let (mut picture, mut garbage) = (self.picture.subscribe(), self.garbage.subscribe());
        loop {
            let shown = picture.borrow_and_update().clone();
            let mut ffmpeg = Command::new("ffmpeg")
                .args(shown.split_whitespace())
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .kill_on_drop(true)
                .spawn()
                .unwrap();
            let mut output = ffmpeg.stdout.take().unwrap();
            let (mut from, mut to) = stream.split();
            let mut nothing = [0; 1];
            loop {
                tokio::select! {
                    _ = self.copy(&mut output, &mut to) => return,
                    _ = from.read(&mut nothing) => return,
                    _ = up.wait_for(|up| !up) => return,
                    _ = garbage.changed() => {}
                    _ = picture.changed() => break,
                }
                let bytes = garbage.borrow_and_update().clone();
                let _ = to.write_all(&bytes).await;
                let _ = output.read_exact(&mut vec![0; LOST]).await;
            }
        }
    }
}
