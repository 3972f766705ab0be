//! The link between two processes: a socket without a name, over which each message may carry bytes and descriptors.
//!
//! A frame is a head (the lengths of message and bytes), the message as JSON, and the bytes. Descriptors travel with the head. Messages
//! may contain credentials: an error shows nothing of them.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net;

use bytes::Bytes;
use domain::memory::Memory as _;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::memory::Mapped;

/// Bytes of a head: the lengths of the message and of the bytes.
const HEAD: usize = 16;
/// The most descriptors that a frame carries.
const DESCRIPTORS: usize = 16;
/// The most bytes that a message, or the bytes with it, may have.
const LARGEST: u64 = 1 << 30;
/// Bytes are read in chunks of this size.
const CHUNK: usize = 256 << 10;

/// Why a message could not be sent or received.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The socket has failed, or the other process has gone in the middle of a message.
    #[error("the link to the other process has failed: {0}")]
    Io(#[from] io::Error),
    /// The other process has gone.
    #[error("the other process has gone")]
    Gone,
    /// A message has another form than this version of the gateway knows.
    #[error("the other process says what this one does not understand (column {0})")]
    Unreadable(usize),
}

impl From<serde_json::Error> for LinkError {
    fn from(error: serde_json::Error) -> Self {
        Self::Unreadable(error.column())
    }
}

/// A message that was received, with what it carried.
#[derive(Debug)]
pub struct Frame<M> {
    /// The message.
    pub message: M,
    /// The bytes.
    pub bytes: Bytes,
    /// The descriptors.
    pub descriptors: Vec<OwnedFd>,
}

/// The sending side of a link. The other process learns when it is dropped.
#[derive(Debug)]
pub struct Sender(OwnedWriteHalf);

/// The receiving side of a link.
#[derive(Debug)]
pub struct Receiver(OwnedReadHalf);

/// A new link: this process's end, and the one for the other process.
///
/// # Errors
/// If the system refuses a socket.
pub fn pair() -> io::Result<((Sender, Receiver), OwnedFd)> {
    let (ours, theirs) = net::UnixStream::pair()?;
    Ok((over(ours)?, theirs.into()))
}

/// The link over a socket that the other process has made.
pub(super) fn over(socket: net::UnixStream) -> io::Result<(Sender, Receiver)> {
    socket.set_nonblocking(true)?;
    let (receiver, sender) = UnixStream::from_std(socket)?.into_split();
    Ok((Sender(sender), Receiver(receiver)))
}

impl Sender {
    /// Sends a message. It may be sent in part if this future is dropped.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn send(&mut self, message: &impl Serialize) -> Result<(), LinkError> {
        self.send_with(message, &[], &[]).await
    }

    /// The same with bytes and as many descriptors as fit (`DESCRIPTORS`).
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn send_with(
        &mut self,
        message: &impl Serialize,
        bytes: &[u8],
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), LinkError> {
        let message = serde_json::to_vec(message)?;
        let mut head = [0; HEAD];
        head[..8].copy_from_slice(&(message.len() as u64).to_le_bytes());
        head[8..].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
        let socket = self.0.as_ref();
        let sent = socket.async_io(Interest::WRITABLE, || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
                return Err(io::Error::other("too many descriptors for one message"));
            }
            Ok(sendmsg(socket, &[IoSlice::new(&head)], &mut control, SendFlags::NOSIGNAL)?)
        });
        let sent = sent.await?;
        self.0.write_all(&head[sent..]).await?;
        self.0.write_all(&message).await?;
        self.0.write_all(bytes).await?;
        Ok(())
    }
}

