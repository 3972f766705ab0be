//! Reads Common Media Client Data, versions 1 and 2 (CTA-5004, CTA-5004-A), from the `CMCD-*` fields or the `CMCD` parameter of a request.
//!
//! It reads as much of the structured dictionary (RFC 8941 3.2) as its keys need, and leaves out what it cannot read.

use std::time::Duration;

use http::HeaderMap;

use domain::signal::Signal;

const FIELDS: [&str; 4] = ["cmcd-request", "cmcd-object", "cmcd-status", "cmcd-session"];
/// Bytes of the longest field or parameter that is read; no player sends longer ones.
const READABLE: usize = 4096;

/// The values of the keys that tell about a viewer's presence.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Cmcd {
    /// `sid`: the player's own name for the playback.
    pub session: Option<String>,
    /// `bs`: the buffer ran dry.
    pub starved: bool,
    /// `bl`: the length of the buffer.
    pub buffer: Option<Duration>,
    /// `pr`: the playback rate; 0 is a pause.
    pub rate: Option<f64>,
    /// `sta`: the state of the player.
    pub state: Option<PlayerState>,
}

/// `sta`, as far as it tells about presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlayerState {
    /// `p`.
    Playing,
    /// `a`.
    Paused,
    /// `r`: the player waits for data.
    Rebuffering,
    /// `e` or `q`: the playback has ended.
    Over,
    /// Any other.
    Other,
}

impl Cmcd {
    /// Reads the fields of a request, and the value of its `CMCD` parameter.
    #[must_use]
    pub(super) fn of(headers: &HeaderMap, parameter: Option<&str>) -> Self {
        let fields = FIELDS.iter().flat_map(|name| headers.get_all(*name));
        let fields = fields.filter_map(|value| value.to_str().ok());
        let mut said = Self::default();
        for text in fields.chain(parameter).filter(|text| text.len() <= READABLE) {
            for (key, value) in members(text) {
                said.read(key, value);
            }
        }
        said
    }

    /// The signals about the viewer's presence that follow.
    #[must_use]
    pub(super) fn signals(&self) -> Vec<Signal> {
        let paused = match (self.state, self.rate) {
            (Some(PlayerState::Paused), _) => Some(true),
            (Some(PlayerState::Playing | PlayerState::Rebuffering), _) => Some(false),
            (Some(PlayerState::Over | PlayerState::Other) | None, Some(rate)) => Some(rate == 0.0),
            (Some(PlayerState::Over | PlayerState::Other) | None, None) => None,
        };
        let starved = self.starved || self.state == Some(PlayerState::Rebuffering);
        let over = self.state == Some(PlayerState::Over);
        let buffered = self.buffer.map(Signal::Buffered);
        buffered
            .into_iter()
            .chain(paused.map(Signal::Pauses))
            .chain(starved.then_some(Signal::Starved))
            .chain(over.then_some(Signal::Quits))
            .collect()
    }

    fn read(&mut self, key: &str, value: &str) {
        match key {
            "sid" => self.session = Some(value.trim_matches('"').to_owned()).filter(|sid| !sid.is_empty()),
            "bs" => self.starved = value != "?0",
            "bl" => self.buffer = number(value).map(Duration::from_secs_f64).map(|thousand| thousand / 1000),
            "pr" => self.rate = number(value),
            "sta" => self.state = Some(state(value)),
            _ => {}
        }
    }
}

fn state(token: &str) -> PlayerState {
    match token.trim_matches('"') {
        "p" => PlayerState::Playing,
        "a" => PlayerState::Paused,
        "r" => PlayerState::Rebuffering,
        "e" | "q" => PlayerState::Over,
        _ => PlayerState::Other,
    }
}

/// The first number of a value (version 2 may send several in brackets), if it is plausible.
fn number(value: &str) -> Option<f64> {
    let first = value.trim_start_matches('(').split([' ', ')', ';']).next()?;
    first.parse().ok().filter(|number: &f64| (0.0..1e9).contains(number))
}

/// The members of a dictionary, which are separated by commas outside quotes. A key alone has the value `?1`.
fn members(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let (mut quoted, mut escaped) = (false, false);
    let at_comma = move |c: char| {
        let literal = escaped;
        escaped = quoted && c == '\\' && !literal;
        quoted ^= c == '"' && !literal;
        c == ',' && !quoted
    };
    text.split(at_comma).map(|member| {
        let (key, value) = member.split_once('=').unwrap_or((member, "?1"));
        (key.trim(), value.trim())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(parameter: &str) -> Cmcd {
        Cmcd::of(&HeaderMap::new(), Some(parameter))
    }

    #[test]
    fn fields_and_parameter_say_the_same() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("cmcd-object", "br=3200,d=4004,ot=v,tb=6000"),
            ("cmcd-request", "bl=21300,dl=18500,nor=\"../300kbps/track.m4v\""),
            ("cmcd-session", "cid=\"a,bs\",pr=1.08,sf=h,sid=\"6e2fb550-c457-11e9-bb97-0800200c9a66\",st=l"),
            ("cmcd-status", "bs, rtp=12000"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let expected = Cmcd {
            session: Some("6e2fb550-c457-11e9-bb97-0800200c9a66".to_owned()),
            starved: true,
            buffer: Some(Duration::from_millis(21_300)),
            rate: Some(1.08),
            state: None,
        };
        assert_eq!(Cmcd::of(&headers, None), expected);
        let parameter =
            "bl=21300,bs,cid=\"x\\\",sta=q\",pr=1.08,sid=\"6e2fb550-c457-11e9-bb97-0800200c9a66\"";
        assert_eq!(of(parameter), expected);
    }

    #[test]
    fn what_it_says_becomes_signals() {
        for (said, signals) in [
            ("", &[][..]),
            ("pr=0", &[Signal::Pauses(true)]),
            ("pr=1", &[Signal::Pauses(false)]),
            ("sta=a,pr=1", &[Signal::Pauses(true)]),
            ("sta=p", &[Signal::Pauses(false)]),
            ("sta=r", &[Signal::Pauses(false), Signal::Starved]),
            ("bl=(1500 900),bs", &[Signal::Buffered(Duration::from_millis(1500)), Signal::Starved]),
            ("bs=?0", &[]),
            ("v=2,sta=q", &[Signal::Quits]),
            ("sta=e", &[Signal::Quits]),
            ("sta=w,sta", &[]),
        ] {
            assert_eq!(of(said).signals(), signals, "{said}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        for said in ["bl=-5", "bl=x", "pr=", "pr=NaN", "bl=1e99", "=,,=;", "sid", "sid=\"", "\u{1f4fa}=\"\\"]
        {
            assert_eq!(of(said).signals(), [], "{said}");
        }
        assert_eq!(of(&format!("bs,{}", "x".repeat(READABLE))), Cmcd::default());
    }
    proptest! {
        /// Players write by hand what a library would write for them.
        #[test]
        fn nothing_is_too_strange(
            known in "((bl|pr|sta|bs|sid)[=]?[0-9.e+()\"; -]{0,8}[,]?){0,6}",
            any in "\\PC{0,40}",
        ) {
            for text in [&known, &any, &format!("{known}{any}"), &format!("{any}{known}")] {
                let said = of(text);
                prop_assert!(said.buffer.is_none_or(|buffer| buffer <= Duration::from_secs(1_000_000)));
                prop_assert!(said.rate.is_none_or(|rate| rate >= 0.0) && said.signals().len() <= 4);
            }
        }
    }
}
