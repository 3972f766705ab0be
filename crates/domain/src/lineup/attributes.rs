//! Reads the attributes and the name behind `#EXTINF:` and `#EXTM3U`.
//!
//! There is no standard for them. Keys and values are taken as they are, known or not; what cannot be read is skipped.

/// Attributes `key="value"`, in the order and spelling of the playlist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes(Vec<(String, String)>);

impl Attributes {
    /// The value of `key`, in any letter case; `None` if it is empty.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        let known = |(name, value): &&(String, String)| name.eq_ignore_ascii_case(key) && !value.is_empty();
        self.0.iter().find(known).map(|(_, value)| value.as_str())
    }

    /// The value of the first of `keys` that has one.
    #[must_use]
    pub fn first(&self, keys: &[&str]) -> Option<&str> {
        keys.iter().find_map(|key| self.get(key))
    }

    /// Sets `key`, in its old place if it has one.
    pub fn set(&mut self, key: &str, value: &str) {
        match self.0.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case(key)) {
            Some((_, old)) => value.clone_into(old),
            None => self.0.push((key.to_owned(), value.to_owned())),
        }
    }

    /// All attributes, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// The attributes of a line and the name behind them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Info<'a> {
    pub(super) attributes: Attributes,
    /// The name; empty if there is none.
    pub(super) name: &'a str,
    /// Whether a quote is not closed.
    pub(super) unclosed: bool,
}

impl<'a> Info<'a> {
    /// Reads `text`. The name starts behind the first comma outside a value, and may itself contain commas.
    pub(super) fn read(text: &'a str) -> Self {
        let mut scan = Scan { text, at: 0, found: Vec::new(), comma: None, unclosed: false };
        while scan.step() {}
        let Scan { found, comma, unclosed, .. } = scan;
        // A comma may also stand in a value without quotes: the name is behind the last attribute if a comma follows it.
        let behind = found.last().map_or(0, |last| last.end);
        let name_comma = text[behind..].find(',').map(|at| behind + at).or(comma);
        let before = |pair: &Pair| name_comma.is_none_or(|comma| pair.start < comma);
        let attributes = found.into_iter().filter(before).map(|pair| (pair.key, pair.value)).collect();
        let name = name_comma.map_or("", |comma| text[comma + 1..].trim());
        Self { attributes: Attributes(attributes), name, unclosed }
    }
}

struct Pair {
    key: String,
    value: String,
    start: usize,
    end: usize,
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    found: Vec<Pair>,
    /// The first comma outside a value.
    comma: Option<usize>,
    unclosed: bool,
}

impl Scan<'_> {
    /// Moves on by an attribute, a word or a character; returns `false` at the end.
    fn step(&mut self) -> bool {
        let start = self.at;
        let rest = &self.text[start..];
        let word = rest.find(|c: char| !is_key(c)).unwrap_or(rest.len());
        if let Some(value) = rest[word..].strip_prefix('=').filter(|_| word > 0) {
            let (value, end) = self.value(value, start + word + 1);
            let (key, value) = (rest[..word].to_owned(), value.to_owned());
            self.found.push(Pair { key, value, start, end });
            self.at = end;
            return true;
        }
        let Some(next) = rest[word..].chars().next() else { return false };
        if next == ',' {
            self.comma.get_or_insert(start + word);
        }
        self.at = start + word + next.len_utf8();
        true
    }

    /// The value at the start of `rest`, which begins at `start`, and where it ends.
    fn value<'a>(&mut self, rest: &'a str, start: usize) -> (&'a str, usize) {
        let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            let end = rest.find(|c: char| c.is_whitespace() || c == ',').unwrap_or(rest.len());
            return (&rest[..end], start + end);
        };
        let inner = &rest[1..];
        match inner.find(quote) {
            Some(end) => (inner[..end].trim(), start + end + 2),
            None => {
                self.unclosed = true;
                let end = inner.find(',').unwrap_or(inner.len());
                (inner[..end].trim(), start + 1 + end)
            }
        }
    }
}

fn is_key(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(text: &str, attributes: &[(&str, &str)], name: &str) {
        let info = Info::read(text);
        assert_eq!(info.attributes.iter().collect::<Vec<_>>(), attributes, "{text}");
        assert_eq!(info.name, name, "{text}");
    }

    #[test]
    fn attributes_are_taken_as_they_come() {
        reads("-1,News", &[], "News");
        reads(
            " -1 tvg-id=\"a.b\" tvg-name=\"A, B\" X=\"\",A",
            &[("tvg-id", "a.b"), ("tvg-name", "A, B"), ("X", "")],
            "A",
        );
        reads("-1 tvg-id=\"a\"tvg-chno=\"1\" , A", &[("tvg-id", "a"), ("tvg-chno", "1")], "A");
        reads("0 tvg-id='x' group-title=L'Equipe,A", &[("tvg-id", "x"), ("group-title", "L'Equipe")], "A");
        reads("-1 tvg-chno=7 radio=true,A", &[("tvg-chno", "7"), ("radio", "true")], "A");
        reads("-1 logo=\"http://a/b?c=d,e\",A", &[("logo", "http://a/b?c=d,e")], "A");
    }

    #[test]
    fn a_name_may_have_commas_and_signs() {
        reads("-1 tvg-id=\"a\",News, Weather & Sport", &[("tvg-id", "a")], "News, Weather & Sport");
        reads("-1,The \"Best\", HD", &[], "The \"Best\", HD");
        reads("-1,1+1=2", &[], "1+1=2");
        reads("-1 group-title=News,Sport tvg-id=x,A", &[("group-title", "News"), ("tvg-id", "x")], "A");
        reads("-1 tvg-id=\"a\"", &[("tvg-id", "a")], "");
        reads("", &[], "");
        reads("-1,", &[], "");
    }

    #[test]
    fn a_quote_that_is_not_closed_ends_at_the_comma() {
        let info = Info::read("-1 tvg-id=\"a\" tvg-name=\"Foo,Bar");
        assert_eq!((info.name, info.attributes.get("TVG-NAME"), info.unclosed), ("Bar", Some("Foo"), true));
    }
}
