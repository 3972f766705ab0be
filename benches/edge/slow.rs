//! Clients that hold as many connections as they can, for as long as they can.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use jellyfin_alike::viewer::Viewer;
use jellyfin_alike::{Origin, Settings};
use tokio::process::Command;
use tokio::time::{interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::player::play;
use crate::servers::Server;

/// Of each attack: how many connections, for how many seconds.
const CONNECTIONS: &str = "300";
const SECONDS: &str = "20";
/// The time until somebody plays, and until memory that is free has been given back.
const SETTLING: Duration = Duration::from_secs(12);
/// What a player has in advance (`window.join`): it stands still if it waits for longer.
const IN_ADVANCE: Duration = Duration::from_secs(6);
/// By how much memory may have grown afterwards, in bytes.
const KEPT: u64 = 16 << 20;

#[derive(Clone, Copy)]
enum Attack {
    Headers,
    Body,
    Reading,
    Ranges,
}

impl Attack {
    const ALL: [Self; 4] = [Self::Headers, Self::Body, Self::Reading, Self::Ranges];

    const fn name(self) -> &'static str {
        match self {
            Self::Headers => "slow headers",
            Self::Body => "slow body",
            Self::Reading => "slow reading",
            Self::Ranges => "many ranges",
        }
    }

    /// What slowhttptest does, and to which path.
    const fn arguments(self) -> (&'static str, &'static str) {
        match self {
            Self::Headers => ("-H -i 5 -x 24 -t GET", "/small"),
            Self::Body => ("-B -i 5 -s 100000 -x 24 -t POST", "/upload"),
            Self::Reading => ("-X -w 512 -y 1024 -n 5 -z 32 -k 3", "/large"),
            Self::Ranges => ("-R -a 10 -b 3000 -t HEAD", "/small"),
        }
    }

    async fn run(self, at: &Server, folder: &Path) -> anyhow::Result<Availability> {
        let (arguments, path) = self.arguments();
        let file = folder.join(format!("{}-{}", at.name, self.name().replace(' ', "-")));
        let status = Command::new("slowhttptest")
            .args(arguments.split(' '))
            .args(["-c", CONNECTIONS, "-r", "100", "-l", SECONDS, "-p", "3", "-g", "-o"])
            .arg(&file)
            .args(["-u", &format!("http://{}{path}", at.plain)])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .status()
            .await
            .context("slowhttptest is not installed")?;
        let report = file.with_extension("csv");
        let report = std::fs::read_to_string(&report).with_context(|| format!("no report: {status}"))?;
        Availability::of(&report)
    }
}

/// In how many seconds of how many another client was served.
struct Availability {
    served: usize,
    all: usize,
}

impl Availability {
    /// From the table of slowhttptest, whose last column is 0 while nobody else is served.
    fn of(report: &str) -> anyhow::Result<Self> {
        let column =
            report.lines().skip(1).filter_map(|line| line.rsplit(',').next()?.trim().parse::<u64>().ok());
        let served: Vec<bool> = column.map(|served| served > 0).collect();
        anyhow::ensure!(!served.is_empty(), "an empty report");
        Ok(Self { served: served.iter().filter(|served| **served).count(), all: served.len() })
    }
}

/// What an attack came to at a server.
struct Row {
    attack: Attack,
    server: &'static str,
    availability: Availability,
    /// The longest time from one new segment to the next.
    wait: Duration,
    /// The resident set before, at most and after, in bytes.
    resident: [u64; 3],
}

/// Attacks all servers at once, in each way. Returns what is wrong with the first of them.
pub(crate) async fn measure(servers: &[Server; 2], origin: &Origin) -> anyhow::Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let mut rows = Vec::new();
    for attack in Attack::ALL {
        progress(attack);
        let [one, two] = [0, 1].map(|nth| attacked(attack, &servers[nth], origin, nth, folder.path()));
        let (one, two) = tokio::try_join!(one, two)?;
        rows.extend([one, two]);
    }
    print(&rows);
    let of_ours = rows.iter().filter(|row| row.server == servers[0].name);
    Ok(of_ours.flat_map(Row::faults).collect())
}

/// Attacks a server while somebody plays the `nth` channel through it.
async fn attacked(
    attack: Attack,
    server: &Server,
    origin: &Origin,
    nth: usize,
    folder: &Path,
) -> anyhow::Result<Row> {
    let user = Settings::quick().users.into_iter().nth(nth).context("a user")?;
    let item = origin.channels().into_iter().nth(nth).context("a channel")?.item_id;
    let viewer = Viewer::new(format!("http://{}", server.plain), user.token(), &user.id, server.name);
    let stop = CancellationToken::new();
    let playing = tokio::spawn(play(viewer, item, stop.clone()));
    sleep(SETTLING).await;
    let before = server.resident()?;
    let mut most = before;
    let sampling = async {
        let mut ticks = interval(Duration::from_millis(500));
        while let Ok(now) = server.resident() {
            most = most.max(now);
            ticks.tick().await;
        }
    };
    let availability = tokio::select! {
        attacked = attack.run(server, folder) => attacked?,
        () = sampling => anyhow::bail!("{} has ended", server.name),
    };
    sleep(SETTLING).await;
    let after = server.resident()?;
    stop.cancel();
    let wait = playing.await??;
    Ok(Row { attack, server: server.name, availability, wait, resident: [before, most, after] })
}

impl Row {
    fn faults(&self) -> Vec<String> {
        let Self { attack, server, availability, wait, resident: [before, _, after] } = self;
        let faults = [
            (availability.served < availability.all).then_some("others are not served"),
            (*wait > IN_ADVANCE).then_some("who plays has to wait"),
            (*after > before + KEPT).then_some("memory is not given back"),
        ];
        faults.into_iter().flatten().map(|fault| format!("{server}, {}: {fault}", attack.name())).collect()
    }
}

#[expect(clippy::print_stdout, reason = "a bench reports to its terminal")]
fn progress(attack: Attack) {
    println!("==> {}: {CONNECTIONS} connections for {SECONDS} s at each", attack.name());
}

#[expect(clippy::print_stdout, reason = "a bench reports to its terminal")]
fn print(rows: &[Row]) {
    println!(
        "{:<14} {:<10} {:>10} {:>16}   resident before, at most, after (MiB)",
        "", "", "available", "longest wait, s"
    );
    for Row { attack, server, availability, wait, resident } in rows {
        let [before, most, after] = resident.map(|bytes| bytes as f64 / f64::from(1 << 20));
        println!(
            "{:<14} {server:<10} {:>10} {:>16.1}   {before:.1} {most:.1} {after:.1}",
            attack.name(),
            format!("{}/{}", availability.served, availability.all),
            wait.as_secs_f64(),
        );
    }
}
