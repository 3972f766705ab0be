//! The gateway or the origin or both are stopped and killed at random moments, and everything is closed in the end.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::simulate::Chance;
use futures_util::future::join_all;
use jellyfin_alike::viewer::Viewer;
use jellyfin_alike::{LoggedRequest, Origin, Settings, Version};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::runs::truth::{Patience, Truth};
use crate::runs::zapper::{Pace, World, Zapper};
use crate::runs::{AFTERMATH, SHORT, TOKEN, TOKENS, fine, own_playlist, seed, users, write_list_of};
use crate::support::program::Program;
use crate::support::provider::Provider;
use crate::support::wait::{eventually, soon};

/// How long an answer may take from the origin to the gateway on a busy machine.
const UNREAD: Duration = Duration::from_secs(1);

/// What happens to gateway and origin.
#[derive(Clone, Copy, Debug)]
enum Blow {
    /// The gateway is asked to stop.
    Terminate,
    /// The gateway is killed.
    Gateway,
    /// The origin is killed.
    Origin,
    /// Both are killed.
    Both,
}

const BLOWS: [Blow; 4] = [Blow::Gateway, Blow::Origin, Blow::Terminate, Blow::Both];

/// How the origin tunes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tuning {
    /// By itself.
    Itself,
    /// By the gateway's own playlist, whose provider allows as many connections as the origin has tuners.
    ByUs,
}

/// Origin and gateway, which are killed again and again.
struct Lane {
    settings: Settings,
    with_key: bool,
    produce: &'static str,
    origin: Origin,
    gateway: Program,
    provider: Option<Provider>,
    state: TempDir,
    world: Arc<World>,
    chance: Chance,
}

impl Lane {
    async fn start(seed: u64, tuning: Tuning) -> Self {
        let mut chance = Chance::of(seed);
        let version = if chance.happens(0.5) { Version::V12 } else { Version::V10_11 };
        let tuners = 1 + chance.below(3);
        let settings = Settings { users: users(), version, tuners, ..Settings::quick() };
        let (with_key, produce) = (seed.is_multiple_of(2), ["auto", "adopt"][chance.below(2)]);
        let origin = Origin::start(settings.clone()).await.unwrap();
        let state = tempfile::tempdir().unwrap();
        let (listen, provider) = match tuning {
            Tuning::Itself => ("127.0.0.1:0".to_owned(), None),
            Tuning::ByUs => {
                // The gateway recognizes its own channels by its address.
                let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
                let provider = Provider::start().await;
                write_own_playlist(state.path(), &provider, tuners, listen);
                (listen.to_string(), Some(provider))
            }
        };
        let gateway = program(state.path(), &listen, &origin, with_key, produce).await;
        tune(&origin, &gateway, provider.as_ref()).await;
        let items = origin.channels().into_iter().map(|channel| channel.item_id).collect();
        let patience = Patience { silent: Duration::from_secs(10), unfollowed: Duration::from_secs(8) };
        let pace = Pace { longest: Duration::from_secs(4), ..SHORT };
        let (base, truth) = (format!("http://{}", gateway.address), Truth::new(patience));
        let world = Arc::new(World { base, items, truth, pace });
        Self { settings, with_key, produce, origin, gateway, provider, state, world, chance }
    }

    const fn tuning(&self) -> Tuning {
        if self.provider.is_some() { Tuning::ByUs } else { Tuning::Itself }
    }

    /// Viewers zap, something is killed, and everybody leaves. Returns what is wrong in the end.
    async fn episode(mut self, blow: Blow) -> (Self, Vec<String>) {
        let user = self.settings.users[0].id.clone();
        let zappers: Vec<_> = TOKENS
            .iter()
            .map(|token| {
                let seed = u64::try_from(self.chance.below(usize::MAX)).unwrap();
                let (mut zapper, zaps) =
                    (Zapper::new(&self.world, &user, token, seed), 1 + self.chance.below(4));
                tokio::spawn(async move { zapper.zap(zaps).await })
            })
            .collect();
        let mut pause = |longest: f64| Duration::from_secs_f64(longest * self.chance.even());
        let (before, down) = (pause(7.0), pause(2.0));
        sleep(before).await;
        self.world.truth.disturbance_begins();
        let unanswered = self.unanswered(blow);
        self = self.strike(blow, down).await;
        self.world.truth.disturbance_ends();
        join_all(zappers).await.into_iter().for_each(|ended| ended.unwrap());
        if !self.with_key {
            self.visit(unanswered).await;
        }
        let wrong = self.leftovers(unanswered).await;
        let wrong = wrong
            .into_iter()
            .map(|wrong| format!("{self:?} {blow:?} after {before:?}, for {down:?}: {wrong}"))
            .collect();
        (self, wrong)
    }

