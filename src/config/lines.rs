//! Finds the line of each key in a YAML text, which the parser does not keep.
//!
//! It reads the layout only: keys by indentation, list items by their dash. A key inside braces has no line; `errors`
//! uses the line of the enclosing key.

use std::collections::BTreeMap;

/// The line of each key, counted from 1, by dotted path; list items as `key[0]`.
pub(super) fn of_keys(text: &str) -> BTreeMap<String, usize> {
    walk(text).fold(BTreeMap::new(), |mut lines, (key, line)| {
        lines.entry(key).or_insert(line);
        lines
    })
}

/// The line of the first key that is repeated in its section.
pub(super) fn first_repeated(text: &str) -> Option<usize> {
    let mut seen = BTreeMap::new();
    walk(text).find(|(key, line)| seen.insert(key.clone(), *line).is_some()).map(|(_, line)| line)
}

/// Each key and list item with its line, from top to bottom.
fn walk(text: &str) -> impl Iterator<Item = (String, usize)> {
    let mut around: Vec<(usize, String)> = Vec::new();
    let mut items: BTreeMap<String, usize> = BTreeMap::new();
    text.lines().enumerate().flat_map(move |(index, line)| {
        let mut content = line.trim_start();
        let mut indent = line.len() - content.len();
        let is_item = content.starts_with("- ");
        // A list may have the indentation of its key; two keys, or two items, at the same indentation are siblings.
        while around.last().is_some_and(|(outer, path)| {
            *outer > indent || (*outer == indent && (!is_item || path.ends_with(']')))
        }) {
            around.pop();
        }
        let mut found = Vec::new();
        if is_item {
            let outer = path_of(&around);
            let count = items.entry(outer.to_owned()).or_default();
            *count += 1;
            found.push((format!("{outer}[{}]", *count - 1), index + 1));
            around.push((indent, found[0].0.clone()));
            let rest = content[1..].trim_start();
            (indent, content) = (indent + content.len() - rest.len(), rest);
        }
        if let Some(key) = key_of(content) {
            let outer = path_of(&around);
            let path = if outer.is_empty() { key.to_owned() } else { format!("{outer}.{key}") };
            around.push((indent, path.clone()));
            found.push((path, index + 1));
        }
        found
    })
}

fn path_of(around: &[(usize, String)]) -> &str {
    around.last().map_or("", |(_, path)| path)
}

/// The key at the beginning of a line, if there is one.
fn key_of(content: &str) -> Option<&str> {
    let (key, rest) = content.split_once(':')?;
    let is_key = !content.starts_with(['#', '{', '[']) && (rest.is_empty() || rest.starts_with([' ', '\t']));
    is_key.then(|| key.trim().trim_matches(['"', '\'']))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# pool: in a comment\nlisten: 127.0.0.1:1\n\nupstream:\n  url: http://a:1   # x: y\n  \
        'failures': 3\ntrusted_proxies:\n- 10.0.0.1\n- 10.0.0.2\npool: {slots: 4}\nlog:\n  level: info\n";

    #[test]
    fn keys_are_found_by_their_indentation() {
        let lines = of_keys(TEXT);
        let expected = [
            ("listen", 2),
            ("log", 11),
            ("log.level", 12),
            ("pool", 10),
            ("trusted_proxies", 7),
            ("trusted_proxies[0]", 8),
            ("trusted_proxies[1]", 9),
            ("upstream", 4),
            ("upstream.failures", 6),
            ("upstream.url", 5),
        ];
        assert_eq!(lines.iter().map(|(key, line)| (key.as_str(), *line)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn keys_of_list_items_are_found() {
        let text = "lineup:\n  - url: http://a\n    tuners: 1\n    channels:\n      1: {skip: true}\n  - file: b\n    tuners: 2\n\
            x:\n- a: 1\n  b: 2\n- a: 1\ny: 1\n";
        let lines: Vec<_> = walk(text).map(|(key, line)| format!("{line} {key}")).collect();
        let expected = "1 lineup,2 lineup[0],2 lineup[0].url,3 lineup[0].tuners,4 lineup[0].channels,5 lineup[0].channels.1,\
            6 lineup[1],6 lineup[1].file,7 lineup[1].tuners,8 x,9 x[0],9 x[0].a,10 x[0].b,11 x[1],11 x[1].a,12 y";
        assert_eq!(lines.join(","), expected);
        assert_eq!(first_repeated(text), None);
    }

    #[test]
    fn a_repeated_key_is_the_second_of_its_section() {
        assert_eq!(first_repeated(TEXT), None);
        assert_eq!(first_repeated("a:\n  x: 1\nb:\n  x: 1\n  y: 2\n  x: 3\n"), Some(6));
    }
}
