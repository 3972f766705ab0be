//! Channels that the pool starts before anybody asks, at the simulated server.

use crate::inputs::Wanted;
use crate::key::{InputId, ItemId};
use crate::pool::{Event, Expecter};
use crate::reason::Failure;
use crate::simulate::tuners::server::at;
use crate::simulate::tuners::shell::{Ahead, CLOSING, Moment, STARTING, Shell, TUNING, channel};

impl Shell {
    pub(super) fn warm_up(&mut self, item: &ItemId, by: Expecter) {
        let Some(number) = (0..=u8::MAX).find(|&number| channel(number).item == *item) else { return };
        let wanted = Wanted { lineup: None, tap: Some(channel(number)) };
        match self.pool.warm_up(&channel(number), &wanted, by, at(self.now)) {
            Ok(joined) => {
                self.week.started_ahead += u64::from(joined.opens);
                self.ahead.entry(joined.input).or_insert(Ahead { channel: number, is_held: false });
            }
            Err(why) => self.pool.handle_event(Event::NotStarted(item.clone(), why), at(self.now)),
        }
    }

    pub(super) fn open_ahead(&mut self, input: InputId) {
        let Some(ahead) = self.ahead.get_mut(&input) else { return };
        ahead.is_held = self.server.open(ahead.channel);
        if ahead.is_held {
            self.later(STARTING, Moment::Grew(input));
        } else {
            self.later(TUNING, Moment::Ended(input));
        }
    }

    pub(super) fn close_ahead(&mut self, input: InputId) {
        self.later(CLOSING, Moment::Closed(input));
    }

    pub(super) fn ahead_grew(&mut self, input: InputId) {
        self.tell(Event::InputGrew { input, held: 0, pulled: 1 });
    }

    pub(super) fn ahead_ended(&mut self, input: InputId) {
        self.tell(Event::InputEnded(input, Failure::Refused));
    }

    pub(super) fn ahead_closed(&mut self, input: InputId) {
        if let Some(ahead) = self.ahead.remove(&input).filter(|ahead| ahead.is_held) {
            self.server.close(ahead.channel);
        }
        self.tell(Event::InputClosed(input));
    }
}
