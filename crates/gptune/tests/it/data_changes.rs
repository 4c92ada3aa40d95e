//! `gptune data check`, `dedupe`, `convert` and `split`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use gptune_data::{CorpusOptions, Part, Records, Template, Tokenizer};
use gptune_train::{DataConfig, ModelInput, Prepared, Source};
use serde_json::{Value, json};

use super::{failure, gptune, gptune_reading, json};

fn formats() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/tests/fixtures/formats")
}

fn entry(instruction: &str, output: &str) -> Value {
    json!({ "instruction": instruction, "input": "", "output": output })
}

/// Entries that have nothing in common.
fn sound() -> Vec<Value> {
    let words = [
        "apple", "bridge", "candle", "dragon", "engine", "forest", "guitar", "hammer", "island", "jacket", "kettle",
        "ladder", "mirror", "needle", "orange", "pencil", "quartz", "ribbon", "saddle", "turtle",
    ];
    words.map(|word| entry(&format!("{word} {}", word.repeat(3)), word)).to_vec()
}

fn write(folder: &Path, name: &str, entries: &[Value]) {
    let lines: Vec<String> = entries.iter().map(ToString::to_string).collect();
    fs::write(folder.join(name), lines.join("\n")).unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn batches(folder: &Path, data: &str, split: &str, more: &[&str]) -> Value {
    let arguments = ["data", "batches", "--data", data, "--split", split, "--json"];
    json(&gptune(folder, &[&arguments, more].concat()))
}

#[test]
fn check_lists_findings() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "good.jsonl", &sound());
    let mut entries = sound();
    entries[3] = json!({ "instruction": "zebra" });
    entries[4] = entry("zebra zebra", "");
    entries[5] = entries[6].clone();
    write(folder.path(), "bad.jsonl", &entries);
    let check = |more: &[&str]| gptune(folder.path(), &[&["data", "check", "--data"], more].concat());
    assert_eq!(json(&check(&["good.jsonl", "--json", "--strict"]))["findings"], json!([]));
    let found = json(&check(&["bad.jsonl", "--json"]));
    assert_eq!((&found["records"], &found["near_duplicates"]), (&json!(20), &json!("tf-idf")));
    let findings: Vec<Value> = found["findings"].as_array().unwrap().clone();
    let of = |key: &str| findings.iter().map(|finding| finding[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("kind"), ["no-answer", "empty-output", "duplicate", "near-duplicate"]);
    assert_eq!(of("severity"), ["error", "warning", "warning", "warning"]);
    assert_eq!(of("entries"), [json!([3]), json!([4]), json!([6]), json!([6])]);
    assert_eq!(of("count"), [1, 1, 1, 1]);
    assert_eq!(findings[2]["pairs"][0]["first"], 5);
    assert!(findings[0]["details"][0].as_str().unwrap().contains("has no 'output'"));
    let text = String::from_utf8(check(&["bad.jsonl"]).stdout).unwrap();
    assert!(text.contains("warning: duplicate: 1 entry repeats") && text.contains("entry 6, as entry 5"), "{text}");
    assert!(text.ends_with("20 records: 1 error, 3 warnings\n"), "{text}");
    assert!(failure(&check(&["bad.jsonl", "--strict"])).contains("4 kinds of findings"));
    // Several files: a place names the file.
    fs::create_dir(folder.path().join("parts")).unwrap();
    write(&folder.path().join("parts"), "1.jsonl", &sound()[..10]);
    write(&folder.path().join("parts"), "2.jsonl", &[entry("zebra zebra", "")]);
    let text = String::from_utf8(check(&["parts"]).stdout).unwrap();
    assert!(text.contains("2.jsonl, entry 0"), "{text}");
    assert_eq!(json(&check(&["parts", "--json"]))["files"][1]["first"], 10);
    assert_eq!(check(&["good.jsonl", "--threshold", "0"]).status.code(), Some(2));
}

