//! A provider of two channels, an FFmpeg for each connection.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

const PICTURE: &str = "-v error -re -f lavfi -i testsrc2=size=320x180:rate=25,format=yuv420p -c:v libx264 \
    -threads 1 -preset ultrafast -b:v 800k -g 25 -f mpegts pipe:1";

pub(crate) struct Provider {
    address: SocketAddr,
    /// A clone for each connection.
    open: Arc<()>,
}

impl Provider {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let (listener, open) = (TcpListener::bind("127.0.0.1:0").await?, Arc::new(()));
        let (address, each) = (listener.local_addr()?, Arc::clone(&open));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let one = Arc::clone(&each);
                tokio::spawn(async move {
                    // It ends when the reader does.
                    let _ = serve(stream).await;
                    drop(one);
                });
            }
        });
        Ok(Self { address, open })
    }

    pub(crate) fn playlist(&self) -> String {
        let entry = |number| {
            format!("#EXTINF:-1 tvg-id=\"p{number}\",P {number}\nhttp://{}/{number}.ts\n", self.address)
        };
        format!("#EXTM3U\n{}{}", entry(1), entry(2))
    }

    /// How many connections are open.
    pub(crate) fn open(&self) -> usize {
        // One is its own, one the listener's.
        Arc::strong_count(&self.open) - 2
    }
}

async fn serve(mut stream: TcpStream) -> anyhow::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nConnection: close\r\n\r\n").await?;
    let mut ffmpeg = Command::new("ffmpeg")
        .args(PICTURE.split_whitespace())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    copy(&mut ffmpeg.stdout.take().context("no output")?, &mut stream).await?;
    Ok(())
}
