//! Reads a client's wishes from the header fields of its request: structured fields (RFC 9651) of the gateway's own, and
//! `Cache-Control` (RFC 9111, 5.2.1).
//!
//! | field | value | wish |
//! |---|---|---|
//! | `Warmgate-Mode` | `auto`, `bypass`, `warm-only`, `fresh` | [`ClientSettings::mode`] |
//! | `Warmgate-Linger` | seconds | [`ClientSettings::linger`] |
//! | `Warmgate-Window` | seconds | [`ClientSettings::window`] |
//! | `Warmgate-Priority` | 0 to 7 | [`ClientSettings::priority`] |
//! | `Warmgate-Produce` | `auto`, `adopt`, `own` | [`ClientSettings::produce`] |
//! | `Warmgate-Profile` | `as-is`, `compatible` | [`ClientSettings::profile`] |
//! | `Warmgate-Max-Bitrate` | bit/s | [`ClientSettings::max_bitrate`] |
//! | `Warmgate-Viewer` | `"id"` | [`viewer`] |
//! | `Cache-Control` | `only-if-cached`, `no-store`, `no-cache`; the first of them counts | modes `warm-only`, `bypass`, `fresh` |
//! | | `max-age=N` | [`Wishes::max_age`] |
//!
//! `Warmgate-Mode` takes precedence over `Cache-Control`. A field with another value, or that comes twice, is ignored as if it were
//! not there, and so is a field of another name. The module does not know whose wishes count.

use std::time::Duration;

use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName, HeaderValue};
use sfv::{BareItem, Item, Parser};

use crate::clients::{ClientSettings, Mode, Priority};
use crate::key::DeviceId;
use crate::produce::Produce;
use crate::profile::ProfileChoice;
use crate::reason::IgnoredWish;

/// What the names of the gateway's own fields begin with.
const PREFIX: &str = "warmgate-";
/// All of them.
pub const FIELDS: [&str; 8] = [
    "warmgate-mode",
    "warmgate-linger",
    "warmgate-window",
    "warmgate-priority",
    "warmgate-viewer",
    "warmgate-produce",
    "warmgate-profile",
    "warmgate-max-bitrate",
];
/// The field that names the viewer.
pub const VIEWER: HeaderName = HeaderName::from_static("warmgate-viewer");
/// The longest time that can be wished.
pub const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// The most fields that are told to be ignored.
const TOLD: usize = 16;
/// The longest id of a viewer.
const LONGEST_ID: usize = 128;

/// The wishes that a request carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// What it wishes of what rules set, too.
    pub settings: ClientSettings,
    /// The greatest age of a list that it takes.
    pub max_age: Option<Duration>,
    /// The fields without effect, and why.
    pub ignored: Vec<(HeaderName, IgnoredWish)>,
}

impl Wishes {
    /// Reads the wishes in the fields of a request; those in `Cache-Control` only with `heeds_cache_control`.
    #[must_use]
    pub fn of(headers: &HeaderMap, heeds_cache_control: bool) -> Self {
        let mut wishes = Self::default();
        if heeds_cache_control {
            wishes.read_cache_control(headers);
        }
        for name in headers.keys().filter(|name| is_own(name)) {
            if let Err(reason) = wishes.read(name, headers) {
                wishes.ignore(name, reason);
            }
        }
        wishes
    }

