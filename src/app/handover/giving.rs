//! The side of the process that is followed: starts the other one, and gives it everything.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::Child;
use tokio::signal::unix::Signal;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::back_door::BackDoor;
use super::dialogue::{
    Addresses, ESTABLISHED, FromNew, FromOld, HandoverError, PATIENCE, RELEASED, State, VERSION,
};
use super::taking::{Before, Taken};
use crate::background::noted;
use crate::handover::{self, Receiver, Sender};
use crate::proxy::gateway::Gateway;
use crate::proxy::succession::Successor;
use crate::server::{Listener, Phase, Phases};
use crate::service_manager;
use crate::supervisor::Supervisor;
use crate::supervisor::handed_over::giving::Frozen;
use crate::supervisor::handed_over::{News, PieceName};

/// How long this process stands still at most, while players wait: they have some seconds in hand.
const STANDSTILL: Duration = Duration::from_secs(5);
/// How long the end of the new process may follow that of its link.
const ENDING: Duration = Duration::from_secs(1);

/// The descriptors of the listening sockets.
#[derive(Debug)]
pub(in crate::app) struct Listening {
    plain: OwnedFd,
    secure: Option<OwnedFd>,
}

impl Listening {
    /// Those of `listener`.
    ///
    /// # Errors
    /// If the system has no descriptor left.
    pub(in crate::app) fn at(listener: &Listener) -> io::Result<Self> {
        let (plain, secure) = listener.sockets();
        let secure = secure.map(|secure| secure.try_clone_to_owned()).transpose()?;
        Ok(Self { plain: plain.try_clone_to_owned()?, secure })
    }
}

/// Gives the gateway to another process when it is asked to.
#[derive(Debug)]
pub(in crate::app) struct Giver {
    listening: Listening,
    /// Where this process is told to listen.
    listen: Addresses,
    /// The address of the server.
    upstream: String,
    back_door: Option<BackDoor>,
    phases: watch::Sender<Phase>,
    gateway: Arc<Gateway>,
    supervisor: Supervisor,
    /// What has happened since this process stands still.
    news: Option<UnboundedReceiver<News>>,
    stands_still_since: Option<Instant>,
}

/// The other process, which has taken over.
#[derive(Debug)]
pub(in crate::app) struct Given {
    sender: Sender,
    receiver: Receiver,
    news: UnboundedReceiver<News>,
}

/// The new process, which ends with this value until it has taken over: this process may be asked to end meanwhile, and then closes what
/// the other would go on with.
#[derive(Debug)]
struct Candidate(Option<Child>);

impl Giver {
    /// Gives the gateway that listens at these sockets, as `listen` told it, before the server at `upstream`, and follows these phases.
    pub(in crate::app) fn new(
        (listening, listen, upstream): (Listening, Addresses, String),
        phases: watch::Sender<Phase>,
        gateway: Arc<Gateway>,
        supervisor: Supervisor,
    ) -> Self {
        Self {
            listening,
            listen,
            upstream,
            back_door: None,
            phases,
            gateway,
            supervisor,
            news: None,
            stands_still_since: None,
        }
    }

    /// Goes on with what was `taken` from the process before, once that has heard so. Returns where that passes requests on.
    ///
    /// # Errors
    /// If the system refuses what is needed for it, or that process says something unexpected.
    pub(in crate::app) async fn follows(&mut self, taken: Taken) -> io::Result<(Listener, Before)> {
        let Taken { mut before, gateway, back_door } = taken;
        self.gateway.go_on_with(gateway, self.supervisor.pairs());
        let listener = back_door.listener(Phases::from(&self.phases))?;
        self.back_door = Some(back_door);
        before.confirm().await.map_err(io::Error::other)?;
        Ok((listener, before))
    }

    /// What is believed at the back door.
    pub(in crate::app) fn passed_on(&self) -> &str {
        self.back_door.as_ref().map_or("", |back_door| &back_door.secret)
    }