impl Receiver {
    /// Receives a message. The rest of one that was received in part is lost if this future is dropped.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn receive<M: DeserializeOwned>(&mut self) -> Result<Frame<M>, LinkError> {
        let (head, descriptors) = self.head().await?;
        let length = |at: usize| {
            let length = u64::from_le_bytes(std::array::from_fn(|byte| head[at + byte]));
            usize::try_from(length.min(LARGEST)).unwrap_or(usize::MAX)
        };
        let message = self.exactly(length(0)).await?;
        let bytes = self.exactly(length(8)).await?;
        Ok(Frame { message: serde_json::from_slice(&message)?, bytes, descriptors })
    }

    async fn head(&mut self) -> Result<([u8; HEAD], Vec<OwnedFd>), LinkError> {
        let (mut head, mut filled, mut descriptors) = ([0; HEAD], 0, Vec::new());
        while filled < HEAD {
            let socket = self.0.as_ref();
            let read = socket.async_io(Interest::READABLE, || {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
                let mut control = RecvAncillaryBuffer::new(&mut space);
                let mut rest = [IoSliceMut::new(&mut head[filled..])];
                let received = recvmsg(socket, &mut rest, &mut control, RecvFlags::CMSG_CLOEXEC)?;
                if received.flags.contains(ReturnFlags::CTRUNC) {
                    return Err(io::Error::other("this process may have no more descriptors"));
                }
                let read = received.bytes;
                for message in control.drain() {
                    if let RecvAncillaryMessage::ScmRights(received) = message {
                        descriptors.extend(received);
                    }
                }
                Ok(read)
            });
            match read.await? {
                0 if filled == 0 => return Err(LinkError::Gone),
                0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                read => filled += read,
            }
        }
        Ok((head, descriptors))
    }

    async fn exactly(&mut self, length: usize) -> io::Result<Bytes> {
        if length == 0 {
            return Ok(Bytes::new());
        }
        let mut all = Mapped::with_room(length);
        let mut chunk = vec![0; length.min(CHUNK)];
        while all.len() < length {
            let wanted = (length - all.len()).min(CHUNK);
            self.0.read_exact(&mut chunk[..wanted]).await?;
            all.extend_from_slice(&chunk[..wanted]);
        }
        Ok(all.into())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read as _, Seek as _, Write as _};
    use std::os::fd::AsFd as _;

    use super::*;

    fn linked() -> ((Sender, Receiver), (Sender, Receiver)) {
        let (ours, theirs) = pair().unwrap();
        (ours, over(theirs.into()).unwrap())
    }

    #[tokio::test]
    async fn a_message_carries_bytes_and_descriptors() {
        let ((mut sender, _), (_, mut receiver)) = linked();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"content").unwrap();
        let bytes = vec![7; 3 * CHUNK + 1];
        let sending = async {
            sender.send(&"first").await.unwrap();
            sender.send_with(&("second", 2), &bytes, &[file.as_fd(), file.as_fd()]).await.unwrap();
            drop(sender);
        };
        let receiving = async {
            let first = receiver.receive::<String>().await.unwrap();
            assert_eq!((&*first.message, first.bytes.len(), first.descriptors.len()), ("first", 0, 0));
            let Frame { message, bytes, descriptors } = receiver.receive::<(String, u8)>().await.unwrap();
            assert_eq!(
                (&*message.0, message.1, bytes.len(), descriptors.len()),
                ("second", 2, 3 * CHUNK + 1, 2)
            );
            assert!(matches!(receiver.receive::<String>().await, Err(LinkError::Gone)));
            descriptors
        };
        let ((), descriptors) = tokio::join!(sending, receiving);
        let mut file: File = descriptors.into_iter().next().unwrap().into();
        let mut content = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut content).unwrap();
        assert_eq!(content, "content");
    }

    #[tokio::test]
    async fn an_error_shows_nothing_of_the_message() {
        let ((mut sender, _), (_, mut receiver)) = linked();
        sender.send(&"a secret").await.unwrap();
        let error = receiver.receive::<u32>().await.unwrap_err();
        assert!(matches!(error, LinkError::Unreadable(_)));
        assert!(!format!("{error} {error:?}").contains("secret"));
    }

    #[tokio::test]
    async fn what_ends_in_the_middle_is_an_error() {
        let ((mut sender, _), (_, mut receiver)) = linked();
        sender.0.write_all(&[1; 5]).await.unwrap();
        drop(sender);
        assert!(matches!(receiver.receive::<u32>().await, Err(LinkError::Io(_))));
    }
}
