//! What strangers can do to the gateway, and to nginx in the same place and in the same run: slowhttptest holds as many connections
//! as it can while somebody plays, and testssl.sh looks for what is wrong with TLS. `make test-edge`; `cargo bench --bench edge --
//! slow`, or `-- tls`.
//!
//! It fails if the gateway cannot be reached meanwhile, if who plays has to wait, if memory is not given back, or if TLS has a
//! finding that is worse than nginx's.

#[path = "../support/front.rs"]
mod front;
#[path = "../support/player.rs"]
mod player;
mod servers;
mod slow;
#[path = "../support/mod.rs"]
mod support;
mod tls;

use jellyfin_alike::{Origin, Settings};
use tokio_util::sync::CancellationToken;

use crate::front::front;
use crate::servers::Server;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let asked: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let is_asked = |name: &str| asked.is_empty() || asked.iter().any(|word| word == name);
    let origin = Origin::start(Settings::quick()).await?;
    let before = front(origin.addr(), CancellationToken::new()).await?;
    let certificate = servers::certificate()?;
    let servers = [
        Server::gateway(before, certificate.path()).await?,
        Server::nginx(before, certificate.path()).await?,
    ];
    let mut wrong = Vec::new();
    if is_asked("slow") {
        wrong.extend(slow::measure(&servers, &origin).await?);
    }
    if is_asked("tls") {
        wrong.extend(tls::compare(&servers).await?);
    }
    for server in servers {
        server.stop().await;
    }
    drop(origin.kill().await);
    anyhow::ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
