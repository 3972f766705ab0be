//! What a query says of the encoding: each parameter once, in its canonical spelling.
//!
//! It does not know what follows from any of them.

use std::collections::BTreeMap;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::profile::param::{Kind, Rule, canonical, canonical_limit, classify};
use crate::profile::unshareable::Unshareable;

/// The canonical value of each parameter; the first of duplicates decides, also where it says nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Values(BTreeMap<String, (Rule, Option<String>)>);

impl Values {
    /// Reads percent-decoded pairs.
    ///
    /// # Errors
    /// What makes the request one that nobody else can share.
    pub(crate) fn read<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, Unshareable> {
        let mut values = BTreeMap::new();
        for (name, value) in pairs {
            let (name, rule) = classify(name);
            let name = escape(&name);
            if values.contains_key(&name) {
                continue;
            }
            let value = match rule {
                Rule::Ignored => continue,
                Rule::Wish(kind) | Rule::Derived(kind) => canonical(kind, value),
                Rule::Limit => canonical_limit(value),
                Rule::Refused(kind, reason) => match canonical(kind, value) {
                    Some(_) => return Err(reason),
                    None => None,
                },
            };
            values.insert(name, (rule, value));
        }
        Ok(Self(values))
    }

    /// What it says, where that is more than its absence would say.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.1.as_deref()
    }

    /// The same as a number, if it is one.
    pub(crate) fn number<T: FromStr>(&self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }

    /// Says something in its place.
    pub(super) fn put(&mut self, name: &str, value: String) {
        self.0.insert(name.to_owned(), (Rule::Wish(Kind::Text), Some(value)));
    }

    /// Forgets it.
    pub(super) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// All of them, in the order of their names.
    pub(super) fn into_iter(self) -> impl Iterator<Item = (String, Rule, String)> {
        self.0.into_iter().filter_map(|(name, (rule, value))| Some((name, rule, value?)))
    }
}

/// Text as it stands in a key.
pub(super) fn escape(text: &str) -> String {
    const KEPT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b',');
    utf8_percent_encode(text, &KEPT).to_string()
}
