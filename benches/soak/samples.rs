//! What a process has of the system's, and whether that grows.

use crate::support::Gateway;

/// How much memory may move without being called growth, in bytes, and so many files or threads.
const SLACK: [u64; 3] = [8 << 20, 8, 4];

#[derive(Clone, Copy)]
pub(crate) struct Sample {
    /// The resident set, in bytes.
    pub(crate) resident: u64,
    pub(crate) files: u64,
    pub(crate) threads: u64,
}

impl Sample {
    pub(crate) fn of(gateway: &Gateway) -> anyhow::Result<Self> {
        let process = gateway.id()?;
        let count = |what: &str| -> anyhow::Result<u64> {
            Ok(std::fs::read_dir(format!("/proc/{process}/{what}"))?.count() as u64)
        };
        Ok(Self { resident: gateway.resident()?, files: count("fd")?, threads: count("task")? })
    }
}

type Of = fn(&Sample) -> u64;

#[derive(Default)]
pub(crate) struct Samples(Vec<Sample>);

impl Samples {
    pub(crate) fn add(&mut self, sample: Sample) {
        self.0.push(sample);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn last(&self) -> Option<Sample> {
        self.0.last().copied()
    }

    /// What was more in the last third of the time than in the second; the first is for warming up.
    pub(crate) fn growth(&self) -> Vec<String> {
        let third = self.0.len() / 3;
        let kinds: [(&str, Of); 3] = [
            ("resident bytes", |sample| sample.resident),
            ("open files", |sample| sample.files),
            ("threads", |sample| sample.threads),
        ];
        let grown = kinds.into_iter().zip(SLACK).filter_map(|((what, of), slack)| {
            let [before, after] =
                [third..2 * third, 2 * third..3 * third].map(|part| median(&self.0[part], of));
            (after > before + slack).then(|| format!("{what} have grown from {before} to {after}"))
        });
        grown.collect()
    }
}

fn median(samples: &[Sample], of: Of) -> u64 {
    let mut values: Vec<_> = samples.iter().map(of).collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}
