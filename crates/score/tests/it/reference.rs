//! `fixtures/reference.py` scored the same two files with `rouge-score`, `SQuAD`'s script and scipy.

use std::path::Path;

use gptune_score::{Metrics, Responses, ScoreOptions, compare, score};
use serde_json::Value;

fn fixture(name: &str) -> Responses {
    Responses::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

fn expected() -> Value {
    serde_json::from_str(include_str!("../fixtures/expected.json")).unwrap()
}

/// Checks that what is in `wanted` is in `found` to 1e-9. `answers` is the size of the group.
///
/// The ends of intervals are subject to chance, because scipy draws other resamples; a mean of `n` answers of 0 or 1
/// moves in steps of `1 / n`.
fn check(place: &str, answers: f64, found: &Value, wanted: &Value) {
    let Value::Object(wanted) = wanted else {
        let (found, wanted) = (found.as_f64().unwrap(), wanted.as_f64().unwrap());
        let end = ["low", "high"].iter().any(|&end| place.rsplit('.').next() == Some(end));
        let tolerance = if end { 1.0 / answers + 0.005 } else { 1e-9 };
        assert!((found - wanted).abs() <= tolerance, "{place}: {found} is not {wanted}");
        return;
    };
    assert_eq!(found.as_object().unwrap().len(), wanted.len(), "{place} has the same keys");
    let answers = wanted.get("count").and_then(Value::as_f64).unwrap_or(answers);
    for (key, wanted) in wanted {
        check(&format!("{place}.{key}"), answers, &found[key], wanted);
    }
}

#[test]
fn every_answer_scores_as_in_the_reference() {
    for name in ["responses", "other"] {
        let entries = fixture(&format!("{name}.json")).entries;
        let wanted = &expected()["items"][name];
        assert_eq!(entries.len(), wanted.as_array().unwrap().len());
        for (index, entry) in entries.iter().enumerate() {
            let found = Metrics::of(&entry.output, &entry.model_response).into_array();
            for (metric, found) in found.into_iter().enumerate() {
                let wanted = wanted[index][metric].as_f64().unwrap();
                assert!(
                    (found - wanted).abs() <= 1e-9,
                    "{name} {index}, metric {metric}: {found} is not {wanted}: {entry:?}"
                );
            }
        }
    }
}

#[test]
fn means_and_kinds_are_those_of_the_reference() {
    for name in ["responses", "other"] {
        let scores = score(&fixture(&format!("{name}.json")), &ScoreOptions::default());
        check(name, 0.0, &serde_json::to_value(scores).unwrap(), &expected()[name]);
    }
}

#[test]
fn the_comparison_is_that_of_the_reference() {
    let [first, second] = ["responses.json", "other.json"].map(fixture);
    let found = serde_json::to_value(compare(&first, &second, &ScoreOptions::default()).unwrap()).unwrap();
    check("difference", 0.0, &found, &expected()["difference"]);
}

#[test]
fn a_comparison_turns_its_sign_with_its_order() {
    let options = ScoreOptions::default();
    let [first, second] = ["responses.json", "other.json"].map(fixture);
    let forth = compare(&first, &second, &options).unwrap().overall.metrics.into_array();
    let back = compare(&second, &first, &options).unwrap().overall.metrics.into_array();
    for (forth, back) in forth.into_iter().zip(back) {
        assert_eq!((forth.wins, forth.ties, forth.losses), (back.losses, back.ties, back.wins));
        assert_eq!(forth.p_value, back.p_value);
        let sums = [forth.estimate.mean + back.estimate.mean, forth.estimate.low + back.estimate.high];
        assert!(sums.iter().all(|sum| sum.abs() < 1e-12), "{sums:?}");
    }
    let same = compare(&first, &first, &options).unwrap().overall.metrics.token_f1;
    assert_eq!((same.estimate.low, same.estimate.high, same.ties, same.p_value), (0.0, 0.0, first.entries.len(), 1.0));
}

#[test]
fn groups_add_up_and_absent_kinds_make_none() {
    let mut responses = fixture("responses.json");
    let scores = score(&responses, &ScoreOptions { resamples: 10, ..ScoreOptions::default() });
    let counts = scores.kinds.values().chain(&scores.without_kind).map(|group| group.count);
    assert_eq!(counts.sum::<usize>(), scores.overall.count);
    for entry in &mut responses.entries {
        entry.kind = None;
    }
    let scores = score(&responses, &ScoreOptions { resamples: 10, ..ScoreOptions::default() });
    assert!(scores.kinds.is_empty() && scores.without_kind.is_none());
}
