//! Finds and ends FFmpegs that a killed gateway has left running.
//!
//! Each FFmpeg carries its owner and its parent's process id in its environment. One that has another parent is a leftover.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tracing::warn;

/// The variable that marks a process as a gateway's.
pub(super) const MARK: &str = "WARMGATE_OWNER";

/// The mark of processes that this process starts for `owner`.
pub(super) fn mark(owner: &str) -> String {
    format!("{owner}:{}", std::process::id())
}

/// Ends the leftovers of an earlier gateway of `owner` and returns their number. Reads `/proc`, which blocks.
pub fn end(owner: &str) -> usize {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let ended = pids.filter(|pid| end_if_left(*pid, owner)).count();
    if ended > 0 {
        warn!(ended, "ended FFmpegs that an earlier run left");
    }
    ended
}

/// Takes a handle of the process first, so that the one it checks is the one it ends, even if the id is used again.
fn end_if_left(pid: i32, owner: &str) -> bool {
    let folder = format!("/proc/{pid}");
    Pid::from_raw(pid)
        .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
        .filter(|_| is_left(Path::new(&folder), owner).unwrap_or(false))
        .is_some_and(|handle| pidfd_send_signal(handle, Signal::KILL).is_ok())
}

/// `None` for a process whose environment cannot be read (another user's) or has no mark.
fn is_left(folder: &Path, owner: &str) -> Option<bool> {
    let environment = fs::read(folder.join("environ")).ok()?;
    let marks = environment.split(|byte| *byte == 0).filter_map(|pair| pair.strip_prefix(MARK.as_bytes()));
    let mark = std::str::from_utf8(marks.filter_map(|rest| rest.strip_prefix(b"=")).next()?).ok()?;
    let (whose, starter) = mark.rsplit_once(':')?;
    Some(whose == owner && parent(&fs::read_to_string(folder.join("stat")).ok()?)? != starter)
}

/// The fourth field of `stat`. The second is a name in brackets, which may contain anything.
fn parent(stat: &str) -> Option<&str> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_by_its_mark_and_its_parent() {
        let folder = tempfile::tempdir().unwrap();
        let told = |environment: &str, stat: &str| {
            fs::write(folder.path().join("environ"), environment).unwrap();
            fs::write(folder.path().join("stat"), stat).unwrap();
            is_left(folder.path(), "/state:8097")
        };
        let orphan = "77 (a) b) S 1 77 77 0";
        assert_eq!(told("A=b\0WARMGATE_OWNER=/state:8097:42\0", orphan), Some(true));
        assert_eq!(
            told("WARMGATE_OWNER=/state:8097:42\0", "77 (ffmpeg) S 42 77"),
            Some(false),
            "it has its parent"
        );
        assert_eq!(told("WARMGATE_OWNER=/other:8097:42\0", orphan), Some(false), "another's");
        assert_eq!(told("WARMGATE_OWNERS=/state:8097:42\0", orphan), None);
        assert_eq!(told("", orphan), None);
    }
}
