//! Anything at all as the query of a playlist: a profile that can be shared can be shared with itself.
#![no_main]

use domain::encoding::demand::Demand;
use domain::profile::{Policy, ProfileKey};
use libfuzzer_sys::fuzz_target;
use warmgate::proxy::query::Query;

const ANY: Policy = Policy { video_transcoding: true, audio_transcoding: true };

fuzz_target!(|data: &[u8]| {
    let query = Query::parse(&String::from_utf8_lossy(data));
    for is_apple in [false, true] {
        if let Ok(profile) = ProfileKey::from_query(query.pairs(), is_apple, ANY) {
            assert!(profile.key.meets(&profile.key));
        }
    }
    let _ = Demand::from_query(query.pairs(), ANY);
    let ours = query.substitute(&[("PlaySessionId", "ours")]);
    assert_eq!(Query::parse(&ours.to_string()).get("playsessionid"), Some("ours"));
});