    /// Hands over when `asked`. Returns once another process has taken over; for ever if none does.
    pub(in crate::app) async fn give_when(mut self, asked: &mut Signal) -> Given {
        while asked.recv().await.is_some() {
            info!("SIGUSR2: another process is to take over");
            match self.give().await {
                Ok(given) => return given,
                Err(cause) => warn!(%cause, "the hand-over has failed, and this process goes on"),
            }
        }
        std::future::pending().await
    }

    async fn give(&mut self) -> Result<Given, HandoverError> {
        let ((mut sender, mut receiver), theirs) = handover::pair()?;
        let (child, program) = handover::start(theirs).map_err(HandoverError::Start)?;
        let mut child = Candidate(Some(child));
        let pid = child.id();
        info!(program = %program.display(), pid, "started the process that is to take over");
        let given = tokio::select! {
            given = self.give_all(&mut sender, &mut receiver) => given,
            ended = child.ends() => Err(ended.map_or_else(HandoverError::System, HandoverError::Ended)),
        };
        // The end of the process tells more than that of the link.
        let given = match given {
            Err(HandoverError::Link(failed)) => match timeout(ENDING, child.ends()).await {
                Ok(Ok(status)) => Err(HandoverError::Ended(status)),
                Ok(Err(_)) | Err(_) => Err(HandoverError::Link(failed)),
            },
            given => given,
        };
        let (successor, news) = match (given, self.news.take()) {
            (Ok(successor), Some(news)) => (successor, news),
            (given, news) => {
                // First of all: it must not take over any more.
                child.end().await;
                self.go_on(news);
                return Err(given.err().unwrap_or(HandoverError::Unexpected));
            }
        };
        self.supervisor.handed_over();
        self.gateway.has_successor(successor);
        self.phases.send_replace(Phase::HandedOver);
        let stood_still_ms = self.stands_still_since.map(|since| since.elapsed().as_millis());
        info!(stood_still_ms, pid, "another process has taken over; this one ends with its last connection");
        if let Some(pid) = pid {
            service_manager::main_process_is(pid);
        }
        child.outlives_this_process();
        // If it has gone meanwhile, that is seen when it is heard next.
        let _ = sender.send(&FromOld::HandedOver).await;
        Ok(Given { sender, receiver, news })
    }

    /// Gives everything. This process stands still from some point on.
    async fn give_all(
        &mut self,
        sender: &mut Sender,
        receiver: &mut Receiver,
    ) -> Result<Successor, HandoverError> {
        let successor = self.offer(sender).await?;
        match expected(receiver).await? {
            FromNew::Ready { version: VERSION } => {}
            FromNew::Ready { version } => return Err(HandoverError::Version { theirs: version }),
            FromNew::Taken | FromNew::Established => return Err(HandoverError::Unexpected),
        }
        // Most of it beforehand, so that nobody has to wait for it.
        let mut sent = BTreeSet::new();
        let beforehand = send_pieces(sender, self.supervisor.pieces(), &mut sent);
        timeout(PATIENCE, beforehand).await.map_err(|_| HandoverError::Late)??;
        let rest = async {
            self.give_rest(sender, sent).await?;
            match expected(receiver).await? {
                FromNew::Taken => Ok(successor),
                FromNew::Ready { .. } | FromNew::Established => Err(HandoverError::Unexpected),
            }
        };
        timeout(STANDSTILL, rest).await.map_err(|_| HandoverError::Late)?
    }

    /// Offers the sockets. Returns the other process as it will be reached.
    async fn offer(&mut self, sender: &mut Sender) -> Result<Successor, HandoverError> {
        let back_door = match self.back_door.take() {
            Some(back_door) => back_door,
            None => BackDoor::new()?,
        };
        let back_door = self.back_door.insert(back_door);
        let Listening { plain, secure } = &self.listening;
        let sockets = [Some(plain), secure.as_ref(), Some(&back_door.socket)];
        let sockets: Vec<BorrowedFd<'_>> =
            sockets.into_iter().flatten().map(|socket| socket.as_fd()).collect();
        let (is_secure, upstream) = (secure.is_some(), self.upstream.clone());
        let offer = FromOld::Offer { version: VERSION, is_secure, listen: self.listen, upstream };
        sender.send_with(&offer, &[], &sockets).await?;
        Ok(Successor::behind(back_door.target()?, back_door.secret.clone()))
    }

