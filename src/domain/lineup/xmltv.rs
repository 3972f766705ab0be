//! The guide's channels, as XMLTV has them, under the names of the gateway's own playlist.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use crate::domain::lineup::Lineup;

/// The channels of `lineup`: the beginning of a guide, to be followed by programmes and [`END`].
#[must_use]
pub fn head(lineup: &Lineup) -> String {
    let mut text =
        String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<tv generator-info-name=\"warmgate\">\n");
    let mut seen = BTreeSet::new();
    for channel in lineup.channels() {
        let id = channel.tvg_id().unwrap_or(&channel.id);
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

/// What ends a guide.
pub const END: &str = "</tv>\n";

/// Text that stands for itself in XML; characters that XML forbids are left out.
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
