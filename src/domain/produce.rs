//! How a channel's streams are to come about, as an operator may wish it.
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

    /// The wish spelled `text`, in any letter case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wish| wish.as_str().eq_ignore_ascii_case(text.trim()))
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
