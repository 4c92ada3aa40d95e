use serde_json::{Value, json};

use super::*;
use crate::{Template, Tokenizer};

fn check(entries: &[Value], change: impl FnOnce(&mut Check<'_>)) -> Checked {
    let template = Template::default();
    checked(entries, &template, change)
}

fn checked(entries: &[Value], template: &Template, change: impl FnOnce(&mut Check<'_>)) -> Checked {
    let tokenizer = Tokenizer::gpt2().unwrap();
    let encoder = Encoder { tokenizer: &tokenizer, template, special_tokens: false };
    let lengths = Lengths { max_length: 200, context: 1024, mask_instructions: false, prompts_only: false };
    let split = Fractions::default();
    let mut check = Check { encoder, lengths, shape: None, split, split_seed: 0, threshold: 0.9 };
    change(&mut check);
    let lines: Vec<String> = entries.iter().map(ToString::to_string).collect();
    check.run(&Records::of_bytes("x.jsonl", lines.join("\n").into_bytes().into()), |_| ()).unwrap()
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

fn found(checked: &Checked) -> Vec<(&'static str, Vec<usize>)> {
    checked.findings.iter().map(|finding| (finding.kind.name(), finding.entries.clone())).collect()
}

#[test]
fn sound_data_have_no_finding() {
    let checked = check(&sound(), |_| ());
    assert_eq!((checked.records, checked.by_min_hash, found(&checked)), (20, Some(false), vec![]));
}

#[test]
fn each_kind_is_found_where_it_was_planted() {
    let long = "word ".repeat(250);
    for (planted, kind, severity) in [
        (json!({ "instruction": "zebra zebra" }), "no-answer", Severity::Error),
        (json!({ "instruction": "zebra", "output": 7 }), "bad-entry", Severity::Error),
        (json!([1]), "bad-entry", Severity::Error),
        (entry("zebra zebra", "a <|endoftext|>"), "special-token", Severity::Error),
        (entry(&"word ".repeat(1100), "a"), "prompt-too-long", Severity::Error),
        (entry(&long, "a"), "answer-cut", Severity::Warning),
        (entry("zebra zebra", &long), "cut", Severity::Warning),
        (entry("  ", "a"), "empty-instruction", Severity::Warning),
        (entry("zebra zebra", "\n"), "empty-output", Severity::Warning),
        (entry("zebra zebra", "a\n### Response:\nb"), "repeated-header", Severity::Warning),
        (entry("zebra zebra", "a\n\n### Instruction:\nb"), "repeated-header", Severity::Warning),
        (entry("zebra zebra", "caf\u{fffd}"), "control-character", Severity::Warning),
        (entry("zebra\u{7} zebra", "a"), "control-character", Severity::Warning),
    ] {
        let mut entries = sound();
        entries[7] = planted;
        let checked = check(&entries, |_| ());
        assert_eq!(found(&checked), [(kind, vec![7])]);
        assert_eq!((checked.findings[0].kind.severity(), checked.findings[0].count), (severity, 1));
        assert!(checked.findings[0].message.starts_with("1 entry "), "{}", checked.findings[0].message);
    }
}

#[test]
fn repetitions_are_found_with_what_they_repeat() {
    let mut entries = sound();
    let question = "What is the capital of France?";
    entries[2] = entry(question, "Paris");
    entries[5] = entry(question, "Paris");
    entries[9] = entry(question, "It is Paris");
    let checked = check(&entries, |_| ());
    let near = ("near-duplicate", vec![5, 9]);
    assert_eq!(found(&checked), [("duplicate", vec![5]), ("different-answer", vec![9]), near.clone()]);
    assert_eq!((checked.findings[0].pairs[0].first, checked.findings[1].pairs[0].first), (2, 2));
    entries[5] = entry("what is the capital of france", "Lyon");
    entries[9] = sound()[9].clone();
    let checked = check(&entries, |_| ());
    assert_eq!(found(&checked), [("near-duplicate", vec![5])]);
    assert!(found(&check(&entries, |check| check.threshold = 1.0)).is_empty());
}

#[test]
fn what_the_training_part_gives_away_is_found() {
    // 17 are trained on, 18 and 17 are asked.
    let mut entries = sound();
    entries[18] = entry("apple appleappleapple", "another");
    entries[17] = entry("Bridge bridgebridgebridge!", "bridge");
    let checked = check(&entries, |_| ());
    let all = found(&checked);
    assert_eq!(all[0], ("different-answer", vec![18]));
    assert_eq!(all[1], ("near-duplicate", vec![17, 18]));
    assert_eq!(all[2..], [("leak", vec![18]), ("near-leak", vec![17])]);
    assert_eq!((checked.findings[3].pairs[0].first, checked.findings[3].pairs[0].second), (1, 17));
    // The same is asked of something else.
    entries[17]["input"] = "of wood".into();
    assert!(found(&check(&entries, |_| ())).iter().all(|(kind, _)| *kind != "near-leak"));
    entries[17]["input"] = "".into();
    // All of it is trained on.
    let checked = check(&entries, |check| check.split = "100/0/0".parse().unwrap());
    assert_eq!(found(&checked), all[..2]);
    // Another order has others in its parts.
    let order = crate::Mt19937::new(3).permutation(20);
    let of = |number: usize| order[..17].contains(&number);
    let leaks =
        |name: &str| found(&check(&entries, |check| check.split_seed = 3)).iter().any(|(kind, _)| *kind == name);
    assert_eq!((leaks("leak"), leaks("near-leak")), (of(0) != of(18), of(1) != of(17)));
}

#[test]
fn an_end_that_is_never_taught_is_found() {
    let endless =
        "{% for message in messages %}{% generation %}{{ message['content'] }}{% endgeneration %} {% endfor %}";
    let template = Template::parse("endless", endless).unwrap();
    let checked = checked(&sound(), &template, |_| ());
    assert_eq!((checked.findings[0].kind, checked.findings[0].count), (FindingKind::EndNeverTaught, 20));
    // All of them are cut.
    let cut = check(&sound(), |check| check.lengths.max_length = 4);
    let kinds: Vec<_> = cut.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [FindingKind::EndNeverTaught, FindingKind::AnswerCut]);
    // One teaches it.
    let mut entries = sound();
    entries[0] = entry("a", "b");
    assert!(
        found(&check(&entries, |check| check.lengths.max_length = 38))
            .iter()
            .all(|(kind, _)| *kind != "end-never-taught")
    );
}

#[test]
fn very_many_findings_are_counted() {
    let entries: Vec<Value> = (0..12_000).map(|number| entry(&format!("{number}"), "")).collect();
    let checked = check(&entries, |check| check.threshold = 1.0);
    let finding = &checked.findings[0];
    assert_eq!((finding.kind.name(), finding.count, finding.entries.len()), ("empty-output", 12_000, MOST));
    assert_eq!(checked.by_min_hash, None);
}