    /// Stands still, and gives what has not been `sent`.
    async fn give_rest(
        &mut self,
        sender: &mut Sender,
        mut sent: BTreeSet<PieceName>,
    ) -> Result<(), HandoverError> {
        self.stands_still_since = Some(Instant::now());
        self.phases.send_replace(Phase::HandingOver);
        let Frozen { parts, pieces, extents, news } = self.supervisor.freeze().await?;
        self.news = Some(news);
        self.supervisor.remembered().await;
        self.supervisor.pulled_closed().await;
        send_pieces(sender, pieces, &mut sent).await?;
        for extent in &extents {
            sender.send_with(&FromOld::Extent, &[], &[extent.as_fd()]).await?;
        }
        let gateway = self.gateway.parts(self.supervisor.viewers());
        let state = State { supervisor: parts, gateway, passed_on: self.passed_on().to_owned() };
        Ok(sender.send(&FromOld::State(Box::new(state))).await?)
    }

    /// Goes on as if nothing had happened, with what has happened since this process stood still, if it did.
    fn go_on(&self, news: Option<UnboundedReceiver<News>>) {
        if let Some(news) = news {
            self.supervisor.thaw(news);
        }
        self.phases.send_replace(Phase::Serving);
    }
}

impl Given {
    /// Tells the other process what happens to what this one has open, and closes it once the other has streams of its own.
    pub(in crate::app) async fn release(self, supervisor: &Supervisor) {
        let Self { mut sender, mut receiver, mut news } = self;
        // Where the other process has gone, nothing is waited for.
        let _ = timeout(ESTABLISHED, receiver.receive::<FromNew>()).await;
        let released = supervisor.shut_down(RELEASED);
        tokio::pin!(released);
        let mut is_linked = true;
        loop {
            tokio::select! {
                _ = &mut released => break,
                Some(news) = news.recv() => {
                    is_linked = is_linked && sender.send(&FromOld::News(Box::new(news))).await.is_ok();
                }
            }
        }
        while let Ok(news) = news.try_recv() {
            is_linked = is_linked && sender.send(&FromOld::News(Box::new(news))).await.is_ok();
        }
        if is_linked && sender.send(&FromOld::Released).await.is_ok() {
            // The WebSockets that this process carries may go on for hours. Its end says that all have ended.
            tokio::spawn(noted("the news of the last WebSockets", async move {
                while let Some(news) = news.recv().await {
                    if sender.send(&FromOld::News(Box::new(news))).await.is_err() {
                        break;
                    }
                }
            }));
        }
    }
}

/// What the new process says next.
async fn expected(receiver: &mut Receiver) -> Result<FromNew, HandoverError> {
    let received = timeout(PATIENCE, receiver.receive()).await.map_err(|_| HandoverError::Late)?;
    Ok(received?.message)
}

/// Sends the pieces that have not been `sent`.
async fn send_pieces(
    sender: &mut Sender,
    pieces: Vec<(PieceName, bytes::Bytes)>,
    sent: &mut BTreeSet<PieceName>,
) -> Result<(), HandoverError> {
    for (name, bytes) in pieces {
        if sent.insert(name) {
            sender.send_with(&FromOld::Piece(name), &bytes, &[]).await?;
        }
    }
    Ok(())
}

impl Candidate {
    fn id(&self) -> Option<u32> {
        self.0.as_ref()?.id()
    }

    /// Waits until it has ended by itself.
    async fn ends(&mut self) -> io::Result<ExitStatus> {
        match &mut self.0 {
            Some(child) => child.wait().await,
            None => std::future::pending().await,
        }
    }

    /// Ends it: it must not take over any more.
    async fn end(mut self) {
        if let Some(mut child) = self.0.take()
            && let Err(error) = child.kill().await
        {
            warn!(%error, "cannot end the process that was to take over");
        }
    }

    /// It has taken over.
    fn outlives_this_process(mut self) {
        self.0 = None;
    }
}

impl Drop for Candidate {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // If it has ended already, that is as well.
            let _ = child.start_kill();
        }
    }
}
