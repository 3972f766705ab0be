//! Measures how much of this machine's CPU time is idle.
//!
//! `/proc/stat` counts the whole machine, also from within a container, so the server's encoders count where they run beside the
//! gateway. A server on another machine is not seen. It does not know why anybody asks.

use std::time::Duration;

use tokio::time::sleep;

/// The time that is measured: a hundred ticks of the kernel's clock on two cores.
const SPAN: Duration = Duration::from_millis(500);

/// The CPU time of all cores since the machine's start, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Times {
    all: u64,
    idle: u64,
}

/// The share of the CPU time that is idle during the next half second; `None` where the system does not tell.
pub async fn idle_share() -> Option<f64> {
    let before = Times::now().await?;
    sleep(SPAN).await;
    Times::now().await?.idle_share_since(before)
}

impl Times {
    async fn now() -> Option<Self> {
        Self::read(&tokio::fs::read_to_string("/proc/stat").await.ok()?)
    }

    /// Reads the first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal (proc_stat(5)). The times of
    /// guests behind them are part of the first two.
    fn read(stat: &str) -> Option<Self> {
        let times = stat.lines().next()?.strip_prefix("cpu ")?;
        let times: Option<Vec<u64>> =
            times.split_whitespace().take(8).map(|time| time.parse().ok()).collect();
        let times = times?;
        Some(Self { all: times.iter().sum(), idle: times.get(3)? + times.get(4).unwrap_or(&0) })
    }

    #[expect(clippy::cast_precision_loss, reason = "a difference of half a second is small")]
    fn idle_share_since(self, before: Self) -> Option<f64> {
        let all = self.all.checked_sub(before.all).filter(|all| *all > 0)?;
        Some(self.idle.saturating_sub(before.idle) as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_for_a_disk_is_idle_and_a_stolen_tick_is_not() {
        let before = Times::read("cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 2 3\n").unwrap();
        let after = Times::read("cpu  130 10 60 830 60 0 0 10 30 0\n").unwrap();
        assert_eq!(after.idle_share_since(before), Some(0.4));
        assert_eq!(before.idle_share_since(before), None, "no time has passed");
        assert_eq!(Times::read("cpu  100 0 50\n"), None);
        assert_eq!(Times::read("intr 1"), None);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn linux_tells() {
        let idle = idle_share().await.unwrap();
        assert!((0.0..=1.0).contains(&idle), "{idle}");
    }
}
