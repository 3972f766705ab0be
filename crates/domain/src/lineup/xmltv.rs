//! Writes a guide (XMLTV) for the gateway's own playlist: its channels, and their programmes from other guides.
//!
//! A `<programme>` element is copied as it is; only its channel is read.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use crate::lineup::Lineup;

/// The start of a guide with the channels of `lineup`; programmes and [`END`] follow it.
#[must_use]
pub fn head(lineup: &Lineup) -> String {
    let mut text =
        String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<tv generator-info-name=\"warmgate\">\n");
    let mut seen = BTreeSet::new();
    for channel in lineup.channels() {
        let id = channel.tvg_id().unwrap_or(channel.id.as_str());
        if !seen.insert(id) {
            continue;
        }
        let _ = write!(
            text,
            "  <channel id=\"{}\"><display-name>{}</display-name>",
            Escaped(id),
            Escaped(&channel.name)
        );
        if let Some(number) = &channel.number {
            let _ = write!(text, "<display-name>{}</display-name>", Escaped(number));
        }
        if let Some(logo) = channel.attributes.first(&["tvg-logo", "logo"]) {
            let _ = write!(text, "<icon src=\"{}\"/>", Escaped(logo));
        }
        text.push_str("</channel>\n");
    }
    text
}

/// The end of a guide.
pub const END: &str = "</tv>\n";

/// The programmes in `guide` that belong to channels of `lineup`.
#[must_use]
pub fn programmes(guide: &str, lineup: &Lineup) -> String {
    const END: &str = "</programme>";
    let known: BTreeSet<String> =
        lineup.channels().iter().filter_map(|channel| Some(Escaped(channel.tvg_id()?).to_string())).collect();
    let mut text = String::new();
    let mut rest = guide;
    while let Some(start) = rest.find("<programme") {
        rest = &rest[start..];
        let Some(length) = rest.find(END).map(|at| at + END.len()) else { break };
        let (programme, behind) = rest.split_at(length);
        rest = behind;
        if channel_of(programme).is_some_and(|channel| known.contains(channel)) {
            let _ = writeln!(text, "  {programme}");
        }
    }
    text
}

/// The channel in the opening tag of `programme`, as it is escaped there.
fn channel_of(programme: &str) -> Option<&str> {
    let (tag, _) = programme.split_once('>')?;
    let (before, value) = tag.split_once("channel=")?;
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    before.ends_with(char::is_whitespace).then(|| value[1..].split(quote).next()).flatten()
}

/// Text escaped for XML, without the characters that XML forbids.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}
