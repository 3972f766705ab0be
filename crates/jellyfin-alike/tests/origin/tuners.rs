//! How many tuners there are: what the configuration says, and what happens when they do not suffice.

use jellyfin_alike::{Policy, Settings, User};

use crate::client::profile;
use crate::set::set_up;

#[tokio::test]
async fn every_login_may_read_the_number_of_tuners() {
    let mut carol = User::new("carol");
    carol.policy = Policy { live_tv: false, ..Policy::default() };
    for tells_tuners in [true, false] {
        let users = vec![carol.clone()];
        let set = set_up(Settings { tuners: 1, tells_tuners, users, ..Settings::quick() }).await;
        let path = "/System/Configuration/livetv";
        assert_eq!(set.status(path).await, 401);
        let host =
            set.client.get(&format!("{path}?ApiKey={}", set.token)).await.json()["TunerHosts"][0].take();
        assert_eq!(host["TunerCount"], usize::from(tells_tuners));
        assert_eq!((&host["Type"], &host["AllowStreamSharing"]), (&"m3u".into(), &true.into()));
        assert!(host["Id"].is_string() && host["Url"].is_string(), "{host}");
        set.play(1).await;
        let second = format!("/Items/{}/PlaybackInfo", set.origin.channels()[1].item_id);
        let second =
            set.client.post(&format!("{second}?AutoOpenLiveStream=true"), &set.token, &profile()).await;
        assert_eq!(second.status, 500, "the limit exists, told or not");
    }
}
