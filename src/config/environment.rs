//! Merges environment variables over the file: `WARMGATE__UPSTREAM__API_KEY` sets `upstream.api_key`.
//!
//! It does not know which keys exist: `file` reports a variable that names an unknown key.

use std::collections::BTreeMap;
use std::env;

use serde_yaml::{Mapping, Value};

/// The variable that makes the file optional.
pub(super) const UPSTREAM_URL: &str = "WARMGATE__UPSTREAM__URL";

const PREFIX: &str = "WARMGATE__";

/// The process's variables that begin with `WARMGATE__`, in alphabetical order.
pub(super) fn of_process() -> Vec<(String, String)> {
    let mut variables: Vec<_> = env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    variables.sort();
    variables
}

/// Whether `variables` name the upstream.
pub(super) fn names_upstream(variables: &[(String, String)]) -> bool {
    variables.iter().any(|(name, _)| name == UPSTREAM_URL)
}

/// Puts each of `variables` into `tree`; returns the name of the variable that has set each key.
pub(super) fn overlay(tree: &mut Value, variables: &[(String, String)]) -> BTreeMap<String, String> {
    let mut set = BTreeMap::new();
    for (name, value) in variables {
        let Some(path) = name.strip_prefix(PREFIX) else { continue };
        let keys: Vec<String> = path.split("__").map(str::to_lowercase).collect();
        put(tree, &keys, value);
        set.insert(keys.join("."), name.clone());
    }
    set
}

/// Puts `value` at the path `keys`. A plain value that the file has in place of a section stays, and `file` reports it
/// as an error.
fn put(tree: &mut Value, keys: &[String], value: &str) {
    let Some((key, rest)) = keys.split_first() else {
        *tree = Value::String(value.to_owned());
        return;
    };
    if tree.is_null() {
        *tree = Value::Mapping(Mapping::new());
    }
    if let Value::Mapping(section) = tree {
        put(section.entry(Value::String(key.clone())).or_insert(Value::Null), rest, value);
    }
}
