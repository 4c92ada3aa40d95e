//! Bad files are refused with one sentence that names the place; nothing panics.

use std::path::Path;

use gptune_score::{Responses, ScoreError, ScoreOptions, compare, score};

const GOOD: &str = r#"{"instruction": "i", "input": "", "output": "o", "model_response": "m", "kind": "k"}"#;

fn parse(text: &str) -> Result<Responses, ScoreError> {
    Responses::parse("r.json", text.as_bytes())
}

fn error(text: &str) -> String {
    let message = parse(text).unwrap_err().to_string();
    assert!(message.contains("r.json") && !message.contains('\n'), "{message}");
    message
}

#[test]
fn files_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path(), &folder.path().join("absent.json")] {
        let message = Responses::read(path).unwrap_err().to_string();
        assert!(message.contains(path.to_str().unwrap()) && message.contains("check the path"), "{message}");
    }
    assert!(Responses::read(Path::new("")).is_err());
}

#[test]
fn texts_that_are_no_array() {
    assert!(error("").contains("line 1, column 1: EOF"), "{}", error(""));
    assert!(error("[\n{\"instruction\": \"a\",\n  oops}]").contains("line 3, column 3"));
    assert!(error(GOOD).contains("expected a sequence"));
    assert!(error(&format!("[{GOOD}] more")).contains("trailing"));
    assert!(error(&"[".repeat(100_000)).contains("recursion limit"));
    assert!(error("[\"\\ud800\"]").contains("entry 0: expected an object, found a string"));
    assert!(error("[NaN]").contains("entry 0: expected an object, found NaN"));
    assert!(error("[nan]").contains("line 1, column 3"));
    assert!(Responses::parse("r.json", b"[\"\xff\"]").unwrap_err().to_string().contains("line 1"));
    assert!(error("[]").contains("no responses"));
}

#[test]
fn entries_that_are_not_answered() {
    let entry = |text: &str| error(&format!("[{GOOD}, {text}]"));
    assert!(entry("7").contains("entry 1: expected an object, found a number"));
    assert!(entry(r#"{"input": "", "output": "o", "model_response": "m"}"#).contains("entry 1: has no 'instruction'"));
    assert!(entry(r#"{"instruction": "i", "input": "", "model_response": "m"}"#).contains("entry 1: has no 'output'"));
    let unanswered = entry(r#"{"instruction": "i", "input": "", "output": "o"}"#);
    assert!(unanswered.contains("entry 1: has no 'model_response'; mend"), "{unanswered}");
    assert!(
        entry(r#"{"instruction": "i", "output": "o", "model_response": null}"#).contains("'model_response' is null")
    );
    assert!(
        entry(r#"{"instruction": "i", "output": "o", "model_response": "m", "input": 1}"#)
            .contains("'input' is a number")
    );
}

#[test]
fn all_bad_entries_are_named_at_once() {
    let bad = r#"{"instruction": "i", "output": "o"}"#;
    let message = error(&format!("[{bad}, {GOOD}, 7]"));
    assert!(message.contains("2 of 3 entries") && message.contains("entry 0: has no 'model_response'"), "{message}");
    assert!(message.contains("entry 2: expected an object"), "{message}");
    let many = error(&format!("[{}]", [bad; 30].join(",")));
    assert!(many.contains("entry 19:") && !many.contains("entry 20:") && many.contains("and 10 more"), "{many}");
}

#[test]
fn what_python_writes_in_keys_that_are_not_used_is_no_matter() {
    let text = r#"[{"instruction": "a", "output": "b", "model_response": "b", "score": NaN, "odd": "x\ud83d",
        "id": 18446744073709551617}]"#;
    assert_eq!(parse(text).unwrap().entries[0].model_response, "b");
    let broken = |value: &str| error(&format!(r#"[{{"instruction": "a", "output": {value}, "model_response": "b"}}]"#));
    assert!(broken("NaN").contains("'output' is NaN, expected a string"), "{}", broken("NaN"));
    assert!(broken(r#""x\ud83d""#).contains("'output' has a lone surrogate, \\ud83d"));
}

#[test]
fn what_may_be_missing() {
    let responses = parse(
        "\u{feff}[{\"instruction\": \"i\", \"output\": \"\", \"model_response\": \"\", \"kind\": null, \"id\": 3}]",
    )
    .unwrap();
    assert_eq!((responses.entries[0].input.as_str(), &responses.entries[0].kind), ("", &None));
    // What is called a kind and is no name is the data's own affair, as it is to the training program.
    let other = parse(r#"[{"instruction": "i", "output": "o", "model_response": "m", "kind": ["k"]}]"#).unwrap();
    assert_eq!(other.entries[0].kind, None);
    let scores = score(&responses, &ScoreOptions::default()).overall;
    assert_eq!((scores.count, scores.metrics.exact.mean, scores.metrics.token_f1.mean), (1, 1.0, 1.0));
    let none = score(&Responses { origin: String::new(), entries: Vec::new() }, &ScoreOptions::default());
    assert_eq!((none.overall.count, none.overall.metrics.exact.mean), (0, 0.0));
}

#[test]
fn files_that_answer_different_examples() {
    let of = |origin: &str, entries: &[&str]| {
        Responses::parse(origin, format!("[{}]", entries.join(",")).as_bytes()).unwrap()
    };
    let options = ScoreOptions::default();
    let message = |other: &[&str]| {
        let failed = compare(&of("a.json", &[GOOD, GOOD]), &of("b.json", other), &options);
        failed.unwrap_err().to_string()
    };
    for key in ["instruction", "input", "output"] {
        let changed = GOOD.replace(&format!("\"{key}\": \""), &format!("\"{key}\": \"other "));
        let message = message(&[GOOD, &changed]);
        assert!(message.contains(&format!("entry 1 has not the same '{key}' in a.json and b.json")), "{message}");
    }
    assert!(message(&[GOOD]).contains("a.json holds 2 responses and b.json holds 1"));
    let answered = GOOD.replace("\"m\"", "\"another\"").replace("\"k\"", "\"l\"");
    let comparison = compare(&of("a.json", &[GOOD]), &of("b.json", &[&answered]), &options).unwrap();
    assert!(comparison.kinds.contains_key("k"), "kinds are the first file's");
}
