//! Reads the encoding parameters of a query: each one once, in its canonical spelling.
//!
//! It does not know what follows from any of them.

use std::collections::BTreeMap;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::profile::param::{Kind, Rule, canonical, canonical_limit, classify};
use crate::profile::unshareable::Unshareable;

/// The canonical value of each parameter. The first of duplicates counts, even if its value equals absence.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Texts", into = "Texts")]
pub(crate) struct Values(BTreeMap<String, (Rule, Option<String>)>);

/// The values alone: what each parameter means has been read by then.
type Texts = BTreeMap<String, Option<String>>;

impl From<Values> for Texts {
    fn from(values: Values) -> Self {
        values.0.into_iter().map(|(name, (_, value))| (name, value)).collect()
    }
}

impl From<Texts> for Values {
    fn from(texts: Texts) -> Self {
        Self(texts.into_iter().map(|(name, value)| (name, (Rule::Wish(Kind::Text), value))).collect())
    }
}

impl Values {
    /// Reads percent-decoded pairs.
    ///
    /// # Errors
    ///
    /// The reason why the request cannot share a stream.
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

    /// The value, unless it equals the parameter's absence.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.1.as_deref()
    }

    /// The value as a number, if it is one.
    pub(crate) fn number<T: FromStr>(&self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }

    /// Sets the value.
    pub(super) fn put(&mut self, name: &str, value: String) {
        self.0.insert(name.to_owned(), (Rule::Wish(Kind::Text), Some(value)));
    }

    /// Removes the parameter.
    pub(super) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// All parameters, in the order of their names.
    pub(super) fn into_iter(self) -> impl Iterator<Item = (String, Rule, String)> {
        self.0.into_iter().filter_map(|(name, (rule, value))| Some((name, rule, value?)))
    }
}

/// Escapes text for a key.
pub(super) fn escape(text: &str) -> String {
    const KEPT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b',');
    utf8_percent_encode(text, &KEPT).to_string()
}