#[test]
fn dedupe_leaves_the_first_of_each() {
    let folder = tempfile::tempdir().unwrap();
    let mut entries = sound();
    entries[7] = entries[2].clone();
    entries[7]["id"] = 7.into();
    entries[9] = entry("Apple appleappleapple.", "x");
    write(folder.path(), "data.jsonl", &entries);
    let dedupe = |more: &[&str]| gptune(folder.path(), &[&["data", "dedupe", "--data", "data.jsonl"], more].concat());
    let exact = json(&dedupe(&["--json"]));
    assert_eq!(exact["pairs"], json!([{ "first": 2, "second": 7, "similarity": 1.0 }]));
    assert_eq!((&exact["records"], &exact["left"]), (&json!(20), &json!(19)));
    assert_eq!(names(folder.path()), ["data.jsonl"]);
    let near = json(&dedupe(&["--by", "instruction", "--threshold", "0.9", "--json", "left.csv"]));
    let seconds: Vec<&Value> = near["pairs"].as_array().unwrap().iter().map(|pair| &pair["second"]).collect();
    assert_eq!(seconds, [9, 7]);
    let left = fs::read_to_string(folder.path().join("left.csv")).unwrap();
    assert_eq!(left.lines().count(), 19);
    assert!(failure(&dedupe(&["left.csv"])).contains("is there already"));
    // All keys stay, and the order.
    entries.remove(2);
    write(folder.path(), "data.jsonl", &entries);
    assert!(dedupe(&["left.jsonl"]).status.success());
    let lines = fs::read_to_string(folder.path().join("left.jsonl")).unwrap();
    let read: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read, entries);
    entries[0] = json!({ "instruction": "x" });
    write(folder.path(), "data.jsonl", &entries);
    assert!(failure(&dedupe(&["bad.jsonl"])).contains("--skip-bad"));
    assert_eq!(names(folder.path()), ["data.jsonl", "left.csv", "left.jsonl"]);
    assert!(failure(&dedupe(&["--skip-bad", "data.jsonl"])).contains("is what is read"));
}

#[test]
fn the_same_is_trained_in_every_format_and_shape() {
    let folder = tempfile::tempdir().unwrap();
    let convert = |from: &str, more: &[&str]| {
        let output = gptune(folder.path(), &[&["data", "convert", "--data", from], more].concat());
        assert!(output.status.success(), "{more:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).starts_with("300 records written to "));
    };
    let from = formats().join("alpaca.json").display().to_string();
    let expected = batches(folder.path(), &from, "all", &[]);
    for name in ["a.json", "a.jsonl", "a.csv", "a.tsv", "a.parquet", "a.json.gz", "a.csv.zst"] {
        convert(&from, &[name]);
        assert_eq!(batches(folder.path(), name, "all", &[]), expected, "{name}");
    }
    for shape in ["alpaca", "dolly", "prompt-completion", "question-answer", "messages", "sharegpt", "text"] {
        let name = format!("{shape}.parquet");
        convert(&from, &["--shape", shape, &name]);
        // In a text nothing can be told from the prompt, and everything is trained without --mask-instructions.
        assert_eq!(batches(folder.path(), &name, "all", &[]), expected, "{shape}");
        let again = format!("{shape}.json");
        convert(&name, &[&again]);
        assert_eq!(batches(folder.path(), &again, "all", &[]), expected, "{shape}");
    }
    let messages = fs::read(folder.path().join("messages.json")).unwrap();
    let messages: Value = serde_json::from_slice(&messages).unwrap();
    let roles: Vec<&Value> = messages[0]["messages"].as_array().unwrap().iter().map(|one| &one["role"]).collect();
    assert_eq!(roles, ["user", "assistant"]);
    let hard = formats().join("hard/alpaca.json").display().to_string();
    let expected = batches(folder.path(), &hard, "all", &[]);
    for name in ["hard.csv", "hard.tsv.gz", "hard.parquet", "hard.jsonl"] {
        assert!(gptune(folder.path(), &["data", "convert", "--data", &hard, name]).status.success());
        assert_eq!(batches(folder.path(), name, "all", &[]), expected, "{name}");
    }
}

#[test]
fn a_conversion_that_fails_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "data.jsonl", &[entry("a", "b"), json!({ "instruction": "c" }), json!(7)]);
    let turn = |role: &str| json!({ "role": role, "content": "x" });
    let turns = json!({ "messages": [turn("user"), turn("assistant"), turn("user"), turn("assistant")] });
    write(folder.path(), "turns.jsonl", &[turns]);
    fs::write(folder.path().join("there.json"), "[]").unwrap();
    let before = names(folder.path());
    let convert = |more: &[&str]| gptune(folder.path(), &[&["data", "convert", "--data"], more].concat());
    for (arguments, part) in [
        (&["data.jsonl", "x.json"][..], "entry 2 (line 3)"),
        (
            &["data.jsonl", "--shape", "messages", "x.json"],
            "2 of 3 entries cannot be used: entry 1 (line 2): has no 'output'",
        ),
        (&["turns.jsonl", "--shape", "alpaca", "x.json"], "entry 0: is a conversation of 4 messages"),
        (&["turns.jsonl", "x.csv"], "entry 0 has a 'messages' that is an array"),
        (&["turns.jsonl", "x.xml"], "known are .json"),
        (&["turns.jsonl", "there.json"], "--overwrite"),
        (&["turns.jsonl", "--overwrite", "turns.jsonl"], "is what is read"),
        (&["turns.jsonl", "none/x.json"], "cannot write none/x.json"),
        (&["none.jsonl", "x.json"], "cannot read none.jsonl"),
    ] {
        let error = failure(&convert(arguments));
        assert!(error.contains(part), "{arguments:?}: {error}");
        assert_eq!(names(folder.path()), before, "{arguments:?}");
    }
    assert_eq!(convert(&["turns.jsonl", "--shape", "parrot", "x.json"]).status.code(), Some(2));
    assert!(convert(&["turns.jsonl", "--overwrite", "there.json"]).status.success());
    assert!(fs::read_to_string(folder.path().join("there.json")).unwrap().contains("messages"));
    let output = convert(&["data.jsonl", "--skip-bad", "--shape", "sharegpt", "x.json"]);
    let note = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && note.contains("2 entries of data.jsonl left out"), "{note}");
}

