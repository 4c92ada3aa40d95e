//! The page as text.

use gptune_report::{Answer, DataFacts, Reply, RunReport};
use gptune_run::Event;

use crate::sample;

#[test]
fn every_fact_of_the_run_is_on_the_page() {
    let page = sample::report().to_html();
    for wanted in [
        "<title>gpt2-small-sample – gptune run report</title>",
        "sha256:7d0f6c3b",
        "935 training, 55 validation, 110 test",
        "232 of 232 steps, 116 an epoch",
        "163.0 million",
        "2.64 GB",
        "4 min 12 s",
        "gptune train --recipe gpt2-small --data sample --respond",
        "weight_decay = 0.1",
        "8 cores, x86_64",
        "gptune 0.1.0",
        "Training loss 3.110, step 0, epoch 1, 520 tokens seen",
    ] {
        assert!(page.contains(wanted), "{wanted}");
    }
    assert_eq!(page.matches("<article class=\"sample-text\">").count(), 2);
}

#[test]
fn a_page_refers_to_nothing_but_itself() {
    assert_refers_to_nothing(&sample::report().to_html());
}

pub(crate) fn assert_refers_to_nothing(page: &str) {
    assert!(page.contains("content=\"default-src 'none'; "));
    for attribute in ["href=\"", "src=\"", "action=\""] {
        let outside = page.split(attribute).skip(1).find(|value| !value.starts_with('#'));
        assert_eq!(outside.map(|value| &value[..value.len().min(80)]), None, "{attribute}");
    }
    for forbidden in ["<script", "<link", "<img", "<iframe", " onload=", "url(", "@import", "http:", "https:"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
}

/// A text that tries to be more than a text.
pub(crate) const HOSTILE: &str = "</title></style></code><script>document.title='owned'</script>\
    <img src=x onerror=\"alert(1)\">' \" &lt; &#60; \0\x07\x1b[31m\r\n🙂 שלום עולם \u{202e}txt";

/// A report whose every text is such a one.
pub(crate) fn hostile() -> RunReport {
    let text = || HOSTILE.to_owned();
    let reply = || Reply { text: text(), right: false };
    RunReport {
        title: text(),
        started: text(),
        version: text(),
        machine: text(),
        device: text(),
        model: text(),
        command: text(),
        config_toml: text(),
        marking: text(),
        data: DataFacts { name: text(), fingerprint: text(), kinds: vec![(text(), 3)], ..DataFacts::default() },
        events: vec![Event::Sample { epoch: 1, ids: vec![], text: text() }],
        warning: Some(text()),
        answers: vec![
            Answer {
                entry: 7,
                instruction: text(),
                input: text(),
                expected: text(),
                kind: Some(text()),
                before: Some(reply()),
                after: reply(),
            },
            Answer { kind: Some("another".to_owned()), ..Answer::default() },
        ],
        scores: None,
    }
}

#[test]
fn hostile_texts_stay_texts() {
    assert_texts_stay_texts(&hostile().to_html());
}

pub(crate) fn assert_texts_stay_texts(page: &str) {
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("\" onerror"), "{page}");
    assert_eq!(page.matches("</title>").count(), page.matches("<title").count());
    assert_eq!(page.matches("</style>").count(), 1);
    let controls = page.chars().filter(|&character| character.is_control() && character != '\n' && character != '\t');
    assert_eq!(controls.count(), 0);
    assert!(page.contains("␀␇␛[31m␍\n🙂 שלום עולם"));
}

#[test]
fn a_run_of_which_little_is_known_makes_a_page() {
    let page = RunReport::default().to_html();
    assert!(page.contains("The run") && !page.contains("id=\"curve\"") && !page.contains("id=\"answers\""));

    let mut report = sample::report();
    report.events.retain(|event| !matches!(event, Event::Eval { .. } | Event::Initial { .. } | Event::End { .. }));
    report.events.truncate(60);
    report.scores = None;
    report.answers.iter_mut().for_each(|answer| answer.before = None);
    let page = report.to_html();
    assert!(page.contains("This run ended early, after 59 of 232 steps."));
    assert!(page.contains("Training loss of each batch") && page.contains("Batch loss"));
    assert_eq!(page.matches("class=\"point train\"").count(), 59);
    assert_eq!(page.matches("not asked").count(), sample::ANSWERS);
    assert!(!page.contains("Tokens seen") && !page.contains("NaN"));
}

#[test]
fn losses_that_are_no_numbers_are_named_and_not_drawn() {
    let mut report = sample::report();
    report.events = vec![
        Event::Step {
            epoch: 1,
            step: 0,
            loss: f64::NAN,
            lr: 5e-5,
            groups: std::collections::BTreeMap::new(),
            tokens: 1,
            padded_tokens: 1,
            seconds: 1.0,
            grad_norm: None,
            loss_scale: None,
            skipped: false,
        },
        Event::Eval { epoch: 1, step: 0, tokens_seen: 1, train_loss: f64::INFINITY, val_loss: 2.0 },
    ];
    let page = report.to_html();
    assert!(page.contains("The loss of step 0 is not a number."));
    assert_eq!([page.matches("\"point train\"").count(), page.matches("\"point val\"").count()], [0, 1]);
    assert!(!page.contains("NaN") && !page.contains("inf%"));
}

#[test]
fn the_file_appears_when_it_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    let report = sample::report();
    report.write_html(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), report.to_html());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    assert!(report.write_html(&folder.path().join("absent/report.html")).is_err());
}
