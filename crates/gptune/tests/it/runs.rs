//! What runs leave, and how they stand beside each other.

use std::path::Path;

use gptune_run::RunSummary;
use serde_json::Value;

use crate::{failure, gptune, json, tiny_model, write_data};

/// Trains the tiny model for a few steps, on data that are there.
fn train(folder: &Path, out: &str, more: &[&str]) -> Value {
    let model = tiny_model().to_str().unwrap();
    let common = ["train", "--model", model, "--data", "data.json", "--out", out, "--json", "--batch-size", "4"];
    json(&gptune(folder, &[&common[..], &["--eval-every", "2", "--sample-tokens", "0"], more].concat()))
}

#[test]
fn runs_are_listed_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_data(&path.join("data.json"), 60);
    assert_eq!(json(&gptune(path, &["runs", "--json"])), serde_json::json!([]));
    assert!(failure(&gptune(path, &["runs", "nowhere"])).contains("nowhere"));
    train(path, "runs/a", &["--max-steps", "6", "--respond", "--response-tokens", "3"]);
    train(path, "runs/b", &["--max-steps", "8", "--lr", "0.01"]);
    let runs = json(&gptune(path, &["runs", "--json"]));
    let field = |run: usize, name: &str| runs[run][name].clone();
    assert_eq!((field(0, "name"), field(1, "name")), ("a".into(), "b".into()));
    assert_eq!((field(0, "state"), field(1, "steps"), field(1, "all_steps")), ("complete".into(), 8.into(), 8.into()));
    assert_eq!(runs[0]["scores"]["exact"]["count"], 6);
    assert!(runs[1]["best_loss"]["loss"].as_f64().unwrap() < runs[1]["first_loss"]["loss"].as_f64().unwrap());
    assert_eq!((&runs[0]["differing"]["lr"], &runs[1]["differing"]["lr"]), (&5e-5.into(), &0.01.into()));
    let shown = String::from_utf8(gptune(path, &["runs"]).stdout).unwrap();
    assert!(shown.contains("normalized match") && shown.contains("lr=0.01"), "{shown}");

    let output = gptune(path, &["compare", "runs/a", "runs/b", "--html", "page.html"]);
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("Settings that differ") && shown.contains("max_steps"), "{shown}");
    assert!(output.stderr.is_empty(), "they were measured alike: {}", String::from_utf8_lossy(&output.stderr));
    let page = std::fs::read_to_string(path.join("page.html")).unwrap();
    assert!(page.contains("2 runs compared") && page.matches("max_steps").count() == 1, "{page}");

    // Other data, and another way to measure.
    write_data(&path.join("data.json"), 70);
    train(path, "runs/c", &["--max-steps", "2", "--eval-batches", "1"]);
    let compared = json(&gptune(path, &["compare", "runs/a", "runs/c", "--json"]));
    let notes: Vec<&str> = compared["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect();
    assert!(notes.len() == 2 && notes[0].contains("different data") && notes[1].contains("eval_batches"), "{notes:?}");
    assert!(failure(&gptune(path, &["compare", "runs/a", "runs"])).contains("runs is not the folder of a run"));
    assert!(failure(&gptune(path, &["compare", "runs/a", "./runs/a"])).contains("is given twice"));
}

