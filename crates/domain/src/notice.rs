//! Puts into words, for somebody outside, that something has happened: the fields of a notice, and templates that name them.
//!
//! It does not know who is told, nor how.

use std::collections::BTreeMap;

use crate::reason::NoticeKind;

/// The fields that a notice can have. The first three are always there.
pub const FIELDS: [&str; 9] =
    ["event", "at", "text", "channel", "number", "device", "user", "waited_ms", "reason"];

/// Something has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What it is.
    pub kind: NoticeKind,
    /// The fields that it has, by their names in [`FIELDS`].
    pub fields: BTreeMap<&'static str, String>,
}

impl Notice {
    /// A notice of this kind, which says `text`; `at` is the moment as RFC 3339 writes it.
    #[must_use]
    pub fn new(kind: NoticeKind, at: String, text: String) -> Self {
        let event = kind.as_str().to_owned();
        Self { kind, fields: BTreeMap::from([("event", event), ("at", at), ("text", text)]) }
    }

    /// The same with another field, if it has a value.
    #[must_use]
    pub fn with(mut self, field: &'static str, value: Option<String>) -> Self {
        self.fields.extend(value.map(|value| (field, value)));
        self
    }

    /// `template` with the value of each `{{field}}` in its place: nothing for a field that the notice does not have. Where the template
    /// is JSON, values are written so that it stays JSON.
    #[must_use]
    pub fn fill(&self, template: &str) -> String {
        let is_json = is_json(template);
        let mut filled = String::with_capacity(template.len());
        for part in parts(template) {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Field(name) => {
                    let value = self.fields.get(name).map_or("", String::as_str);
                    if is_json { escape(value, &mut filled) } else { filled.push_str(value) }
                }
            }
        }
        filled
    }
}

/// Whether a template is meant to be JSON.
#[must_use]
pub fn is_json(template: &str) -> bool {
    template.trim_start().starts_with(['{', '[']) && !template.trim_start().starts_with("{{")
}

/// The first field in a template that no notice can have.
#[must_use]
pub fn unknown_field(template: &str) -> Option<&str> {
    parts(template).find_map(|part| match part {
        Part::Field(name) if !FIELDS.contains(&name) => Some(name),
        Part::Field(_) | Part::Text(_) => None,
    })
}

enum Part<'a> {
    Text(&'a str),
    Field(&'a str),
}

/// A template in parts. Braces that are not closed are text.
fn parts(template: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = rest.find("{{").and_then(|begin| {
            let inner = &rest[begin + 2..];
            Some((begin, &inner[..inner.find("}}")?]))
        });
        Some(match field {
            Some((0, name)) => {
                rest = &rest[name.len() + 4..];
                Part::Field(name.trim())
            }
            Some((begin, _)) => {
                let text;
                (text, rest) = rest.split_at(begin);
                Part::Text(text)
            }
            None => Part::Text(std::mem::take(&mut rest)),
        })
    })
}

/// Writes a value as it stands within a string of JSON.
fn escape(value: &str, into: &mut String) {
    use std::fmt::Write as _;
    for c in value.chars() {
        match c {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            // A string takes whatever is written to it.
            c if c.is_control() => {
                let _ = write!(into, "\\u{:04x}", u32::from(c));
            }
            c => into.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice() -> Notice {
        let notice = Notice::new(NoticeKind::ZapSlow, "now".to_owned(), "a \"slow\"\nzap".to_owned());
        notice.with("channel", Some("ARD".to_owned())).with("user", None)
    }

    #[test]
    fn fields_are_put_in_their_places() {
        for (template, filled) in [
            ("{{event}}: {{ channel }}{{user}}", "zap-slow: ARD"),
            ("{{text}}", "a \"slow\"\nzap"),
            ("no field", "no field"),
            ("{{event", "{{event"),
            ("{x} {{event}}}", "{x} zap-slow}"),
            ("", ""),
        ] {
            assert_eq!(notice().fill(template), filled, "{template}");
        }
    }

    #[test]
    fn a_template_of_json_stays_json() {
        let filled = notice().fill("{\"content\": \"{{text}}\"}");
        assert_eq!(filled, "{\"content\": \"a \\\"slow\\\"\\u000azap\"}");
    }

    #[test]
    fn a_field_that_no_notice_has_is_found() {
        assert_eq!(unknown_field("{{event}} {{chanel}}"), Some("chanel"));
        assert_eq!(unknown_field("{{event}} {{number}} {{"), None);
    }
}
