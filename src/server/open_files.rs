//! The number of files and sockets that the system lets this process have open at once.

use domain::connections;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit of open files to the highest that the system allows, and returns how many connections fit below it: `wanted`, or
/// fewer, of which the log tells.
#[must_use]
pub fn room_for(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let files = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::debug!(%error, "cannot raise the limit of open files");
            limit.current
        }
    };
    let fit = files.map_or(wanted, |files| connections::fitting(wanted, files));
    if let Some(files) = files.filter(|_| fit < wanted) {
        let needed = connections::files_for(wanted);
        tracing::warn!(
            wanted,
            fit,
            files,
            needed,
            "the system allows too few open files for clients.connections, so there will be fewer: raise its hard limit (LimitNOFILE=, ulimit -Hn)"
        );
    }
    fit
}
