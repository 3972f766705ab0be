//! Holds the operator's rules for how streams are produced: by the gateway itself, or by adopting a job of the server's.
//!
//! The module does not know which method is possible: that depends on the input and on the profile.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::key::Channel;

/// The operator's preference for how a stream is produced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
}

/// The operator's preferences, from `produce:` in gateway.yaml.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The preference where no other rule applies.
    pub default: Produce,
    /// Preferences for channels, by item id or media source id.
    pub channels: BTreeMap<String, Produce>,
}

impl Rules {
    /// The preference that applies to a stream of `channel`; `of_client` is that of its client, `in_lineup` the one in the
    /// provider's playlist. The client's takes precedence, since a player that cannot play one method's streams cannot play
    /// them on any channel.
    #[must_use]
    pub fn of(
        &self,
        channel: &Channel,
        in_lineup: impl FnOnce() -> Option<Produce>,
        of_client: Option<Produce>,
    ) -> Produce {
        of_client.or_else(in_lineup).unwrap_or_else(|| {
            let named = |(name, _): &(&String, &Produce)| {
                [channel.item.as_str(), channel.source.as_str()].iter().any(|id| is(id, name))
            };
            self.channels.iter().find(named).map_or(self.default, |(_, wish)| *wish)
        })
    }
}

/// Whether `name` and `id` are equal but for dashes and letter case.
fn is(id: &str, name: &str) -> bool {
    let plain = |text: &str| text.replace('-', "").to_ascii_lowercase();
    plain(id) == plain(name)
}

/// The way in which a generation of a stream is produced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
        };
        let channel = |item: &str, source: &str| Channel {
            item: ItemId::parse(item).unwrap(),
            source: MediaSourceId::new(source),
        };
        let (adopted, plain) = ("3470319929255d2e4e0e08ae69de1bd6", "00000000000000000000000000000000");
        for (item, source, in_lineup, of_client, wish) in [
            (plain, "x", None, None, Produce::Auto),
            (adopted, "x", None, None, Produce::Adopt),
            (plain, "source", None, None, Produce::Own),
            (plain, "source", Some(Produce::Adopt), None, Produce::Adopt),
            (adopted, "x", Some(Produce::Adopt), Some(Produce::Own), Produce::Own),
            (plain, "source", None, Some(Produce::Adopt), Produce::Adopt),
            (plain, "x", None, Some(Produce::Own), Produce::Own),
        ] {
            assert_eq!(rules.of(&channel(item, source), || in_lineup, of_client), wish, "{item} {source}");
        }
    }
}
