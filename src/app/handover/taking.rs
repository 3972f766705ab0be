//! The side of the process that follows: takes the sockets first, everything else when it is ready, and hears what the other closes.

use std::collections::HashMap;
use std::net::TcpListener;
use std::os::fd::OwnedFd;

use tokio::time::timeout;
use tracing::{info, warn};

use super::back_door::BackDoor;
use super::dialogue::{Addresses, ESTABLISHED, FromNew, FromOld, HandoverError, PATIENCE, State, VERSION};
use crate::background::noted;
use crate::handover::{self, LinkError, Receiver, Sender};
use crate::proxy::handed_over::GatewayParts;
use crate::service_manager::{self, Sockets};
use crate::spool::Spool;
use crate::supervisor::Supervisor;
use crate::supervisor::handed_over::Pieces;
use crate::supervisor::handed_over::estate::{Inherited, Theirs};

/// The process before this one, which waits until this one is ready.
#[derive(Debug)]
pub(in crate::app) struct Predecessor {
    sender: Sender,
    receiver: Receiver,
    back_door: TcpListener,
}

/// What it has handed over, but for what the supervisor begins with.
#[derive(Debug)]
pub(in crate::app) struct Taken {
    pub(super) before: Before,
    /// What its gateway has decided.
    pub(in crate::app) gateway: GatewayParts,
    /// Where it passes requests on to this process.
    pub(super) back_door: BackDoor,
}

/// The process before this one, once it has handed over.
#[derive(Debug)]
pub(in crate::app) struct Before {
    sender: Sender,
    receiver: Receiver,
    theirs: Theirs,
}

impl Predecessor {
    /// The process that has started this one to take its place, if one has, and those of its sockets that are where this one is told to
    /// listen. It has to stand before the same server as this one.
    ///
    /// # Errors
    /// See [`HandoverError`].
    pub(in crate::app) async fn find(
        upstream: &str,
        listen: Addresses,
    ) -> Result<Option<(Self, Sockets)>, HandoverError> {
        let Some((mut sender, mut receiver)) = handover::inherited()? else { return Ok(None) };
        let offer = timeout(PATIENCE, receiver.receive()).await.map_err(|_| HandoverError::Late)??;
        let FromOld::Offer { version, is_secure, listen: listened, upstream: theirs } = offer.message else {
            return Err(HandoverError::Unexpected);
        };
        if version != VERSION {
            sender.send(&FromNew::Ready { version: VERSION }).await?;
            return Err(HandoverError::Version { theirs: version });
        }
        if theirs != upstream {
            return Err(HandoverError::OtherServer);
        }
        let mut sockets = offer.descriptors.into_iter().map(TcpListener::from);
        let mut next = || sockets.next().ok_or(HandoverError::Unexpected);
        let (plain, secure) = (next()?, if is_secure { Some(next()?) } else { None });
        let back_door = next()?;
        info!("taking over from the process that has started this one");
        // What is configured elsewhere now is bound there.
        let plain = Some(plain).filter(|_| listened.0 == listen.0);
        let secure = secure.filter(|_| listened.1 == listen.1);
        Ok(Some((Self { sender, receiver, back_door }, Sockets::of(plain, secure))))
    }

    /// Takes everything, once nothing can fail here any more. The extents of old pieces go to the spool, if there is one.
    ///
    /// # Errors
    /// See [`HandoverError`].
    pub(in crate::app) async fn take(
        self,
        spool: Option<&Spool>,
    ) -> Result<(Taken, Inherited), HandoverError> {
        let Self { mut sender, mut receiver, back_door } = self;
        sender.send(&FromNew::Ready { version: VERSION }).await?;
        let (mut in_memory, mut extents) = (HashMap::new(), Vec::new());
        let State { supervisor, gateway, passed_on } = loop {
            let received = timeout(PATIENCE, receiver.receive()).await.map_err(|_| HandoverError::Late)??;
            match received.message {
                FromOld::Piece(name) => drop(in_memory.insert(name, received.bytes)),
                FromOld::Extent => extents.extend(received.descriptors),
                FromOld::State(state) => break *state,
                FromOld::Offer { .. } | FromOld::News(_) | FromOld::HandedOver | FromOld::Released => {
                    return Err(HandoverError::Unexpected);
                }
            }
        };
        let adopted = spool.map(|spool| spool.adopt(extents)).unwrap_or_default();
        let inherited = Inherited { parts: supervisor, pieces: Pieces { in_memory, adopted } };
        let address = back_door.local_addr()?;
        let back_door = BackDoor { socket: OwnedFd::from(back_door), address, secret: passed_on };
        let before = Before { sender, receiver, theirs: inherited.theirs() };
        Ok((Taken { before, gateway, back_door }, inherited))
    }
}

impl Before {
    /// Tells the other process that this one can go on with everything, and waits until it may. If the other process has gone, nobody else
    /// can: while that lives and has not handed over, it ends this process rather than the link.
    ///
    /// # Errors
    /// If the other process says something else.
    pub(super) async fn confirm(&mut self) -> Result<(), HandoverError> {
        // Whether it has gone is heard next: a socket whose other end was lost with unread messages fails.
        let _ = self.sender.send(&FromNew::Taken).await;
        match self.receiver.receive().await.map(|received| received.message) {
            Ok(FromOld::HandedOver) | Err(LinkError::Gone | LinkError::Io(_)) => {
                service_manager::ready();
                Ok(())
            }
            Ok(_) => Err(HandoverError::Unexpected),
            Err(error @ LinkError::Unreadable(_)) => Err(error.into()),
        }
    }

    /// Hears what the other process closes, and closes what it leaves.
    pub(in crate::app) async fn follow(self, supervisor: Supervisor) {
        let Self { mut sender, mut receiver, mut theirs, .. } = self;
        let ready = supervisor.clone();
        let tell = tokio::spawn(noted("the message that streams have segments", async move {
            ready.established(ESTABLISHED).await;
            let _ = sender.send(&FromNew::Established).await;
            // The other process would take a closed link for the end of this one.
            sender
        }));
        let mut has_released = false;
        loop {
            match receiver.receive().await.map(|received| received.message) {
                Ok(FromOld::News(news)) => supervisor.told(*news, &mut theirs),
                Ok(FromOld::Released) => {
                    has_released = true;
                    supervisor.closes_what_is_left_of(&mut theirs);
                }
                Ok(
                    FromOld::Offer { .. }
                    | FromOld::Piece(_)
                    | FromOld::Extent
                    | FromOld::State(_)
                    | FromOld::HandedOver,
                ) => {}
                Err(LinkError::Gone) if has_released => break,
                Err(LinkError::Gone) => {
                    warn!(
                        "the process before this one has ended before it had closed everything; this one does"
                    );
                    break;
                }
                Err(error) => {
                    warn!(%error, "the process before this one cannot be heard any more");
                    break;
                }
            }
        }
        supervisor.closes_what_is_left_of(&mut theirs);
        supervisor.connections_ended(&theirs);
        let _ = tell.await;
    }
}
