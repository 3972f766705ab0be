//! What testssl.sh finds at each server's HTTPS.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;

use anyhow::Context as _;
use serde::Deserialize;
use tokio::process::Command;

use crate::servers::Server;

/// Protocols, ciphers, forward secrecy, preferences, defaults and known attacks: what a server of files has besides is the server's behind it.
const ASKED: &str = "-p -s -f -P -S -U";

/// As testssl.sh names them.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "UPPERCASE")]
enum Severity {
    Debug,
    Ok,
    Info,
    Warn,
    Low,
    Medium,
    High,
    Critical,
    Fatal,
}

const SEVERITIES: [Severity; 5] =
    [Severity::Low, Severity::Medium, Severity::High, Severity::Critical, Severity::Fatal];

#[derive(Deserialize)]
struct Finding {
    id: String,
    severity: Severity,
    finding: String,
}

type Findings = BTreeMap<String, Finding>;

/// Tests both servers. Returns what is worse at the first one.
pub(crate) async fn compare(servers: &[Server; 2]) -> anyhow::Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let mut found = Vec::new();
    for server in servers {
        progress(server.name);
        found.push(findings(server, folder.path()).await?);
    }
    print(servers, &found);
    let at_most =
        |id: &str| found[1].get(id).map_or(Severity::Warn, |other| other.severity.max(Severity::Warn));
    let worse = found[0].values().filter(|finding| finding.severity > at_most(&finding.id));
    Ok(worse.map(|Finding { id, severity, finding }| format!("{id} is {severity:?}: {finding}")).collect())
}

async fn findings(server: &Server, folder: &Path) -> anyhow::Result<Findings> {
    let file = folder.join(format!("{}.json", server.name));
    Command::new("testssl")
        .args(["--quiet", "--warnings", "off", "--color", "0", "--jsonfile"])
        .arg(&file)
        .args(ASKED.split(' '))
        .arg(server.secure.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await
        .context("testssl.sh is not installed")?;
    let found: Vec<Finding> = serde_json::from_slice(&std::fs::read(&file).context("no report")?)?;
    anyhow::ensure!(found.len() > 20, "only {} findings: it did not get far", found.len());
    // The certificate is the operator's, and the same for both.
    let of_server =
        found.into_iter().filter(|Finding { id, .. }| !id.starts_with("cert") && !id.starts_with("DNS"));
    Ok(of_server.map(|finding| (finding.id.clone(), finding)).collect())
}

#[expect(clippy::print_stdout, reason = "a bench reports to its terminal")]
fn progress(name: &str) {
    println!("==> testssl.sh at {name}, up to a minute");
}

#[expect(clippy::print_stdout, reason = "a bench reports to its terminal")]
fn print(servers: &[Server; 2], found: &[Findings]) {
    println!("{:<20} {:>10} {:>10}", "findings", servers[0].name, servers[1].name);
    for severity in SEVERITIES {
        let count = |at: usize| found[at].values().filter(|finding| finding.severity == severity).count();
        println!("{:<20} {:>10} {:>10}", format!("{severity:?}"), count(0), count(1));
    }
    let is_told = |finding: &&Finding| finding.severity > Severity::Warn;
    let ids: BTreeSet<&str> = found
        .iter()
        .flat_map(|found| found.values().filter(is_told))
        .map(|finding| finding.id.as_str())
        .collect();
    for id in ids {
        for (server, found) in servers.iter().zip(found) {
            if let Some(Finding { severity, finding, .. }) = found.get(id) {
                println!("  {id}, {}: {severity:?}, {finding}", server.name);
            }
        }
    }
}
