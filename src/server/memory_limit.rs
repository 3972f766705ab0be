//! Whether the memory that the system gives this process, or its control group, is nearly used up.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};

/// The part of a limit above which memory is short, in percent.
const SHORT: u64 = 80;

/// The bytes that are used, and the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Use {
    used: u64,
    limit: u64,
}

impl Use {
    const fn is_short(self) -> bool {
        self.used / 100 >= self.limit / 100 * SHORT / 100
    }
}

/// Whether memory is short: below a limit of the control group (version 1 or 2), or of the process's addresses (`RLIMIT_AS`).
pub(super) fn is_short() -> bool {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    places_of(&groups).iter().filter_map(|place| of_group(place)).chain(of_process()).any(Use::is_short)
}

/// Where the files of the control group and of those around it may be, each of which may have a limit: where the host mounts
/// them, or, last, where a container sees its own.
fn places_of(groups: &str) -> Vec<PathBuf> {
    let paths = groups.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let root = match controllers {
            "" => "/sys/fs/cgroup",
            named if named.split(',').any(|name| name == "memory") => "/sys/fs/cgroup/memory",
            _ => return None,
        };
        let group = Path::new(root).join(path.trim_start_matches('/'));
        Some(group.ancestors().take_while(|place| place.starts_with(root)).map(PathBuf::from).collect())
    });
    paths.flat_map(|places: Vec<_>| places).collect()
}

/// The use of a control group, without what is only cached of files, such as of the spool, and goes first.
fn of_group(place: &Path) -> Option<Use> {
    let read = |name| fs::read_to_string(place.join(name)).ok();
    let number = |text: String| text.trim().parse::<u64>().ok();
    let limit = read("memory.max").or_else(|| read("memory.limit_in_bytes")).and_then(number)?;
    let used = read("memory.current").or_else(|| read("memory.usage_in_bytes")).and_then(number)?;
    let cached = read("memory.stat").map_or(0, |text| cached(&text));
    Some(Use { used: used.saturating_sub(cached), limit })
}

fn cached(stat: &str) -> u64 {
    let value =
        |name: &str| stat.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
    let of =
        |name: &str| value(&format!("total_{name} ")).or_else(|| value(&format!("{name} "))).unwrap_or(0);
    of("inactive_file") + of("active_file")
}

fn of_process() -> Option<Use> {
    let limit = getrlimit(Resource::As).current?;
    let pages: u64 = fs::read_to_string("/proc/self/statm").ok()?.split_whitespace().next()?.parse().ok()?;
    Some(Use { used: pages * rustix::param::page_size() as u64, limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_fifths_of_a_limit_are_short() {
        let is_short = |used, limit| Use { used, limit }.is_short();
        assert!(is_short(800 << 20, 1000 << 20) && !is_short(799 << 20, 1000 << 20));
        assert!(!is_short(1 << 40, u64::MAX >> 1), "no limit in version 1");
    }

    #[test]
    fn the_control_group_is_found_in_both_versions() {
        let places = |text| places_of(text).iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
        assert_eq!(
            places("0::/user.slice/a\n"),
            ["/sys/fs/cgroup/user.slice/a", "/sys/fs/cgroup/user.slice", "/sys/fs/cgroup"]
        );
        assert_eq!(places("0::/\n"), ["/sys/fs/cgroup/"]);
        let first = "5:cpu,cpuacct:/x\n4:memory:/docker/1\n";
        assert_eq!(
            places(first),
            ["/sys/fs/cgroup/memory/docker/1", "/sys/fs/cgroup/memory/docker", "/sys/fs/cgroup/memory"]
        );
    }

    #[test]
    fn what_is_only_cached_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name, text| fs::write(folder.path().join(name), text).unwrap();
        assert_eq!(of_group(folder.path()), None);
        write("memory.max", "max\n");
        write("memory.current", "900\n");
        assert_eq!(of_group(folder.path()), None);
        write("memory.max", "1000\n");
        write("memory.stat", "anon 1\ninactive_file 200\nactive_file 50\n");
        assert_eq!(of_group(folder.path()), Some(Use { used: 650, limit: 1000 }));
        write("memory.stat", "inactive_file 1\ntotal_inactive_file 200\ntotal_active_file 60\n");
        assert_eq!(of_group(folder.path()), Some(Use { used: 640, limit: 1000 }));
    }
}
