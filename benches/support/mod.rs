//! The gateway's process, for benches that measure its memory.

pub(crate) mod resident;

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How long it may take until it listens.
const AT_MOST: Duration = Duration::from_secs(30);

/// See the module.
pub(crate) struct Gateway {
    process: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    _folder: TempDir,
}

impl Gateway {
    /// Starts it with the `gateway.yaml` in `folder`: the program that `WARMGATE` names, else the one that was built with the bench.
    pub(crate) async fn start(folder: TempDir) -> anyhow::Result<Self> {
        let program = std::env::var_os("WARMGATE").unwrap_or_else(|| env!("CARGO_BIN_EXE_warmgate").into());
        let mut process = Command::new(program)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut log = BufReader::new(process.stderr.take().context("no log")?).lines();
        let address = timeout(AT_MOST, async {
            while let Some(line) = log.next_line().await? {
                let told = line.split("address=").nth(1).and_then(|rest| rest.split_whitespace().next());
                if let Some(address) = told.filter(|_| line.contains("listening")) {
                    return Ok(address.parse()?);
                }
            }
            anyhow::bail!("it does not listen")
        })
        .await??;
        tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        Ok(Self { process, address, _folder: folder })
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> anyhow::Result<u32> {
        self.process.id().context("it has ended")
    }

    /// Its resident set, in bytes.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        resident::of(self.id()?)
    }

    /// Ends it.
    pub(crate) async fn stop(mut self) {
        let _ = self.process.kill().await;
    }
}
