//! What a simulated viewer does moment by moment, and what the proxy makes of it.

use std::time::Duration;

use crate::cadence::Class;
use crate::clients::TuneConditions;
use crate::key::{AskingId, ConsumerId, OpeningId, PlaySessionId, StreamKey};
use crate::openings::{ClientOpening, Mention, MentionKind, PlaybackReport};
use crate::pool::{Admission, Event, PlaylistHints, Tune};
use crate::produce::Produce;
use crate::profile::{Policy, ProfileKey};
use crate::signal::{Signal, Whose};
use crate::simulate::tuners::house::Leave;
use crate::simulate::tuners::server::at;
use crate::simulate::tuners::shell::{self, CLOSING, Device, Moment, Shell, TUNING, live_stream, viewer};
use crate::viewer::{Account, PlayerKey, Viewer};
use crate::window::{JoinPoint, Listing};

/// The list that every viewer gets.
const LIST: JoinPoint = JoinPoint {
    listing: Listing::Keyed,
    sequence: 0,
    target: Duration::from_secs(POLL / 1000),
    plays_from_first: false,
    longest: None,
};
/// How often a viewer asks for a playlist and reports, in milliseconds.
const POLL: u64 = 6000;
const REPORT: u64 = 10_000;
/// How long the server takes to open a channel that is open already, in milliseconds.
const JOINING: u64 = 30;
/// How long a denied opening waits for a tuner that is being freed.
const PATIENCE: u64 = 8000;

impl Shell {
    pub(super) fn zap(&mut self, device: u8) {
        if let Some(known) = self.devices.get_mut(&device) {
            known.is_silent = true;
            if let Some(asking) = known.asking.take() {
                self.tell(Event::AskedInVain(asking));
            }
        }
        if self.now >= self.ends {
            return;
        }
        let channel = self.house.channel();
        self.week.zaps += 1;
        self.week.warm += u64::from(self.server.open.count(&channel) > 0);
        let item = Some(shell::channel(channel).item);
        self.tell(Event::Opening { item, account: Some(Account(u64::from(device))) });
        let _ = self.open(device, channel, self.now + PATIENCE);
    }

    /// Has the server open a channel, as the proxy does: what is denied is tried again while a tuner is being freed, or it is not known
    /// how another opening ends. Returns whether the channel gets a tuner.
    pub(super) fn open(&mut self, device: u8, channel: u8, until: u64) -> bool {
        let is_open = self.server.open.count(&channel) > 0;
        if self.server.open(channel) {
            let play = self.number();
            let asking = AskingId(play);
            let opened = Device { channel: Some(channel), play, asking: Some(asking), ..Device::default() };
            self.devices.insert(device, opened);
            self.under_way.insert(asking, channel);
            self.tell(Event::Asks(asking, Some(shell::channel(channel).item)));
            let takes = if is_open { JOINING } else { self.house.opening() };
            self.later(takes, Moment::Answered { device, channel, play, asking });
            if let Some(part) = self.house.gives_up() {
                self.later((takes as f64 * part) as u64, Moment::GivesUp(device, play));
            }
            return true;
        }
        let viewer = viewer(device, 0);
        if let Some(id) = viewer.device {
            self.tell(Event::Zapping(viewer.account, id, shell::channel(channel).item));
        }
        self.tell(Event::TunerDenied(None));
        let is_unsettled = !self.pool.closing().is_empty() || !self.pool.undecided().is_empty();
        if self.now < until && is_unsettled {
            self.later(CLOSING, Moment::Open { device, channel, until });
            return false;
        }
        let is_needless = self.needed(Some(device)).len() < self.server.tuners;
        *(if is_needless { &mut self.week.refused_for_warmth } else { &mut self.week.refused }) += 1;
        if let Some(known) = self.devices.get_mut(&device) {
            *known = Device::default();
        }
        self.later(5000, Moment::Zap(device));
        false
    }

    /// The server has opened a channel. What its device does not wait for any more is given back.
    pub(super) fn answered(&mut self, device: u8, channel: u8, play: u64, asking: AskingId) {
        self.under_way.remove(&asking);
        let waits = self.devices.get_mut(&device).filter(|known| known.asking == Some(asking));
        let is_abandoned = waits.is_none();
        if let Some(known) = waits {
            known.asking = None;
        }
        self.opened(device, channel, play, |id, opening| {
            Event::Opened(id, ClientOpening { abandoned: is_abandoned, ..opening })
        });
        self.tell(Event::Answered(asking));
        if !is_abandoned {
            // Every other device reports before it asks for a playlist.
            let reports = if device.is_multiple_of(2) { TUNING / 2 } else { TUNING + 1000 };
            self.later(reports, Moment::Report(device, play));
            self.later(TUNING, Moment::Tune(device, play));
        }
    }

    /// A viewer zaps on if it still waits for this opening.
    pub(super) fn gives_up(&mut self, device: u8, play: u64) {
        let waits = |known: &Device| known.play == play && known.asking.is_some();
        if self.devices.get(&device).is_some_and(waits) {
            self.zap(device);
        }
    }

    fn opened(
        &mut self,
        device: u8,
        channel: u8,
        play: u64,
        event: impl FnOnce(OpeningId, ClientOpening) -> Event,
    ) {
        let Viewer { account, device: id, play_session } = viewer(device, play);
        let opening = OpeningId(self.number());
        self.openings.insert(opening, (device, channel));
        let opened = ClientOpening {
            item: Some(shell::channel(channel).item),
            account: Some(account),
            device: id,
            live_stream: live_stream(channel),
            play_session,
            name: None,
            abandoned: false,
        };
        self.tell(event(opening, opened));
    }