    async fn strike(self, blow: Blow, down: Duration) -> Self {
        let Self { settings, with_key, produce, mut origin, mut gateway, provider, state, world, chance } =
            self;
        match blow {
            Blow::Terminate => assert!(gateway.terminate().await.success()),
            Blow::Gateway => gateway.kill().await,
            Blow::Origin | Blow::Both => {}
        }
        match blow {
            Blow::Terminate | Blow::Gateway => {
                sleep(down).await;
                gateway = program(state.path(), &gateway.address, &origin, with_key, produce).await;
            }
            Blow::Origin => {
                let settings = origin.kill().await;
                sleep(down).await;
                origin = Origin::start(settings).await.unwrap();
                tune(&origin, &gateway, provider.as_ref()).await;
            }
            Blow::Both => {
                let (again, ()) = tokio::join!(origin.kill(), gateway.kill());
                sleep(down).await;
                origin = Origin::start(again).await.unwrap();
                gateway = program(state.path(), &gateway.address, &origin, with_key, produce).await;
                tune(&origin, &gateway, provider.as_ref()).await;
            }
        }
        Self { settings, with_key, produce, origin, gateway, provider, state, world, chance }
    }

    /// The openings that are under way while the gateway is killed, its own included. The origin finishes them, and nobody learns of
    /// them: just as little as without the gateway, if a client is killed.
    fn unanswered(&self, blow: Blow) -> usize {
        let requests = self.origin.requests();
        let now = requests.last().map(|seen| seen.at).unwrap_or_default();
        let is_under_way = |seen: &LoggedRequest| seen.status.is_none() || now < seen.at + UNREAD;
        let own =
            requests.iter().filter(|seen| seen.path.ends_with("/LiveStreams/Open") && is_under_way(seen));
        match blow {
            Blow::Gateway => self.world.truth.unanswered() + own.count(),
            Blow::Terminate | Blow::Origin | Blow::Both => 0,
        }
    }

    /// Somebody comes whose credential closes what was left, and leaves.
    async fn visit(&self, unanswered: usize) {
        let viewer = self.gateway.viewer(&self.settings, "visitor");
        let channel = &self.world.items[0];
        let opened = Instant::now();
        while opened.elapsed() < AFTERMATH {
            if let Ok(playback) = soon(viewer.open(channel)).await {
                let _ = soon(viewer.poll(&playback)).await;
                let _ = soon(viewer.report(&playback, "Playing")).await;
                let _ = soon(viewer.leave(&playback)).await;
                return;
            }
            sleep(Duration::from_secs(1)).await;
        }
        if unanswered == 0 {
            self.world.truth.fault("the visitor never gets a tuner".to_owned());
        }
    }

