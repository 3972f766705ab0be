//! Measures how fast a transport stream is read and cut: `cargo bench --bench cutter [file.ts]`. Without a file, FFmpeg makes one.

use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use domain::cutter::{Cutter, Rule};
use domain::mpegts::align::Align;
use domain::mpegts::packet::Packet;
use domain::mpegts::scan::Scan;

/// The size of the pieces, as a source or a pipe gives them.
const PIECE: usize = 64 << 10;
const ROUNDS: u32 = 5;
const RULE: Rule = Rule {
    piece: Duration::from_millis(500),
    target: Duration::from_secs(1),
    first: Duration::from_millis(2200),
    largest: 64 << 20,
};

fn main() -> anyhow::Result<()> {
    let file = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let stream = file.map_or_else(made, |file| std::fs::read(file).context("the file"))?;
    let pieces: Vec<_> = stream.chunks(PIECE).map(Bytes::copy_from_slice).collect();
    println!("{} MB, {} packets", stream.len() >> 20, stream.len() / 188);
    measure("align", &pieces, || {
        let mut align = Align::default();
        move |piece| {
            align.push(piece);
            while let Some(run) = align.next_run() {
                black_box(run.len());
            }
        }
    });
    measure("scan", &pieces, || {
        let (mut align, mut scan) = (Align::default(), Scan::default());
        move |piece| {
            align.push(piece);
            while let Some(run) = align.next_run() {
                for packet in Packet::all(&run) {
                    black_box(scan.read(packet));
                }
            }
        }
    });
    measure("cut", &pieces, || {
        let mut cutter = Cutter::new(RULE);
        move |piece| {
            cutter.push(piece);
            while let Some(cut) = cutter.poll() {
                black_box(cut);
            }
        }
    });
    Ok(())
}

/// Prints the speed of the fastest round.
fn measure<W: FnMut(&Bytes)>(what: &str, pieces: &[Bytes], mut begin: impl FnMut() -> W) {
    let bytes: usize = pieces.iter().map(Bytes::len).sum();
    let round = |_| {
        let mut work = begin();
        let begun = Instant::now();
        pieces.iter().for_each(&mut work);
        begun.elapsed()
    };
    let best = (0..ROUNDS).map(round).min().unwrap_or_default().as_secs_f64();
    println!("{what:6} {:6.2} GB/s", bytes as f64 / best / 1e9);
}

/// Half a minute of HD video.
fn made() -> anyhow::Result<Vec<u8>> {
    const HOW: &str = "-v error -f lavfi -i testsrc2=size=1280x720:rate=50:duration=20 -f lavfi -i sine=duration=20 \
        -c:v libx264 -preset ultrafast -g 100 -b:v 20M -minrate 20M -bufsize 20M -c:a aac -f mpegts pipe:1";
    let output = Command::new("ffmpeg").args(HOW.split_whitespace()).output().context("ffmpeg")?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}
