//! `gateway.yaml` is the manual: it says what the code does.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::config::Config;

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
    let sections = [
        "upstream:",
        "lineup_server:",
        "produce:",
        "clients:",
        "pool:",
        "viewers:",
        "window:",
        "ffmpeg:",
        "shutdown:",
        "log:",
    ];
    for line in MANUAL.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        assert!(line.contains(" # ") || sections.contains(&line.trim()), "{line:?}");
    }
}

/// The example below a section that is a list, as YAML, and what it is read as.
fn example(section: &str) -> (String, File) {
    let below = MANUAL.lines().skip_while(|line| !line.starts_with(section)).skip(1);
    let example: Vec<_> = below.map_while(|line| line.strip_prefix("#  ")).collect();
    assert!(example.iter().all(|line| line.contains(" # ")), "each with its comment");
    let text = format!("{section}\n  {}\n", example.join("\n  "));
    let (read_back, report) = read(Path::new("example"), &text, &[]).expect("the example is YAML");
    report.into_result(Some(())).expect("the example has no errors");
    (text, read_back)
}

#[test]
fn the_example_of_a_webhook_states_the_defaults_of_every_key() {
    let (_, example) = example("webhooks:");
    let plain = "webhooks: [{url: 'https://ntfy.example/tv'}]\n";
    let (plain, _) = read(Path::new("plain"), plain, &[]).unwrap();
    assert_eq!(format!("{:#?}", example.webhooks), format!("{:#?}", plain.webhooks));
    let error = serde_yaml::from_str::<File>("webhooks: [{no_such_key: 1}]").unwrap_err().to_string();
    let (_, names) = error.split_once("expected ").unwrap();
    for name in names.split('`').skip(1).step_by(2) {
        assert!(MANUAL.contains(&format!("{name}: ")), "{name} is in no example");
    }
}

#[test]
fn the_example_of_a_playlist_states_the_defaults_of_every_key() {
    let (text, read_back) = example("lineup:");
    let plain = "lineup:\n - url: http://provider.example/\n   channels: {news.example: {}}\n";
    let (plain, _) = read(Path::new("plain"), plain, &[]).unwrap();
    assert_eq!(format!("{:#?}", read_back.lineup), format!("{:#?}", plain.lineup));

    let keys: BTreeSet<_> = lines::of_keys(&text).into_keys().collect();
    for opening in ["lineup: [{", "lineup: [{channels: {news.example: {"] {
        let closing: String = opening
            .chars()
            .rev()
            .filter_map(|c| match c {
                '[' => Some(']'),
                '{' => Some('}'),
                _ => None,
            })
            .collect();
        let error = serde_yaml::from_str::<File>(&format!("{opening}no_such_key: 1{closing}"))
            .unwrap_err()
            .to_string();
        let (_, names) = error.split_once("expected ").expect("the known keys are told");
        for name in names.split('`').skip(1).step_by(2) {
            let known = |key: &String| key.ends_with(&format!(".{name}"));
            assert!(
                keys.iter().any(known) || MANUAL.contains(&format!("or {name}: ")),
                "{name} is in no example"
            );
        }
    }
}

#[test]
fn the_example_of_a_rule_has_every_key() {
    let example: Vec<_> = MANUAL.lines().filter_map(|line| line.strip_prefix("  # ")).collect();
    assert!(example.iter().all(|line| line.contains(" # ")), "each with its comment");
    let text = format!("clients:\n  rules:\n  {}\n", example.join("\n  "));
    let (file, report) = read(Path::new("example"), &text, &[]).expect("the example is YAML");
    report.into_result(Some(())).expect("the example has no errors");
    assert_eq!(file.clients.rules.len(), 1);
    let written: BTreeSet<_> = lines::of_keys(&text).into_keys().collect();
    for section in ["match", "set"] {
        let error =
            serde_yaml::from_str::<File>(&format!("clients: {{rules: [{{{section}: {{no_such_key: 1}}}}]}}"))
                .expect_err("there is no such key")
                .to_string();
        let (_, names) = error.split_once("expected one of ").expect("the known keys are told");
        for name in names.split('`').skip(1).step_by(2) {
            assert!(
                written.contains(&format!("clients.rules[0].{section}.{name}")),
                "{section}.{name}: {written:?}"
            );
        }
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

proptest! {
    /// Whatever the file contains, all of it is read, and each error has its line.
    #[test]
    fn no_text_is_too_strange(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "listen", "upstream", "url", "lineup", "clients", "rules", "match", "set", "pool", "slots", "channels",
            ": ", ":\n", "\n", "\n  ", "\n  - ", "- ", "{", "}", "[", "]", ", ", "\"", "'", "&a ", "*a", "!x ", "|\n", "# ",
            "http://a:1", "4", "0x4", "20s", "-1", "1e999", "null", "~", "true", "é", "\t", "\u{feff}", "---\n",
        ]), 0..40),
        variable in "[A-Z_]{0,12}",
        value in "\\PC{0,12}",
    ) {
        let text = pieces.concat();
        let variables = [(format!("WARMGATE__{variable}"), value)];
        if let Err(errors) = Config::parse(Path::new("/nowhere/gateway.yaml"), &text, &variables) {
            for problem in errors.problems() {
                let Place::Line(_, line) = problem.place else { continue };
                prop_assert!((1..=text.lines().count().max(1)).contains(&line), "{line} {}", problem.what);
            }
        }
    }
}
