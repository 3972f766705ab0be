//! `gateway.yaml` is the manual: it says what the code does.

use std::collections::BTreeSet;

use super::*;

const MANUAL: &str = include_str!("../../../gateway.yaml");

#[test]
fn the_manual_states_the_defaults() {
    let (mut manual, report) = read(Path::new("gateway.yaml"), MANUAL, &[]).expect("the manual is YAML");
    report.into_result(Some(())).expect("the manual has no errors");
    assert!(manual.upstream.url.take().is_some(), "the one key without a default is shown");
    assert_eq!(format!("{manual:#?}"), format!("{:#?}", File::default()));
}

#[test]
fn the_manual_has_every_key() {
    let written: BTreeSet<_> = lines::of_keys(MANUAL).into_keys().collect();
    assert_eq!(written, known_keys("", ""));
}

#[test]
fn every_key_of_the_manual_has_a_comment_beside_it() {
    let sections = ["upstream:", "pool:", "viewers:", "window:", "ffmpeg:", "shutdown:", "log:"];
    for line in MANUAL.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        assert!(line.contains(" # ") || sections.contains(&line.trim()), "{line:?}");
    }
}

/// The keys that the code knows, in `section` (with what has to be written before a key in it) and below.
fn known_keys(section: &str, opening: &str) -> BTreeSet<String> {
    let closing = "}".repeat(opening.matches('{').count());
    let text = format!("{{{opening}no_such_key: 1{closing}}}");
    let error = serde_yaml::from_str::<File>(&text).expect_err("there is no such key");
    let message = error.to_string();
    let Some((_, names)) = message.split_once("expected ").filter(|_| message.contains("unknown field"))
    else {
        return BTreeSet::new();
    };
    let names = names.split('`').skip(1).step_by(2);
    names
        .flat_map(|name| {
            let mut keys = known_keys(&format!("{section}{name}."), &format!("{opening}{name}: {{"));
            keys.insert(format!("{section}{name}"));
            keys
        })
        .collect()
}
