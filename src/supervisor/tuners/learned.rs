//! Remembers what the pool learns of tuner hosts whose limit nobody tells, across restarts, and says in the log what changes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tracing::info;

use crate::supervisor::handle::Handle;
use crate::upstream::state_file::StateFile;
use domain::pool::Pool;
use domain::tuners::Learned;

/// See the module.
#[derive(Debug)]
pub(in crate::supervisor) struct LearnedLimits {
    file: StateFile,
    known: BTreeMap<String, Learned>,
}

/// What is remembered of a host.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    /// The most channels that were open at once without harm.
    proven: u32,
    /// The most that can be open at once, if one more did harm.
    ceiling: Option<u32>,
}

impl LearnedLimits {
    /// Tells `pool` what an earlier process has learned.
    pub(in crate::supervisor) fn recalled(path: Option<PathBuf>, pool: &mut Pool) -> Self {
        let file = StateFile::new(path, "what was learned of the server's tuners");
        let entries: BTreeMap<String, Entry> = file.read().unwrap_or_default();
        let learned = |Entry { proven, ceiling }| Learned { proven, ceiling };
        let known: BTreeMap<_, _> = entries.into_iter().map(|(id, entry)| (id, learned(entry))).collect();
        for (host, &Learned { proven, ceiling }) in &known {
            info!(host, proven, ceiling, "it is remembered how many channels a tuner host can have open");
        }
        pool.recall_limits(known.clone());
        Self { file, known }
    }

    /// Writes down each change, for ever.
    pub(in crate::supervisor) async fn run(mut self, handle: Handle) {
        loop {
            handle.until(|pool| pool.learned_limits() != self.known).await;
            let learned = handle.pool().learned_limits();
            self.tell(&learned);
            self.write(&learned);
            self.known = learned;
        }
    }

    fn tell(&self, learned: &BTreeMap<String, Learned>) {
        for (host, &now) in learned.iter().filter(|(host, now)| self.known.get(*host) != Some(now)) {
            let before = self.known.get(host).copied().unwrap_or_default();
            let Learned { proven, ceiling } = now;
            if ceiling.is_some() && ceiling != before.ceiling {
                info!(
                    host,
                    proven,
                    ceiling,
                    "learned how many channels a tuner host can have open: one more did harm"
                );
            } else {
                info!(
                    host,
                    proven,
                    ceiling,
                    "learned how many channels a tuner host can have open: so many did no harm"
                );
            }
        }
    }

    fn write(&self, learned: &BTreeMap<String, Learned>) {
        let entry = |&Learned { proven, ceiling }: &Learned| Entry { proven, ceiling };
        let entries: BTreeMap<_, _> = learned.iter().map(|(id, learned)| (id, entry(learned))).collect();
        self.file.write(&entries);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::supervisor::tests::LIMITS;

    fn learned(proven: u32, ceiling: Option<u32>) -> BTreeMap<String, Learned> {
        BTreeMap::from([("host".to_owned(), Learned { proven, ceiling })])
    }

    fn recalled(path: &std::path::Path) -> (LearnedLimits, BTreeMap<String, Learned>) {
        let mut pool = Pool::new(LIMITS, []);
        let limits = LearnedLimits::recalled(Some(path.to_owned()), &mut pool);
        (limits, pool.learned_limits())
    }

    #[test]
    fn the_next_process_knows_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tuners.json");
        let (limits, known) = recalled(&path);
        assert!(known.is_empty());
        limits.write(&learned(3, Some(4)));
        drop(limits);
        let (limits, known) = recalled(&path);
        assert_eq!(known, learned(3, Some(4)));
        limits.write(&learned(5, None));
        drop(limits);
        assert_eq!(recalled(&path).1, learned(5, None));
    }

    #[test]
    fn a_torn_or_foreign_file_counts_as_nothing_and_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tuners.json");
        for content in
            ["", "{\"host\":{\"proven\":3,", "[1,2]", "{\"host\":{\"proven\":-1,\"ceiling\":null}}"]
        {
            fs::write(&path, content).unwrap();
            let (limits, known) = recalled(&path);
            assert!(known.is_empty(), "{content}");
            limits.write(&learned(2, None));
            drop(limits);
            assert_eq!(recalled(&path).1, learned(2, None));
        }
    }

    /// The new file cannot be written, as on a full disk.
    #[test]
    fn what_cannot_be_written_leaves_what_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tuners.json");
        let (limits, _) = recalled(&path);
        limits.write(&learned(2, None));
        drop(limits);
        let (limits, _) = recalled(&path);
        fs::create_dir(path.with_extension("new")).unwrap();
        limits.write(&learned(3, None));
        drop(limits);
        assert_eq!(recalled(&path).1, learned(2, None));
    }
}