    /// What is still open once everything should be closed.
    async fn leftovers(&self, unanswered: usize) -> Option<String> {
        let deserted = Instant::now();
        loop {
            let counts = self.origin.counts();
            let connections = self.provider.as_ref().map_or(0, Provider::open);
            if counts.tuners_open == 0 && counts.jobs == 0 && connections == 0 {
                return None;
            }
            if deserted.elapsed() > AFTERMATH {
                if counts.jobs == 0 && counts.consumers.values().sum::<usize>() <= unanswered {
                    self.forget(counts.consumers).await;
                    return None;
                }
                let log = self.gateway.log.text();
                let lines: Vec<_> = log.lines().collect();
                let story = lines[lines.len().saturating_sub(60)..].join("\n");
                let asked: Vec<_> = self
                    .origin
                    .requests()
                    .into_iter()
                    .filter_map(|seen| {
                        let path = seen.path;
                        let tells = ["Sessions/Playing", "LiveStreams/", "PlaybackInfo", "ActiveEncodings"];
                        tells.iter().any(|part| path.contains(part)).then(|| {
                            format!(
                                "{:.3?} {path} {} {:?} {:?}",
                                seen.at, seen.query, seen.status, seen.user_agent
                            )
                        })
                    })
                    .collect();
                let asked = asked[asked.len().saturating_sub(70)..].join("\n");
                let consumers = self.origin.consumers();
                return Some(format!(
                    "{counts:?} {consumers:?}, {connections} at the provider\n{story}\n{asked}\n"
                ));
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Lane {
    /// Closes what nobody knows of.
    async fn forget(&self, consumers: BTreeMap<String, usize>) {
        let user = &self.settings.users[0];
        let viewer =
            Viewer::new(format!("http://{}", self.origin.addr()), user.token(), &user.id, "operator");
        for (live_stream, count) in consumers {
            for _ in 0..count {
                let path = format!("/LiveStreams/Close?liveStreamId={live_stream}");
                soon(viewer.post(&path, &serde_json::Value::Null)).await.unwrap();
            }
        }
    }
}

impl Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Settings { version, tuners, .. } = &self.settings;
        let (with_key, produce, tuning) = (self.with_key, self.produce, self.tuning());
        write!(f, "{version:?}, {tuners} tuners, key {with_key}, {produce}, tuned {tuning:?}")
    }
}

async fn program(state: &Path, listen: &str, origin: &Origin, with_key: bool, produce: &str) -> Program {
    let key = Settings::quick().api_key;
    let mut environment = vec![
        ("WARMGATE__VIEWERS__SILENCE", "2s"),
        ("WARMGATE__VIEWERS__PATIENCE", "4s"),
        ("WARMGATE__VIEWERS__UNFOLLOWED", "6s"),
        ("WARMGATE__UPSTREAM__COLD_TIMEOUT", "6s"),
        ("WARMGATE__POOL__IDLE_TIMEOUT", "6s"),
        ("WARMGATE__WARM__ENCODE", "3s"),
        ("WARMGATE__WARM__FEED", "6s"),
        ("WARMGATE__LOG__LEVEL", "info,warmgate::supervisor=debug,warmgate::proxy=debug"),
        ("WARMGATE__PRODUCE__DEFAULT", produce),
    ];
    if with_key {
        environment.push(("WARMGATE__UPSTREAM__API_KEY", &key));
    }
    Program::start(state, listen, origin, &environment).await
}

/// The gateway's configuration in the folder where it runs.
fn write_own_playlist(folder: &Path, provider: &Provider, tuners: usize, listen: SocketAddr) {
    write_list_of(&folder.join("list.m3u"), provider);
    let config = format!(
        "lineup: [{{file: list.m3u, tuners: {tuners}}}]\n\
         lineup_server: {{enabled: true, token: {TOKEN}, base: \"http://{listen}\"}}\n"
    );
    std::fs::write(folder.join("gateway.yaml"), config).unwrap();
}

/// Has the origin tune by the gateway's own playlist, if there is a `provider` for it.
async fn tune(origin: &Origin, gateway: &Program, provider: Option<&Provider>) {
    if provider.is_some() {
        let url = own_playlist(&format!("http://{}", gateway.address));
        eventually("the origin has channels", async || origin.tune_by(&url).await.is_ok()).await;
    }
}

/// Lives of a lane, one after the other. A lane that has left something behind begins anew.
async fn lives(seed: u64, tuning: Tuning, blows: Vec<Blow>) -> Vec<String> {
    let mut lane = Lane::start(seed, tuning).await;
    let (mut wrong, mut begun) = (Vec::new(), seed);
    for blow in blows {
        let (after, found) = lane.episode(blow).await;
        eprintln!("seed {seed}, {after:?}, {blow:?}: {}, {} wrong", after.world.truth.summary(), found.len());
        wrong.extend(
            after.world.truth.take_faults().into_iter().map(|fault| format!("{after:?} {blow:?}: {fault}")),
        );
        lane = after;
        if !found.is_empty() {
            begun += 1000;
            lane = Lane::start(begun, tuning).await;
        }
        wrong.extend(found);
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn four_kills() {
    let lanes = (1..).zip(BLOWS).map(|(seed, blow)| lives(seed, Tuning::Itself, vec![blow]));
    fine(&join_all(lanes).await.concat());
}

/// As many as the issue wants, in five lanes.
async fn fifty(tuning: Tuning) {
    let seed = seed();
    let lanes = (0..5).map(|lane| {
        let blows = (0..10).map(|life| BLOWS[(life + lane) % 4]).collect();
        lives(seed + lane as u64, tuning, blows)
    });
    fine(&join_all(lanes).await.concat());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes ten minutes; see CONTRIBUTING"]
async fn fifty_kills() {
    fifty(Tuning::Itself).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes ten minutes; see CONTRIBUTING"]
async fn fifty_kills_through_the_gateways_own_playlist() {
    fifty(Tuning::ByUs).await;
}
