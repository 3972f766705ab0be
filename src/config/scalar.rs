//! Reads single values of the configuration: numbers, durations, addresses and other types with a textual form.
//!
//! Each is read from its text, so that `4` in the file and `"4"` in the environment mean the same. It knows neither keys
//! nor lines.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::config::secret::Secret;
use crate::config::units::{self, BitRate, ByteSize};
use crate::config::upstream_url::UpstreamUrl;
use domain::lineup::source::{SourceKind, SourceUrl};
use domain::produce::Produce;
use domain::window::{ListingChoice, StartChoice};

/// A type with a textual form.
pub(super) trait Scalar: Sized {
    /// Reads `text`; the error says what to write instead.
    fn read(text: &str) -> Result<Self, String>;

    /// Reads a number that the file contains without quotes.
    fn read_number(number: impl fmt::Display) -> Result<Self, String> {
        Self::read(&number.to_string())
    }
}

/// For `#[serde(deserialize_with)]`: a value.
pub(super) fn one<'de, D: Deserializer<'de>, T: Scalar>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(One(PhantomData))
}

/// For `#[serde(deserialize_with)]`: a value that has no default.
pub(super) fn some<'de, D: Deserializer<'de>, T: Scalar>(deserializer: D) -> Result<Option<T>, D::Error> {
    one(deserializer).map(Some)
}

/// For `#[serde(deserialize_with)]`: a size, as a plain number of bytes.
pub(super) fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    one::<D, ByteSize>(deserializer).map(|size| size.0)
}

/// For `#[serde(deserialize_with)]`: a list of values, or one text with commas between them.
pub(super) fn list<'de, D: Deserializer<'de>, T: Scalar>(deserializer: D) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_any(List(PhantomData))
}

/// For `#[serde(deserialize_with)]`: a list of values, or a single one, which may contain commas.
pub(super) fn one_or_more<'de, D: Deserializer<'de>, T: Scalar>(deserializer: D) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_any(OneOrMore(PhantomData))
}

/// For `#[serde(deserialize_with)]`: values under names of the operator's own.
pub(super) fn map<'de, D: Deserializer<'de>, T: Scalar>(
    deserializer: D,
) -> Result<BTreeMap<String, T>, D::Error> {
    deserializer.deserialize_any(Map(PhantomData))
}

/// Reads a value from `text`.
pub(super) fn read<T: Scalar>(text: &str) -> Result<T, String> {
    T::read(text)
}

/// A key that the operator chose, which may look like a number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(pub(super) String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        one(deserializer).map(Self)
    }
}

struct One<T>(PhantomData<T>);

impl<T: Scalar> Visitor<'_> for One<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a single value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::read(text).map_err(E::custom)
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<T, E> {
        T::read(&truth.to_string()).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        T::read_number(number).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        T::read_number(number).map_err(E::custom)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        T::read_number(number).map_err(E::custom)
    }
}

struct List<T>(PhantomData<T>);

impl<'de, T: Scalar> Visitor<'de> for List<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(Item(value)) = items.next_element()? {
            list.push(value);
        }
        Ok(list)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(|item| T::read(item).map_err(E::custom)).collect()
    }
}

struct OneOrMore<T>(PhantomData<T>);

impl<'de, T: Scalar> Visitor<'de> for OneOrMore<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Vec<T>, A::Error> {
        List(PhantomData).visit_seq(items)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
        T::read(text).map(|item| vec![item]).map_err(E::custom)
    }
}

struct Map<T>(PhantomData<T>);

impl<'de, T: Scalar> Visitor<'de> for Map<T> {
    type Value = BTreeMap<String, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("names with values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut keys: A) -> Result<Self::Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((Key(key), Item(value))) = keys.next_entry()? {
            map.insert(key, value);
        }
        Ok(map)
    }

    // The value is not repeated: it may be a secret.
    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Err(E::custom("write names with values"))
    }
}

struct Item<T>(T);

impl<'de, T: Scalar> Deserialize<'de> for Item<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        one(deserializer).map(Self)
    }
}

impl Scalar for String {
    fn read(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl Scalar for bool {
    fn read(text: &str) -> Result<Self, String> {
        text.trim().parse().map_err(|_| format!("{text:?}: write true or false"))
    }
}

impl Scalar for usize {
    fn read(text: &str) -> Result<Self, String> {
        text.trim().parse().map_err(|_| format!("{text:?} is not a whole number"))
    }
}

impl Scalar for u32 {
    fn read(text: &str) -> Result<Self, String> {
        text.trim().parse().map_err(|_| format!("{text:?} is not a whole number"))
    }
}

impl Scalar for i32 {
    fn read(text: &str) -> Result<Self, String> {
        text.trim().parse().map_err(|_| format!("{text:?} is not a whole number"))
    }
}

impl Scalar for Duration {
    fn read(text: &str) -> Result<Self, String> {
        units::duration(text).map_err(|shape| format!("{text:?}: {shape}"))
    }
}

impl Scalar for ByteSize {
    fn read(text: &str) -> Result<Self, String> {
        units::size(text).map_err(|shape| format!("{text:?}: {shape}"))
    }
}

impl Scalar for BitRate {
    fn read(text: &str) -> Result<Self, String> {
        units::bitrate(text).map_err(|shape| format!("{text:?}: {shape}"))
    }
}

impl Scalar for SocketAddr {
    fn read(text: &str) -> Result<Self, String> {
        let shape = "write an address and a port, as in 127.0.0.1:8097 or [::]:8097";
        text.trim().parse().map_err(|_| format!("{text:?}: {shape}"))
    }
}

impl Scalar for IpNet {
    fn read(text: &str) -> Result<Self, String> {
        let shape = "write an address or a network, as in 192.168.1.2 or 10.0.0.0/8";
        let text = text.trim();
        let net = text.parse().or_else(|_| text.parse::<IpAddr>().map(Self::from));
        net.map_err(|_| format!("{text:?}: {shape}"))
    }
}

impl Scalar for UpstreamUrl {
    fn read(text: &str) -> Result<Self, String> {
        Self::read(text.trim()).map_err(str::to_owned)
    }
}

impl Scalar for SourceUrl {
    fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let what = "write a URL that can be pulled, as in http://provider.example/1.ts";
        SourceKind::of(text).map(|_| Self::new(text)).ok_or_else(|| what.to_owned())
    }
}

impl Scalar for Secret {
    fn read(text: &str) -> Result<Self, String> {
        match text.trim() {
            "" => Err("the key is empty".to_owned()),
            key => Ok(Self::new(key)),
        }
    }

    // YAML has dropped the leading zeros of an unquoted key of digits; the message must not repeat the rest.
    fn read_number(_: impl fmt::Display) -> Result<Self, String> {
        Err("YAML takes this key for a number: write it in quotes".to_owned())
    }
}

impl Scalar for Produce {
    fn read(text: &str) -> Result<Self, String> {
        named(&Self::ALL, Self::as_str, text)
    }
}

impl Scalar for ListingChoice {
    fn read(text: &str) -> Result<Self, String> {
        named(&Self::ALL, Self::as_str, text)
    }
}

impl Scalar for StartChoice {
    fn read(text: &str) -> Result<Self, String> {
        named(&Self::ALL, Self::as_str, text)
    }
}

/// The one of `values` whose name is `text`.
pub(super) fn named<T: Copy>(values: &[T], name: fn(T) -> &'static str, text: &str) -> Result<T, String> {
    values.iter().copied().find(|value| name(*value) == text).ok_or_else(|| {
        let names: Vec<_> = values.iter().map(|value| name(*value)).collect();
        format!("{text:?}: write {}", names.join(" or "))
    })
}
