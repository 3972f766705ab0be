//! Starts the process that is to take this one's place: the program that is now where this one's was, with the same arguments.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::{env, fs, io};

use tokio::process::{Child, Command};

/// The variable that tells a new process that its standard input is the link to the one before.
pub(super) const VARIABLE: &str = "WARMGATE_HANDOVER";
/// Whose watchdog the service manager means, by its process id: the new process has one of its own.
const WATCHDOG_OF: &str = "WATCHDOG_PID";
/// What the system adds to the path of a program whose file has been replaced.
const DELETED: &str = " (deleted)";

/// Starts the new process, with this end of a link as its standard input. It goes on if this one ends.
///
/// # Errors
/// If the program cannot be found or started.
pub fn start(link: OwnedFd) -> io::Result<(Child, PathBuf)> {
    let program = program(env::args_os().next(), fs::read_link("/proc/self/exe").ok())?;
    let mut command = Command::new(&program);
    command.args(env::args_os().skip(1)).env(VARIABLE, "0").env_remove(WATCHDOG_OF).stdin(Stdio::from(link));
    Ok((command.spawn()?, program))
}

/// The path that this program was started by, or else the one where its file was: either may lead to a newer file now.
fn program(called: Option<OsString>, file: Option<PathBuf>) -> io::Result<PathBuf> {
    let by_path = called.map(PathBuf::from).filter(|called| called.parent() != Some(Path::new("")));
    let file = file.map(|file| match file.to_str().and_then(|file| file.strip_suffix(DELETED)) {
        Some(before) => PathBuf::from(before),
        None => file,
    });
    by_path.filter(|path| path.exists()).or(file).ok_or_else(|| io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_program_is_found_where_the_old_one_was() {
        let file = |path: &str| Some(PathBuf::from(path));
        let found = |called: &str, exe| program(Some(called.into()), exe).unwrap();
        assert_eq!(found("warmgate", file("/opt/w (deleted)")), Path::new("/opt/w"));
        assert_eq!(found("warmgate", file("/opt/w")), Path::new("/opt/w"));
        assert_eq!(
            found("/proc/self/exe", file("/opt/w")),
            Path::new("/proc/self/exe"),
            "a link may lead elsewhere now"
        );
        assert_eq!(found("/nowhere/warmgate", file("/opt/w")), Path::new("/opt/w"));
        assert!(program(None, None).is_err());
    }
}
