//! Recognises that opening a channel has ended another one, as providers do that end the oldest connection when there is one too many.
//!
//! A channel counts as ended by another's opening if its data stopped between the request for that opening and a little after it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::key::MediaSourceId;
use crate::time::Timestamp;

/// How long after an opening another channel's end is put down to it.
const EFFECT: Duration = Duration::from_secs(10);
/// How long an opening may take, from its request on.
const OPENING: Duration = Duration::from_secs(30);
/// How late the last data before an end may be noticed as such.
const SLACK: Duration = Duration::from_secs(2);
/// How long ends are remembered: what is open at the server may be learned of late.
const REMEMBERED: Duration = Duration::from_secs(60);

/// The openings and ends of late.
#[derive(Clone, Debug, Default)]
pub(super) struct Harm {
    /// When an opening was last asked for.
    asked: Option<Timestamp>,
    open: BTreeMap<MediaSourceId, Opening>,
    ended: Vec<Ended>,
}

#[derive(Clone, Copy, Debug)]
struct Opening {
    asked: Timestamp,
    at: Timestamp,
    /// Whether it has ended another channel. It ends only one: where that is opened anew, a third one may end, which is no news.
    did_harm: bool,
}

#[derive(Clone, Debug)]
struct Ended {
    source: MediaSourceId,
    opened: Timestamp,
    /// When its last data came.
    last: Timestamp,
    noticed: Timestamp,
}

/// Two channels that could not both be open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Collision {
    /// The one that ended.
    pub(super) ended: MediaSourceId,
    /// The one that was opened.
    pub(super) opened: MediaSourceId,
}

impl Harm {
    /// A client or the gateway asks for an opening.
    pub(super) const fn asked(&mut self, now: Timestamp) {
        self.asked = Some(now);
    }

    /// These channels are open. Returns what the new ones have ended.
    pub(super) fn observe<'a>(
        &mut self,
        open: impl Iterator<Item = &'a MediaSourceId>,
        now: Timestamp,
    ) -> Vec<Collision> {
        let mut before = std::mem::take(&mut self.open);
        self.ended.retain(|ended| now.since(ended.noticed) < REMEMBERED);
        let asked = self.asked.filter(|asked| now.since(*asked) < OPENING).unwrap_or(now);
        let mut collisions = Vec::new();
        for source in open {
            let opening = before.remove(source).unwrap_or_else(|| {
                let opening = Opening { asked, at: now, did_harm: false };
                let ended = self.ended.iter().find(|ended| ended.is_by(source, opening));
                collisions.extend(ended.map(|ended| ended.collision(source)));
                Opening { did_harm: ended.is_some(), ..opening }
            });
            self.open.insert(source.clone(), opening);
        }
        collisions
    }

    /// A channel has ended by itself; its last data came at `last`. Returns the channel whose opening ended it.
    pub(super) fn ended(
        &mut self,
        source: &MediaSourceId,
        last: Timestamp,
        now: Timestamp,
    ) -> Option<Collision> {
        let opened = self.open.get(source)?.at;
        let ended = Ended { source: source.clone(), opened, last, noticed: now };
        let by = self.open.iter_mut().find(|(other, opening)| ended.is_by(other, **opening));
        let Some((other, opening)) = by else {
            self.ended.push(ended);
            return None;
        };
        opening.did_harm = true;
        Some(ended.collision(other))
    }
}

impl Ended {
    fn is_by(&self, other: &MediaSourceId, opening: Opening) -> bool {
        *other != self.source
            && !opening.did_harm
            && self.opened < opening.asked
            && opening.asked <= self.last + SLACK
            && self.last <= opening.at + EFFECT
    }

    fn collision(&self, opened: &MediaSourceId) -> Collision {
        Collision { ended: self.source.clone(), opened: opened.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn sources<const N: usize>(names: [&str; N]) -> [MediaSourceId; N] {
        names.map(MediaSourceId::new)
    }

    /// One is open since 0, two was asked for at 100 and is open at 105.
    fn harm() -> Harm {
        let mut harm = Harm::default();
        assert_eq!(harm.observe(sources(["one"]).iter(), at(0)), []);
        harm.asked(at(100));
        assert_eq!(harm.observe(sources(["one", "two"]).iter(), at(105)), []);
        harm
    }

    #[test]
    fn an_end_is_put_down_to_the_opening_that_it_follows() {
        let [one, two] = sources(["one", "two"]);
        let collision = Some(Collision { ended: one.clone(), opened: two.clone() });
        for (last, noticed, expected) in [
            (97, 100, None),
            (98, 108, collision.clone()),
            (103, 118, collision.clone()),
            (115, 130, collision),
            (116, 130, None),
        ] {
            assert_eq!(harm().ended(&one, at(last), at(noticed)), expected, "{last}");
        }
        assert_eq!(harm().ended(&two, at(107), at(108)), None, "it was the last to come");
    }

    #[test]
    fn an_opening_is_blamed_once() {
        let [one, three] = sources(["one", "three"]);
        let mut harm = Harm::default();
        harm.observe(sources(["one", "three"]).iter(), at(0));
        harm.asked(at(100));
        harm.observe(sources(["one", "three", "two"]).iter(), at(101));
        assert!(harm.ended(&one, at(101), at(102)).is_some());
        assert_eq!(harm.ended(&three, at(103), at(104)), None);
    }

    /// The end is noticed before the server has answered the opening.
    #[test]
    fn an_end_may_be_noticed_before_its_opening() {
        let [one, two] = sources(["one", "two"]);
        let mut harm = Harm::default();
        harm.observe(sources(["one"]).iter(), at(0));
        harm.asked(at(100));
        assert_eq!(harm.ended(&one, at(101), at(104)), None);
        assert_eq!(harm.observe([].iter(), at(104)), []);
        let collisions = harm.observe(sources(["two"]).iter(), at(105));
        assert_eq!(collisions, [Collision { ended: one, opened: two }]);
    }
}