    pub(super) fn tune(&mut self, device: u8, play: u64) {
        if self.polls(device, play) {
            self.later(POLL, Moment::Poll(device, play));
            let stay = self.house.stay();
            self.later(stay, Moment::Leave(device, play));
        } else {
            self.later(5000, Moment::Zap(device));
        }
    }

    pub(super) fn poll(&mut self, device: u8, play: u64) {
        if self.is_there(device, play) && self.polls(device, play) {
            self.later(POLL, Moment::Poll(device, play));
        }
    }

    /// Requests a playlist. Returns whether the gateway serves it.
    fn polls(&mut self, device: u8, play: u64) -> bool {
        let Some(channel) = self.devices.get(&device).and_then(|known| known.channel) else { return false };
        let viewer = viewer(device, play);
        let mention = self.mention(device, channel, play);
        let policy = Policy { video_transcoding: true, audio_transcoding: true };
        let pairs = [("VideoCodec", "h264"), ("AudioCodec", "aac")];
        let Ok(profile) = ProfileKey::from_query(pairs.into_iter(), false, policy) else { return false };
        let key = StreamKey { channel: shell::channel(channel), profile: profile.key };
        let fresh = ConsumerId::from_bits(u128::from(self.number()));
        let tune = Tune {
            key,
            viewer,
            player: PlayerKey { user: None, device: Some(u64::from(device)) },
            class: Class::Web,
            produce: Produce::Adopt,
            conditions: TuneConditions::default(),
            fresh,
        };
        let now = at(self.now);
        let admission = self.pool.playlist_requested(tune, &mention, now);
        let Admission::Serve { stream, consumer, .. } = admission else { return false };
        self.channels.insert(stream, channel);
        let hints = PlaylistHints { signals: &[], connection: None, mention: &mention };
        self.pool.playlist_answered(consumer, Some(LIST), &hints, now);
        self.pool.segment_requested(consumer, self.now / POLL, now);
        if let Some(known) = self.devices.get_mut(&device) {
            known.consumer = Some(consumer);
        }
        self.perform();
        true
    }

    pub(super) fn report(&mut self, device: u8, play: u64) {
        if !self.is_there(device, play) {
            return;
        }
        let Some(channel) = self.devices.get(&device).and_then(|known| known.channel) else { return };
        let mention = self.mention(device, channel, play);
        let session = Whose::PlaySession(PlaySessionId::new(format!("play-{play}")));
        self.tell(Event::Signal(session, Signal::Report { paused: Some(false) }));
        let account = Account(u64::from(device));
        if self.pool.is_closed_for(account, &live_stream(channel)) && !self.pool.has_opening(&mention) {
            // It was there after all: it gets an opening of its own, or its report passes without the live stream.
            if !self.server.open(channel) {
                return;
            }
            self.opened(device, channel, play, Event::Reopened);
        }
        self.tell(Event::Mentioned(mention.clone(), MentionKind::Reported));
        self.server.report(device, channel);
        self.tell(Event::Reported(mention, PlaybackReport::Playing));
        self.later(REPORT, Moment::Report(device, play));
    }

    pub(super) fn leave(&mut self, device: u8, play: u64) {
        let Some(channel) =
            self.devices.get(&device).filter(|known| known.play == play).and_then(|known| known.channel)
        else {
            return;
        };
        self.watched_at.insert(channel, self.now);
        let rest = self.house.rest();
        match self.house.leaves() {
            Leave::Told => {
                self.stops(device, channel, play);
                self.devices.insert(device, Device::default());
                self.later(rest + 100, Moment::Zap(device));
            }
            Leave::Zaps if rest == 0 => self.zap(device),
            Leave::Zaps => self.falls_silent(device, rest, Moment::Zap(device)),
            Leave::Silent(gap) => self.falls_silent(device, rest + gap, Moment::Zap(device)),
            Leave::Pauses(gap) => self.falls_silent(device, gap, Moment::Back(device, play)),
        }
    }

    fn falls_silent(&mut self, device: u8, gap: u64, then: Moment) {
        if let Some(known) = self.devices.get_mut(&device) {
            known.is_silent = true;
        }
        self.later(gap, then);
    }

    pub(super) fn back(&mut self, device: u8, play: u64) {
        if let Some(known) = self.devices.get_mut(&device) {
            known.is_silent = false;
        }
        self.report(device, play);
        self.tune(device, play);
    }

    fn stops(&mut self, device: u8, channel: u8, play: u64) {
        let mention = self.mention(device, channel, play);
        let session = Whose::PlaySession(PlaySessionId::new(format!("play-{play}")));
        if self.pool.is_unreported(&mention) {
            self.tell(Event::Signal(session, Signal::Stopped));
            self.tell(Event::Mentioned(mention, MentionKind::LeftUnreported));
            return;
        }
        self.tell(Event::Signal(session, Signal::Stopped));
        self.tell(Event::Mentioned(mention.clone(), MentionKind::Stopped));
        if self.pool.has_opening(&mention) {
            self.server.stopped(device, channel);
        }
        self.tell(Event::Reported(mention, PlaybackReport::Stopped));
    }

    fn is_there(&self, device: u8, play: u64) -> bool {
        self.devices
            .get(&device)
            .is_some_and(|known| known.play == play && !known.is_silent && known.channel.is_some())
    }

    fn mention(&self, device: u8, channel: u8, play: u64) -> Mention {
        let Viewer { account, play_session, .. } = viewer(device, play);
        Mention { account: Some(account), live_stream: Some(live_stream(channel)), play_session, name: None }
    }
}
