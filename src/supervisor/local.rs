//! The local time of day, by which viewers' habits go.

use std::time::Duration;

use jiff::Zoned;

/// Seconds of a day.
const DAY: u64 = 24 * 3600;

/// What it was so long ago.
pub(super) fn time_of_day(ago: Duration) -> Duration {
    let now = Zoned::now().time();
    let [hours, minutes] = [now.hour(), now.minute()].map(|part| u64::try_from(part).unwrap_or_default());
    before(Duration::from_secs((hours * 60 + minutes) * 60), ago)
}

fn before(time_of_day: Duration, ago: Duration) -> Duration {
    Duration::from_secs((time_of_day.as_secs() + DAY - ago.as_secs() % DAY) % DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ago_it_was_as_late_as_now() {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        for (now, ago, then) in [(20, 0, 20), (20, 3, 17), (2, 3, 23), (2, 24 * 9 + 3, 23), (0, 24, 0)] {
            assert_eq!(before(hours(now), hours(ago)), hours(then), "{now} {ago}");
        }
    }
}
