//! FFmpegs of a gateway that was killed, found and ended by the next one.
//!
//! Each carries in its environment whose it is and who started it. One whose parent is another by now has lost it.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tracing::warn;

/// The variable that marks a process as a gateway's.
pub(super) const MARK: &str = "WARMGATE_OWNER";

/// The mark of what this process starts for `owner`.
pub(super) fn mark(owner: &str) -> String {
    format!("{owner}:{}", std::process::id())
}

/// Ends what an earlier gateway of `owner` left running; says how many there were. Looks through `/proc`, which blocks.
pub fn end(owner: &str) -> usize {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let ended = pids.filter(|pid| end_if_left(*pid, owner)).count();
    if ended > 0 {
        warn!(ended, "ended FFmpegs that an earlier run had left");
    }
    ended
}

/// The handle is taken before anything is asked, so that what is ended is what was looked at.
fn end_if_left(pid: i32, owner: &str) -> bool {
    let folder = format!("/proc/{pid}");
    Pid::from_raw(pid)
        .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
        .filter(|_| is_left(Path::new(&folder), owner).unwrap_or(false))
        .is_some_and(|handle| pidfd_send_signal(handle, Signal::KILL).is_ok())
}

/// Other users' environments cannot be read, and are not ours.
fn is_left(folder: &Path, owner: &str) -> Option<bool> {
    let environment = fs::read(folder.join("environ")).ok()?;
    let marks = environment.split(|byte| *byte == 0).filter_map(|pair| pair.strip_prefix(MARK.as_bytes()));
    let mark = std::str::from_utf8(marks.filter_map(|rest| rest.strip_prefix(b"=")).next()?).ok()?;
    let (whose, starter) = mark.rsplit_once(':')?;
    Some(whose == owner && parent(&fs::read_to_string(folder.join("stat")).ok()?)? != starter)
}

/// The fourth field; the second is a name in brackets, which may hold anything.
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
