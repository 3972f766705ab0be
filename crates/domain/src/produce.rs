//! How a channel's streams are to come about, as an operator may wish it, and how one does.
//!
//! It does not know what can be fulfilled: that depends on the input and on the profile.

use std::collections::BTreeMap;

use crate::key::{Channel, DeviceId};

/// A wish for how streams are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Produce {
    /// As the gateway sees fit.
    #[default]
    Auto,
    /// By the server's own encoding job, taken over.
    Adopt,
    /// By the gateway itself.
    Own,
}

impl Produce {
    /// Every wish, in order.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Adopt, Self::Own];

    /// The one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Adopt => "adopt",
            Self::Own => "own",
        }
    }

    /// What is tried first.
    #[must_use]
    pub const fn first(self) -> ProductionMethod {
        match self {
            Self::Auto | Self::Own => ProductionMethod::Own,
            Self::Adopt => ProductionMethod::Adopted,
        }
    }

    /// What is tried when `means` came to nothing.
    #[must_use]
    pub const fn instead_of(self, method: ProductionMethod) -> ProductionMethod {
        match (self, method) {
            (Self::Auto | Self::Adopt, _) | (Self::Own, ProductionMethod::Adopted) => {
                ProductionMethod::Adopted
            }
            (Self::Own, ProductionMethod::Own) => ProductionMethod::Own,
        }
    }

    /// The wish spelled `text`, in any letter case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wish| wish.as_str().eq_ignore_ascii_case(text.trim()))
    }
}

/// Who asks for a stream, as far as its making depends on that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Player {
    /// Its device.
    pub device: Option<DeviceId>,
    /// What it calls itself.
    pub user_agent: String,
    /// What somebody who is trusted wishes for it.
    pub wish: Option<Produce>,
}

/// What an operator wishes of streams.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Where nothing else is said.
    pub default: Produce,
    /// For channels, by item or media source.
    pub channels: BTreeMap<String, Produce>,
    /// For players, by device id or a part of their `User-Agent`.
    pub clients: BTreeMap<String, Produce>,
}

impl Rules {
    /// How a stream of `channel` is to be made for `player`, where its playlist wishes `in_lineup` of it. A wish for the
    /// player goes before one for the channel: what it cannot play is no better on another channel.
    #[must_use]
    pub fn of(&self, channel: &Channel, in_lineup: Option<Produce>, player: &Player) -> Produce {
        player.wish.or_else(|| self.of_player(player)).or(in_lineup).unwrap_or_else(|| {
            let named = |(name, _): &(&String, &Produce)| {
                [channel.item.as_str(), channel.source.as_str()].iter().any(|id| is(id, name))
            };
            self.channels.iter().find(named).map_or(self.default, |(_, wish)| *wish)
        })
    }

    /// By its device, else by the longest name that is part of its own.
    fn of_player(&self, player: &Player) -> Option<Produce> {
        let device = player.device.as_ref().and_then(|device| self.clients.get(device.as_str()));
        let called = player.user_agent.to_lowercase();
        let parts = self.clients.iter().filter(|(part, _)| called.contains(&part.to_lowercase()));
        device.or_else(|| parts.max_by_key(|(part, _)| part.len()).map(|(_, wish)| wish)).copied()
    }
}

/// Whether `name` is `id`, with or without dashes, in any letter case.
fn is(id: &str, name: &str) -> bool {
    let plain = |text: &str| text.replace('-', "").to_ascii_lowercase();
    plain(id) == plain(name)
}

/// What fills a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProductionMethod {
    /// The gateway itself, from the channel's input.
    Own,
    /// A job of the server's that the gateway has taken over.
    Adopted,
}

impl ProductionMethod {
    /// The one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Adopted => "adopted",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{ItemId, MediaSourceId};

    #[test]
    fn who_is_meant_most_closely_is_heard() {
        let rules = Rules {
            default: Produce::Auto,
            channels: BTreeMap::from([
                ("34703199-2925-5D2E-4E0E-08AE69DE1BD6".to_owned(), Produce::Adopt),
                ("source".to_owned(), Produce::Own),
            ]),
            clients: BTreeMap::from([
                ("tizen".to_owned(), Produce::Own),
                ("Tizen 2.4".to_owned(), Produce::Adopt),
                ("living room".to_owned(), Produce::Own),
            ]),
        };
        let channel = |item: &str, source: &str| Channel {
            item: ItemId::parse(item).unwrap(),
            source: MediaSourceId::new(source),
        };
        let (adopted, plain) = ("3470319929255d2e4e0e08ae69de1bd6", "00000000000000000000000000000000");
        let nobody = Player::default();
        let called = |name: &str| Player { user_agent: name.to_owned(), ..Player::default() };
        let living_room = Player { device: Some(DeviceId::new("living room")), ..called("Tizen 2.4") };
        let trusted = Player { wish: Some(Produce::Adopt), ..called("Tizen 6") };
        for (item, source, in_lineup, player, wish) in [
            (plain, "x", None, &nobody, Produce::Auto),
            (adopted, "x", None, &nobody, Produce::Adopt),
            (plain, "source", None, &nobody, Produce::Own),
            (plain, "source", Some(Produce::Adopt), &nobody, Produce::Adopt),
            (adopted, "x", Some(Produce::Adopt), &called("SMART-TV; Tizen 6"), Produce::Own),
            (plain, "source", None, &called("SMART-TV; Tizen 2.4"), Produce::Adopt),
            (plain, "x", None, &living_room, Produce::Own),
            (plain, "source", None, &trusted, Produce::Adopt),
        ] {
            assert_eq!(
                rules.of(&channel(item, source), in_lineup, player),
                wish,
                "{item} {source} {player:?}"
            );
        }
    }

    #[test]
    fn every_wish_is_read_as_it_is_spelled() {
        for wish in Produce::ALL {
            assert_eq!(Produce::parse(&wish.as_str().to_uppercase()), Some(wish));
        }
        assert_eq!(Produce::parse("remux"), None);
    }
}
