//! The Grafana board and the rules for Prometheus in `deploy/` ask only for what `/metrics` gives. `make check-deploy` tests the rest.

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use serde_json::Value;

use crate::support::admin::ask;
use crate::support::stage::Stage;

const BOARD: &str = include_str!("../../deploy/grafana/warmgate.json");
const RULES: &str = include_str!("../../deploy/prometheus/warmgate.rules.yaml");
const RULES_TESTS: &str = include_str!("../../deploy/prometheus/warmgate.rules.test.yaml");

/// A query for a metric or a value that does not exist is no error: it is empty, and an alert of it stays silent for ever.
#[tokio::test(flavor = "multi_thread")]
async fn board_and_rules_ask_for_what_there_is() {
    let stage = Stage::with(
        |_| (),
        |config| {
            config.admin.enabled = true;
            // Where the number of tuners is unknown, there is no such metric.
            config.tuners.limit = Some(4);
        },
    )
    .await;
    let (status, _, metrics) = ask(stage.admin.unwrap(), &Method::GET, "/metrics", &[]).await;
    assert_eq!(status, StatusCode::OK);
    let (given, recorded) = (names_given(&metrics), names_recorded());
    for (file, text) in [("the board", BOARD), ("the rules", RULES), ("their tests", RULES_TESTS)] {
        // In JSON each quotation mark of a query is escaped.
        let text = text.replace("\\\"", "\"");
        let asked = names_asked(&text);
        assert!(asked.contains("warmgate_zaps_judged_total"), "{file}: {asked:?}");
        for name in asked {
            assert!(given.contains(name) || recorded.contains(name), "{file}: there is no {name}");
        }
        for label in [
            "end",
            "method",
            "objective",
            "outcome",
            "presence",
            "reason",
            "route",
            "state",
            "status",
            "use",
            "warmth",
        ] {
            // Each is there from the start.
            let known: BTreeSet<_> = values(&metrics, label).into_iter().collect();
            for value in values(&text, label).into_iter().filter(|value| !value.starts_with('$')) {
                assert!(known.contains(value), "{file}: {label} is never {value}, but one of {known:?}");
            }
        }
    }
}

#[test]
fn every_alert_is_tested_and_says_what_to_do() {
    let rules: Value = serde_yaml::from_str(RULES).unwrap();
    let groups = rules["groups"].as_array().unwrap();
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
    let alerts: Vec<_> = rules.filter(|rule| rule["alert"].is_string()).collect();
    assert!(!alerts.is_empty());
    for alert in alerts {
        let (labels, annotations) = (&alert["labels"], &alert["annotations"]);
        for told in [&labels["severity"], &annotations["summary"], &annotations["description"]] {
            assert!(told.is_string(), "{alert}");
        }
        let summary = format!("summary: {}\n", annotations["summary"].as_str().unwrap());
        assert!(RULES_TESTS.contains(&summary), "no test lets {} fire", alert["alert"]);
    }
}

/// The names of all series, of families without a sample too.
fn names_given(metrics: &str) -> BTreeSet<String> {
    let families = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let names = families.flat_map(|(name, kind)| {
        let endings: &[&str] = match kind {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_count", "_sum"],
            _ => &[""],
        };
        endings.iter().map(move |ending| format!("{name}{ending}"))
    });
    names.collect()
}

/// The names that the rules record themselves.
fn names_recorded() -> BTreeSet<&'static str> {
    RULES.lines().filter_map(|line| line.trim().strip_prefix("- record: ")).collect()
}

fn names_asked(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    words.filter(|word| word.starts_with("warmgate_") || word.starts_with("warmgate:")).collect()
}

/// The values that `text` gives this label, in samples or in queries.
fn values<'a>(text: &'a str, label: &str) -> Vec<&'a str> {
    let mut values = Vec::new();
    for operator in ["=\"", "!=\"", "=~\""] {
        let begin = format!("{label}{operator}");
        for rest in text.split(begin.as_str()).skip(1) {
            values.extend(rest.split('"').next().unwrap_or_default().split('|'));
        }
    }
    values
}