/// The records of each part, as training has them with what cannot be used left out.
fn trained(text: &str, split: &str, split_seed: u32) -> [Vec<Value>; 3] {
    let (tokenizer, template) = (Tokenizer::gpt2().unwrap(), Template::default());
    let reading = CorpusOptions::default();
    let target = ModelInput { tokenizer: &tokenizer, template: &template, padding: None, context: 1024, reading };
    let config = DataConfig { skip_bad: true, split: split.parse().unwrap(), split_seed, ..DataConfig::default() };
    let records = Records::of_bytes("x.jsonl", text.as_bytes().to_vec().into());
    let data = Prepared::new(Source::Whole(records), &target, &config, |_| ()).unwrap();
    [Part::Train, Part::Test, Part::Val].map(|part| {
        let examples = data.examples(part, usize::MAX, &tokenizer).unwrap();
        examples.into_iter().map(|example| Value::Object(example.entry)).collect()
    })
}

#[test]
fn parts_of_their_own_are_those_of_training() {
    let folder = tempfile::tempdir().unwrap();
    let mut entries: Vec<Value> =
        (0..60).map(|number| entry(&format!("Say {number}."), &format!("{number}"))).collect();
    // It can be written, and is left out in training.
    let unused = json!({ "instruction": "x" });
    entries[20] = unused.clone();
    let lines: Vec<String> = entries.iter().map(ToString::to_string).collect();
    // It is no record at all.
    let text = lines[..30].join("\n") + "\n[1]\n" + &lines[30..].join("\n");
    fs::write(folder.path().join("data.jsonl"), &text).unwrap();
    for (fractions, seed) in [("70/20/10", "0"), ("70/20/10", "5"), ("85/10/5", "0"), ("50/50/0", "9")] {
        let out = format!("parts-{}-{seed}", &fractions[..2]);
        let split = |more: &[&str]| {
            let flags = ["data", "split", "--data", "data.jsonl", "--split", fractions, "--split-seed", seed];
            gptune(folder.path(), &[&flags, more].concat())
        };
        assert!(failure(&split(&[&out])).contains("entry 30 (line 31)"));
        assert!(!folder.path().join(&out).exists());
        let counts = json(&split(&["--skip-bad", "--json", &out]));
        let expected = trained(&text, fractions, seed.parse().unwrap());
        let mut total = 0;
        for (part, expected) in ["train", "test", "val"].into_iter().zip(expected) {
            let file = fs::read_to_string(folder.path().join(&out).join(format!("{part}.jsonl"))).unwrap_or_default();
            let mut written: Vec<Value> = file.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(counts[part], written.len());
            total += written.len();
            written.retain(|record| *record != unused);
            assert_eq!(written, expected, "{fractions} {seed} {part}");
        }
        assert_eq!(total, 60);
        assert!(failure(&split(&["--skip-bad", &out])).contains("is not empty"));
    }
    assert_eq!(names(&folder.path().join("parts-50-9")), ["test.jsonl", "train.jsonl"]);
    for part in ["train", "test", "val"] {
        let own =
            batches(folder.path(), &format!("parts-85-0/{part}.jsonl"), "all", &["--skip-bad", "--batch-size", "1"]);
        let whole = batches(folder.path(), "data.jsonl", part, &["--skip-bad", "--batch-size", "1"]);
        let rows = |batches: &Value| {
            let rows = batches.as_array().unwrap().iter().flat_map(|batch| batch["inputs"].as_array().unwrap().clone());
            let bare = |row: Value| row.as_array().unwrap().iter().filter(|id| **id != 50_256).cloned().collect();
            let mut rows: Vec<Vec<Value>> = rows.map(bare).collect();
            rows.sort_by_key(|row| format!("{row:?}"));
            rows
        };
        assert_eq!(rows(&own), rows(&whole), "{part}");
    }
    let piped = gptune_reading(folder.path(), &["data", "split", "--data", "-", "--skip-bad", "piped"], &text);
    assert!(piped.status.success());
    assert_eq!(names(&folder.path().join("piped")), ["test.jsonl", "train.jsonl", "val.jsonl"]);
}