    fn read(&mut self, name: &HeaderName, headers: &HeaderMap) -> Result<(), IgnoredWish> {
        let Self { settings, max_age, .. } = self;
        let item = || item(headers, name);
        match name.as_str() {
            "warmgate-mode" => {
                settings.mode = Some(named(&Mode::ALL, Mode::as_str, &item()?)?);
                // It says all that `Cache-Control` could.
                *max_age = None;
            }
            "warmgate-produce" => {
                settings.produce = Some(named(&Produce::ALL, Produce::as_str, &item()?)?);
            }
            "warmgate-profile" => {
                settings.profile = Some(named(&ProfileChoice::ALL, ProfileChoice::as_str, &item()?)?);
            }
            "warmgate-linger" => settings.linger = Some(seconds(&item()?, 0)?),
            "warmgate-window" => settings.window = Some(seconds(&item()?, 1)?),
            "warmgate-priority" => {
                let urgency = u8::try_from(number(&item()?)?).ok().and_then(Priority::of_urgency);
                settings.priority = Some(urgency.ok_or(IgnoredWish::UnknownValue)?);
            }
            "warmgate-max-bitrate" => {
                let bitrate = Some(number(&item()?)?).filter(|bitrate| *bitrate > 0);
                settings.max_bitrate = Some(bitrate.ok_or(IgnoredWish::UnknownValue)?);
            }
            "warmgate-viewer" => {
                viewer(headers).ok_or(IgnoredWish::UnknownValue)?;
            }
            _ => return Err(IgnoredWish::UnknownField),
        }
        Ok(())
    }

    fn read_cache_control(&mut self, headers: &HeaderMap) {
        let values = || headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
        let directives = || values().flat_map(|value| value.split(',')).map(str::trim);
        let has = |name: &str| directives().any(|directive| directive.eq_ignore_ascii_case(name));
        let max_age = directives().filter_map(|directive| directive.split_once('='));
        let mut max_age = max_age.filter(|(name, _)| name.trim().eq_ignore_ascii_case("max-age"));
        let modes =
            [("only-if-cached", Mode::WarmOnly), ("no-store", Mode::Bypass), ("no-cache", Mode::Fresh)];
        self.settings.mode = modes.into_iter().find(|(name, _)| has(name)).map(|(_, mode)| mode);
        // A list must not be older, if it is served at all.
        match max_age.next().map(|(_, seconds)| seconds.trim().trim_matches('"').parse()) {
            Some(Ok(seconds)) => self.max_age = Some(Duration::from_secs(seconds)),
            Some(Err(_)) => self.ignore(&CACHE_CONTROL, IgnoredWish::UnknownValue),
            None => {}
        }
    }

    fn ignore(&mut self, name: &HeaderName, reason: IgnoredWish) {
        if self.ignored.len() < TOLD {
            self.ignored.push((name.clone(), reason));
        }
    }
}

/// Whether a field is one of the gateway's own, which never reach the server.
#[must_use]
pub fn is_own(name: &HeaderName) -> bool {
    name.as_str().starts_with(PREFIX)
}

/// The id that a request gives its viewer.
#[must_use]
pub fn viewer(headers: &HeaderMap) -> Option<DeviceId> {
    let item = item(headers, &VIEWER).ok()?;
    let id = item.as_string()?.as_str();
    (!id.is_empty() && id.len() <= LONGEST_ID).then(|| DeviceId::new(id))
}

/// The value of a field that is an item (RFC 9651, 3.3). Parameters are left for later extensions.
fn item(headers: &HeaderMap, name: &HeaderName) -> Result<BareItem, IgnoredWish> {
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next().map(HeaderValue::as_bytes), values.next()) else {
        return Err(IgnoredWish::UnknownValue);
    };
    let item = Parser::new(value).parse::<Item>();
    item.map(|item| item.bare_item).map_err(|_| IgnoredWish::UnknownValue)
}

fn named<T: Copy>(all: &[T], name: fn(T) -> &'static str, item: &BareItem) -> Result<T, IgnoredWish> {
    let token = item.as_token().ok_or(IgnoredWish::UnknownValue)?.as_str();
    all.iter().copied().find(|value| name(*value) == token).ok_or(IgnoredWish::UnknownValue)
}

fn number(item: &BareItem) -> Result<u64, IgnoredWish> {
    let number = item.as_integer().map(i64::from).and_then(|number| u64::try_from(number).ok());
    number.ok_or(IgnoredWish::UnknownValue)
}

/// A number of seconds, `least` at least.
fn seconds(item: &BareItem, least: u64) -> Result<Duration, IgnoredWish> {
    let span = Some(number(item)?).filter(|seconds| *seconds >= least).map(Duration::from_secs);
    span.filter(|span| *span <= LONGEST).ok_or(IgnoredWish::UnknownValue)
}
