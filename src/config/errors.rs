//! Collects all errors of a configuration, each with its key and its line or variable.
//!
//! It knows where keys were written, not which rules they must keep.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

const HOW_TO_BEGIN: &str = "there is no such file. Write one with at least these two lines:

upstream:
  url: http://127.0.0.1:8096

where the address is your Jellyfin's, or set WARMGATE__UPSTREAM__URL to that address.";

/// All problems in the order of the file, those of the environment last. Displays one per line.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Errors(Vec<Problem>);

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The place to correct.
    pub place: Place,
    /// The key as a dotted path; empty for the file as a whole.
    pub key: String,
    /// The problem and its remedy, as a sentence without the key.
    pub what: String,
}

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A file, at no particular line.
    File(PathBuf),
    /// A line of a file, counted from 1.
    Line(PathBuf, usize),
    /// An environment variable.
    Variable(String),
}

impl Errors {
    /// The problems; at least one.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }

    /// The error for a configuration file that cannot be read.
    pub(super) fn unreadable(path: &Path, error: &io::Error) -> Self {
        let what = match error.kind() {
            ErrorKind::NotFound => HOW_TO_BEGIN.to_owned(),
            _ => format!("cannot be read: {error}"),
        };
        Self::one(Place::File(path.to_owned()), what)
    }

    /// A single problem that belongs to no key.
    pub(super) fn one(place: Place, what: String) -> Self {
        Self(vec![Problem { place, key: String::new(), what }])
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File(path) => write!(f, "{}: ", path.display())?,
            Place::Line(path, line) => write!(f, "{}:{line}: ", path.display())?,
            Place::Variable(name) => return write!(f, "{name}: {}", self.what),
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)
    }
}

/// Collects problems and finds the place of each key.
#[derive(Debug)]
pub(super) struct Report {
    path: PathBuf,
    lines: BTreeMap<String, usize>,
    variables: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

impl Report {
    /// A report for the file at `path`, given the line of each key and the variable of each key that a variable has set.
    pub(super) fn new(
        path: &Path,
        lines: BTreeMap<String, usize>,
        variables: BTreeMap<String, String>,
    ) -> Self {
        Self { path: path.to_owned(), lines, variables, problems: Vec::new() }
    }

    /// Adds a problem of `key`.
    pub(super) fn add(&mut self, key: &str, what: impl Into<String>) {
        let (place, key, what) = (self.place(key), key.to_owned(), what.into());
        self.problems.push(Problem { place, key, what });
    }

    /// Adds a problem of `key` if a rule does not hold, unless `key` or one of `others`, which the rule compares, has a
    /// problem already: its default stands in for it then, and a problem with the default would confuse.
    pub(super) fn rule(&mut self, holds: bool, key: &str, others: &[&str], what: impl Into<String>) {
        let known = |key: &str| self.problems.iter().any(|problem| problem.key == key);
        if !holds && !known(key) && !others.iter().any(|key| known(key)) {
            self.add(key, what);
        }
    }

    /// `value` if there is no problem, else all problems.
    pub(super) fn into_result<T>(mut self, value: Option<T>) -> Result<T, Errors> {
        self.problems.sort_by(|a, b| a.place.cmp(&b.place));
        match value {
            Some(value) if self.problems.is_empty() => Ok(value),
            _ => Err(Errors(self.problems)),
        }
    }

    /// The variable or line of `key`, or of the nearest enclosing section if `key` was not written.
    fn place(&self, key: &str) -> Place {
        let mut around = key;
        loop {
            if let Some(name) = self.variables.get(around) {
                return Place::Variable(name.clone());
            }
            if let Some(line) = self.lines.get(around) {
                return Place::Line(self.path.clone(), *line);
            }
            match around.rsplit_once(['.', '[']) {
                Some((outer, _)) => around = outer,
                None => return Place::File(self.path.clone()),
            }
        }
    }
}
