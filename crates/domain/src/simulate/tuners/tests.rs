//! A day of a household, on each number of tuners.

use std::collections::BTreeMap;

use super::*;
use crate::value::Thrift;

#[test]
fn no_recording_and_no_viewer_pays_for_what_is_kept_warm() {
    let mut started_ahead = 0;
    for tuners in 1..=5 {
        let ahead = (tuners > 3).then_some((true, Some(Thrift::Generous)));
        for (tells, ahead) in [(true, None), (false, None)].into_iter().chain(ahead) {
            let day = live(&Household { tuners, tells, days: 0.5, seed: u64::from(tuners), ahead });
            let what = format!("{tuners} tuners, told {tells}, ahead {ahead:?}: {day:#?}");
            assert!(day.zaps > 100 && day.recordings > 2, "{what}");
            assert_eq!((day.left_behind, day.surplus), (0, 0), "{what}");
            // Where the limit is unknown, a recording costs one idle channel, whose tuner a viewer may take before it begins.
            assert!(!tells || day.recordings_late_for_warmth == 0, "{what}");
            assert_eq!(day.cut, BTreeMap::new(), "{what}");
            // One may be refused in the minute until the gateway hears of a recording that has just begun.
            assert!(day.refused_for_warmth <= u64::from(ahead.is_some()), "{what}");
            assert!(ahead.is_some() || day.started_ahead == 0, "{what}");
            started_ahead += day.started_ahead;
        }
    }
    assert!(started_ahead > 2, "{started_ahead}");
}

#[test]
fn the_same_household_has_the_same_week() {
    let household = Household { tuners: 2, tells: true, days: 0.2, seed: 7, ahead: None };
    assert_eq!(live(&household), live(&household));
    assert_ne!(live(&household), live(&Household { seed: 8, ..household }));
}
