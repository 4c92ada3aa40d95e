//! `gptune score`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{failure, gptune, json};

/// Writes answers of two kinds and one without.
fn write_answers(folder: &Path, name: &str, answers: [&str; 4]) -> PathBuf {
    let kinds = ["plural", "capital", "plural", ""];
    let wanted = ["mice", "Rome", "oxen", "東京"];
    let entries: Vec<Value> = (0..4)
        .map(|i| {
            let mut entry = json!({"instruction": format!("Do {i}."), "input": "", "output": wanted[i]});
            if !kinds[i].is_empty() {
                entry["kind"] = kinds[i].into();
            }
            entry["model_response"] = answers[i].into();
            entry
        })
        .collect();
    let path = folder.join(name);
    std::fs::write(&path, serde_json::to_vec(&entries).unwrap()).unwrap();
    path
}

#[test]
fn scores_and_a_comparison_as_one_document() {
    let folder = tempfile::tempdir().unwrap();
    write_answers(folder.path(), "a.json", ["mice", "Rome.", "the ox", "東京"]);
    write_answers(folder.path(), "b.json", ["mouses", "Rome", "", "京都"]);
    let alone = json(&gptune(folder.path(), &["score", "a.json", "--json"]));
    assert_eq!((&alone["responses"], &alone["overall"]["count"]), (&json!("a.json"), &json!(4)));
    let means = ["exact", "normalized", "token_f1", "rouge_l"].map(|metric| alone["overall"][metric]["mean"].clone());
    assert_eq!(means, [0.5, 0.75, 0.75, 0.75].map(Value::from));
    assert_eq!(alone["kinds"]["plural"]["count"], 2);
    assert_eq!(alone["without_kind"]["exact"]["mean"], 1.0);
    assert!(alone.get("against").is_none() && alone.get("difference").is_none());

    let both = json(&gptune(folder.path(), &["score", "a.json", "--against", "b.json", "--json"]));
    for (key, value) in alone.as_object().unwrap() {
        assert_eq!(&both[key], value, "the scores do not depend on the comparison");
    }
    assert_eq!(both["against"]["responses"], "b.json");
    let exact = &both["difference"]["overall"]["exact"];
    assert_eq!((&exact["wins"], &exact["ties"], &exact["losses"]), (&json!(2), &json!(1), &json!(1)));
    assert_eq!((&exact["mean"], &exact["p_value"]), (&json!(0.25), &json!(1.0)));
}

#[test]
fn a_table_to_read() {
    let folder = tempfile::tempdir().unwrap();
    write_answers(folder.path(), "a.json", ["mice", "Rome.", "the ox", "東京"]);
    write_answers(folder.path(), "b.json", ["mouses", "Rome", "", "京都"]);
    let output = gptune(folder.path(), &["score", "a.json", "--against", "b.json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let names: Vec<&str> = text.lines().filter_map(|line| line.split("  ").next()).collect();
    for rows in [["all", "capital", "plural", "(no kind)"], ["better", "the same", "worse", "p, sign test"]] {
        assert!(names.windows(4).any(|names| names.iter().zip(rows).all(|(name, row)| name.trim() == row)), "{text}");
    }
    assert!(text.contains("75.0 (25.0–100.0)") && text.contains("75.0 (30.1–95.4)"), "Wilson's for shares: {text}");
}

#[test]
fn what_normalisation_empties_is_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let score = |wanted: &str, answer: &str| {
        let entry = json!([{"instruction": "q", "input": "", "output": wanted, "model_response": answer}]);
        std::fs::write(folder.path().join("a.json"), entry.to_string()).unwrap();
        json(&gptune(folder.path(), &["score", "a.json", "--json"]))["overall"]["token_f1"]["mean"].as_f64().unwrap()
    };
    assert_eq!(score("A", ""), 0.0);
    assert!(score("C++", "C") < 1.0);
    assert_eq!(score("The cat.", "cat"), 1.0);
}

#[test]
fn answers_that_cannot_be_scored() {
    let folder = tempfile::tempdir().unwrap();
    write_answers(folder.path(), "a.json", ["", "", "", ""]);
    std::fs::write(folder.path().join("data.json"), r#"[{"instruction": "Do 0.", "input": "", "output": "x"}]"#)
        .unwrap();
    let other = r#"[{"instruction": "Do 7.", "input": "", "output": "x", "model_response": ""}]"#;
    std::fs::write(folder.path().join("other.json"), other).unwrap();
    for (arguments, words) in [
        (&["score", "absent.json"][..], "cannot read the responses absent.json"),
        (&["score", "data.json"], "data.json, entry 0: has no 'model_response'"),
        (
            &["score", "a.json", "--against", "other.json"],
            "entry 0 has not the same 'instruction' in a.json and other.json",
        ),
        (&["score", "a.json", "--against", "absent.json", "--json"], "absent.json"),
    ] {
        let output = gptune(folder.path(), arguments);
        let error = failure(&output);
        assert!(error.contains(words) && output.stdout.is_empty(), "{error}");
    }
}
