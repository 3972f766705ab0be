//! Reads a Rust file just far enough to list the modules that it declares and the paths that it names.
//!
//! Comments, literals and whatever `#[cfg(test)]` stands on are left out. Inline modules are read as part of their file.

/// What one file declares and names, tests excluded.
#[derive(Default)]
pub(crate) struct Names {
    /// `x` of each `mod x;`.
    pub(crate) modules: Vec<String>,
    /// Each path of two segments or more, split at `::`.
    pub(crate) paths: Vec<Vec<String>>,
    /// Each name that a `use` brings into scope, and its path.
    pub(crate) uses: Vec<(String, Vec<String>)>,
}

impl Names {
    pub(crate) fn read(text: &str) -> Self {
        let tokens = tokens(text);
        let mut names = Self::default();
        let mut at = 0;
        while at < tokens.len() {
            at = match &tokens[at..] {
                ["#", "[", "cfg", "(", "test", ")", "]", ..] => item_end(&tokens, at + 7),
                ["mod", name, ";", ..] => {
                    names.modules.push((*name).to_owned());
                    at + 3
                }
                ["use", ..] => names.tree(&tokens, at + 1, &[]),
                // Who may see an item is no import.
                ["pub", "(", "in", ..] => {
                    at + 3 + tokens[at + 3..].iter().take_while(|token| **token != ")").count()
                }
                [word, "::", ..] if is_word(word) => names.path(&tokens, at),
                _ => at + 1,
            };
        }
        names
    }

    /// Reads the path that begins at `at`, and returns where it ends.
    fn path(&mut self, tokens: &[&str], mut at: usize) -> usize {
        let mut path = vec![tokens[at].to_owned()];
        while let ["::", word, ..] = tokens[at + 1..]
            && is_word(word)
        {
            path.push(word.to_owned());
            at += 2;
        }
        self.paths.push(path);
        at + 1
    }

    /// Reads the `use` tree below `prefix` that begins at `at`, and returns where it ends.
    fn tree(&mut self, tokens: &[&str], mut at: usize, prefix: &[String]) -> usize {
        let mut path = prefix.to_vec();
        loop {
            match tokens[at..] {
                ["{", ..] => {
                    while tokens[at] != "}" {
                        at += 1;
                        if tokens[at] != "}" {
                            at = self.tree(tokens, at, &path);
                        }
                    }
                    return at + 1;
                }
                ["self", ..] if !path.is_empty() => {}
                ["::", ..] => {}
                ["as", name, ..] => {
                    self.imported(name, path);
                    return at + 2;
                }
                [word, ..] if is_word(word) || word == "*" => path.push(word.to_owned()),
                _ => break,
            }
            at += 1;
        }
        let name = path.last().cloned().unwrap_or_default();
        self.imported(&name, path);
        at
    }

    fn imported(&mut self, name: &str, path: Vec<String>) {
        self.uses.push((name.to_owned(), path.clone()));
        self.paths.push(path);
    }
}

/// Where the item that begins at `at`, perhaps with attributes, ends.
fn item_end(tokens: &[&str], mut at: usize) -> usize {
    let is_import = tokens[at..].iter().find(|token| !matches!(**token, "pub")) == Some(&"use");
    let mut depth = 0;
    while at < tokens.len() {
        match tokens[at] {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" => depth -= 1,
            "}" if depth == 1 && !is_import => return at + 1,
            "}" => depth -= 1,
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
        at += 1;
    }
    at
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words, `::`, and every other mark by itself.
fn tokens(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let comment_or_literal = comment(rest).or_else(|| string(rest)).or_else(|| character(rest));
        let length = comment_or_literal.unwrap_or_else(|| match first {
            _ if rest.starts_with("::") => 2,
            _ if in_word(first) => rest.find(|c| !in_word(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        });
        let (token, behind) = rest.split_at(length);
        if comment_or_literal.is_none() && !first.is_whitespace() {
            found.push(token);
        }
        rest = behind;
    }
    found
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn comment(text: &str) -> Option<usize> {
    let end = if text.starts_with("//") {
        text.find('\n')
    } else {
        text.strip_prefix("/*")?.find("*/").map(|at| at + 4)
    };
    Some(end.unwrap_or(text.len()))
}

fn string(text: &str) -> Option<usize> {
    let prefix = text.find(|c| !"bcr".contains(c))?;
    let raw = text[..prefix].contains('r');
    let hashes = text[prefix..].find(|c| c != '#').filter(|hashes| raw || *hashes == 0)?;
    let start = prefix + hashes + 1;
    let content = text.get(start - 1..)?.strip_prefix('"')?;
    let end = if raw {
        content.find(&format!("\"{}", "#".repeat(hashes)))?
    } else {
        let mut escaped = false;
        content.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })?
    };
    Some(start + end + 1 + hashes)
}

/// A character literal, or the quote of a lifetime.
fn character(text: &str) -> Option<usize> {
    let content = text.strip_prefix('\'')?;
    let mut chars = content.char_indices();
    match (chars.next()?.1, chars.next()?) {
        ('\\', _) => content[2..].find('\'').map(|end| end + 4),
        (_, (end, '\'')) => Some(end + 2),
        _ => Some(1),
    }
}
