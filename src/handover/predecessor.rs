//! The end of the link that a process before this one has started this one with.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::{env, io};

use rustix::stdio::dup2_stdin;

use crate::handover::link::{self, Receiver, Sender};
use crate::handover::successor::VARIABLE;

/// The link to the process before this one, if that has started this one to take its place. The standard input is empty from then on.
///
/// # Errors
/// If what the variable promises is not there.
///
/// # Panics
/// Outside a tokio runtime.
pub fn inherited() -> io::Result<Option<(Sender, Receiver)>> {
    if env::var_os(VARIABLE).is_none() {
        return Ok(None);
    }
    let link = io::stdin().as_fd().try_clone_to_owned()?;
    dup2_stdin(File::open("/dev/null")?)?;
    link::over(UnixStream::from(link)).map(Some)
}
