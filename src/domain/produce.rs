//! How a channel's streams are to come about, as an operator may wish it, and how one does.
//!
//! It does not know what can be fulfilled: that depends on the input and on the profile.

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
    pub const fn first(self) -> Means {
        match self {
            Self::Auto | Self::Own => Means::Own,
            Self::Adopt => Means::Adopted,
        }
    }

    /// What is tried when `means` came to nothing.
    #[must_use]
    pub const fn instead_of(self, means: Means) -> Means {
        match (self, means) {
            (Self::Auto | Self::Adopt, _) | (Self::Own, Means::Adopted) => Means::Adopted,
            (Self::Own, Means::Own) => Means::Own,
        }
    }

    /// The wish spelled `text`, in any letter case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wish| wish.as_str().eq_ignore_ascii_case(text.trim()))
    }
}

/// What fills a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Means {
    /// The gateway itself, from the channel's input.
    Own,
    /// A job of the server's that the gateway has taken over.
    Adopted,
}

impl Means {
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

    #[test]
    fn every_wish_is_read_as_it_is_spelled() {
        for wish in Produce::ALL {
            assert_eq!(Produce::parse(&wish.as_str().to_uppercase()), Some(wish));
        }
        assert_eq!(Produce::parse("remux"), None);
    }
}