#[test]
fn the_best_model_is_kept_and_patience_ends_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_data(&path.join("data.json"), 60);
    // Steps that are much too large after a while.
    let more = ["--lr", "0.5", "--epochs", "10", "--keep-best", "--patience", "2", "--tensorboard"];
    let summary = train(path, "run", &more);
    assert_eq!((&summary["completed"], &summary["out_of_patience"]), (&true.into(), &true.into()), "{summary}");
    let best = &summary["best"];
    let run = RunSummary::read(&path.join("run")).unwrap();
    let lowest = run.best_loss().unwrap();
    assert_eq!((best["step"].as_u64(), best["val_loss"].as_f64()), (Some(lowest.steps as u64 - 1), Some(lowest.loss)));
    assert!(run.steps() < run.all_steps().unwrap());
    // What is kept is the model of that evaluation.
    let evaluate = |model: &str| {
        let common = ["evaluate", "--model", model, "--data", "data.json", "--split", "val", "--batch-size", "4"];
        json(&gptune(path, &[&common[..], &["--json", "--batches", "5", "--max-length", "128"]].concat()))
    };
    // The folder of a model remembers nothing of evaluations, but its data.
    let loss = evaluate("run/best")["loss"].as_f64().unwrap();
    assert!((loss - lowest.loss).abs() < 1e-5, "{loss} {}", lowest.loss);
    assert!((evaluate("run/model")["loss"].as_f64().unwrap() - lowest.loss).abs() > 1e-3);
    let files: Vec<_> = std::fs::read_dir(path.join("run/tensorboard")).unwrap().collect();
    assert_eq!(files.len(), 1);
    let table = std::fs::read_to_string(path.join("run/metrics.csv")).unwrap();
    assert_eq!(
        table.lines().count(),
        1 + run.events.len() - 2,
        "a header, and a row for all but the start and the end"
    );
    let gone = gptune(path, &["train", "--resume", "run"]);
    assert!(String::from_utf8_lossy(&gone.stdout).contains("run is complete"), "{gone:?}");
}

#[test]
fn patterns_and_settings_that_cannot_be_meant_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    write_data(&folder.path().join("data.json"), 60);
    let model = tiny_model().to_str().unwrap();
    let common = ["train", "--model", model, "--data", "data.json", "--out", "run"];
    let fault = |more: &[&str]| failure(&gptune(folder.path(), &[&common[..], more].concat()));
    let unknown = fault(&["--freeze", "wte,h.*.atn"]);
    assert!(unknown.contains("'freeze'") && unknown.contains("'h.*.atn' names no parameter"), "{unknown}");
    assert!(fault(&["--train-only", "ln_f", "--freeze", "*"]).contains("no parameter is left to train"));
    assert!(fault(&["--patience", "3", "--no-eval"]).contains("'patience'"));
    assert!(fault(&["--keep-best", "--no-eval"]).contains("'keep_best'"));
    assert!(!folder.path().join("run").exists());
    // What is frozen is as it was, and what is trained is told.
    let summary = train(folder.path(), "run", &["--max-steps", "2", "--train-only", "h.*.mlp"]);
    assert_eq!(summary["completed"], true);
    let start = std::fs::read_to_string(folder.path().join("run/metrics.jsonl")).unwrap();
    assert!(start.contains(&format!("\"parameters\":{}", 8 * 32 + 32 + 32 * 8 + 8)), "{start}");
}

#[test]
fn diagnostics_are_said_where_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    write_data(&folder.path().join("data.json"), 60);
    let model = tiny_model().to_str().unwrap();
    let run = |out: &str, more: &[&str]| {
        let common = ["train", "--model", model, "--data", "data.json", "--max-steps", "3", "--out", out];
        let output = gptune(folder.path(), &[&common[..], more].concat());
        assert!(output.status.success(), "{output:?}");
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (_, quiet) = run("quiet", &["--weight-decay-on", "matrices"]);
    assert_eq!(quiet, "");
    let (_, said) = run("said", &["--log", "info"]);
    assert!(said.contains("opened a model") && said.contains("tied_head=true"), "{said}");
    assert!(said.contains("gptune_train") && !said.contains("took a step"), "{said}");
    let (_, written) = run("written", &["--log-file", "log.jsonl", "--checkpoint-every", "2"]);
    assert_eq!(written, "");
    let log = std::fs::read_to_string(folder.path().join("log.jsonl")).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |message: &str| lines.iter().filter(|line| line["fields"]["message"] == message).collect::<Vec<_>>();
    assert_eq!((of("took a step").len(), of("storing the state").len()), (3, 1), "{log}");
    let spans: Vec<&str> =
        of("took a step")[2]["spans"].as_array().unwrap().iter().filter_map(|span| span["name"].as_str()).collect();
    assert_eq!(spans, ["run", "epoch", "step"]);
    // Libraries of others are not ours to speak for.
    assert!(lines.iter().all(|line| line["target"].as_str().unwrap().starts_with("gptune")), "{log}");
    assert!(failure(&gptune(folder.path(), &["runs", "--log-file", "no/log"])).contains("cannot write no/log"));
}
