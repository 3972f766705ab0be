//! Holds the operator's rules for how streams are produced: by the gateway itself, or by adopting a job of the server's.
//!
//! The module does not know which method is possible: that depends on the input and on the profile.

use std::collections::BTreeMap;

use crate::key::{Channel, DeviceId};

/// The operator's preference for how a stream is produced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Produce {
    /// The gateway makes the stream itself, and adopts a job if that fails.
    #[default]
    Auto,
    /// The gateway adopts an encoding job of the server's.
    Adopt,
    /// The gateway makes the stream itself, and never adopts a job.
    Own,
}

impl Produce {
    /// Every preference, in order.
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

    /// The method that is tried first.
    #[must_use]
    pub const fn first(self) -> ProductionMethod {
        match self {
            Self::Auto | Self::Own => ProductionMethod::Own,
            Self::Adopt => ProductionMethod::Adopted,
        }
    }

    /// The method that is tried after `method` has failed.
    #[must_use]
    pub const fn instead_of(self, method: ProductionMethod) -> ProductionMethod {
        match (self, method) {
            (Self::Auto | Self::Adopt, _) | (Self::Own, ProductionMethod::Adopted) => {
                ProductionMethod::Adopted
            }
            (Self::Own, ProductionMethod::Own) => ProductionMethod::Own,
        }
    }

    /// Parses a preference, in any letter case; `None` for other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wish| wish.as_str().eq_ignore_ascii_case(text.trim()))
    }
}

/// The properties of a player that the rules look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Player {
    /// The id of its device.
    pub device: Option<DeviceId>,
    /// Its `User-Agent` header.
    pub user_agent: String,
    /// The preference that a trusted proxy has sent with the request.
    pub wish: Option<Produce>,
}

/// The operator's preferences, from `produce:` in gateway.yaml.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The preference where no other rule applies.
    pub default: Produce,
    /// Preferences for channels, by item id or media source id.
    pub channels: BTreeMap<String, Produce>,
    /// Preferences for players, by device id or a part of their `User-Agent`.
    pub clients: BTreeMap<String, Produce>,
}

impl Rules {
    /// The preference that applies to a stream of `channel` for `player`; `in_lineup` is the one in the provider's playlist.
    /// A rule for the player takes precedence over a rule for the channel, since a player that cannot play one method's
    /// streams cannot play them on any channel.
    #[must_use]
    pub fn of(&self, channel: &Channel, in_lineup: Option<Produce>, player: &Player) -> Produce {
        player.wish.or_else(|| self.of_player(player)).or(in_lineup).unwrap_or_else(|| {
            let named = |(name, _): &(&String, &Produce)| {
                [channel.item.as_str(), channel.source.as_str()].iter().any(|id| is(id, name))
            };
            self.channels.iter().find(named).map_or(self.default, |(_, wish)| *wish)
        })
    }

    /// The rule for the player's device, or else the one with the longest name that its `User-Agent` contains.
    fn of_player(&self, player: &Player) -> Option<Produce> {
        let device = player.device.as_ref().and_then(|device| self.clients.get(device.as_str()));
        let called = player.user_agent.to_lowercase();
        let parts = self.clients.iter().filter(|(part, _)| called.contains(&part.to_lowercase()));
        device.or_else(|| parts.max_by_key(|(part, _)| part.len()).map(|(_, wish)| wish)).copied()
    }
}

/// Whether `name` and `id` are equal but for dashes and letter case.
fn is(id: &str, name: &str) -> bool {
    let plain = |text: &str| text.replace('-', "").to_ascii_lowercase();
    plain(id) == plain(name)
}

/// The way in which a generation of a stream is produced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProductionMethod {
    /// The gateway makes the segments from the channel's input.
    Own,
    /// The gateway fetches the segments of an encoding job that it has started at the server.
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
    fn the_most_specific_rule_applies() {
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
    fn every_preference_is_parsed_from_its_spelling() {
        for wish in Produce::ALL {
            assert_eq!(Produce::parse(&wish.as_str().to_uppercase()), Some(wish));
        }
        assert_eq!(Produce::parse("remux"), None);
    }
}
