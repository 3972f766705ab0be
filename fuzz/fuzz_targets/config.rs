//! Anything at all as `gateway.yaml` and, behind a byte of zero, as variables of the environment, one per line: each error has
//! its place in the text.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use warmgate::config::{Config, Place};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (file, environment) = text.split_once('\0').unwrap_or((&text, ""));
    let variables = environment.lines().filter_map(|line| line.split_once('='));
    let variables: Vec<_> =
        variables.map(|(name, value)| (format!("WARMGATE__{name}"), value.to_owned())).collect();
    // No file that the text names by a relative path is there.
    let Err(errors) = Config::parse(Path::new("/nowhere/gateway.yaml"), file, &variables) else { return };
    assert!(!errors.to_string().is_empty());
    for problem in errors.problems() {
        if let Place::Line(_, line) = problem.place {
            assert!((1..=file.lines().count().max(1)).contains(&line), "line {line}");
        }
    }
});
