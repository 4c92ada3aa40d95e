//! Runs side by side.

use gptune_report::{ComparedRun, Estimate, RunComparison, RunScore, Scale};
use gptune_run::{RunState, RunSummary};
use serde_json::Value;

use crate::about::About;

/// Settings that decide on what a validation loss is measured, and how.
const MEASURING: [&str; 14] = [
    "text",
    "block_size",
    "val_data",
    "split",
    "split_seed",
    "skip_bad",
    "too_long",
    "max_length",
    "prompt_style",
    "special_tokens",
    "mask_instructions",
    "batch_size",
    "eval_batches",
    "eval",
];

/// Names of scores, in `scores.json` and for people, the most telling first.
pub const SCORES: [(&str, &str); 4] =
    [("normalized", "Normalized match"), ("exact", "Exact match"), ("token_f1", "Token F1"), ("rouge_l", "ROUGE-L")];

/// How a run stands, in a few words.
#[must_use]
pub fn state(run: &RunSummary) -> String {
    match &run.state {
        RunState::Complete => "complete".to_owned(),
        RunState::Running => "running".to_owned(),
        RunState::Interrupted { resumable: true } => "interrupted, can be resumed".to_owned(),
        RunState::Interrupted { resumable: false } => "interrupted".to_owned(),
        RunState::Failed(problem) => format!("failed: {problem}"),
        RunState::Damaged(problem) => format!("damaged: {problem}"),
    }
}

/// The value of a setting as people write it.
#[must_use]
pub fn setting(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A score over all answers of a run, from `scores.json`: the mean with its 95 % interval, and how many answers.
#[must_use]
pub fn score(run: &RunSummary, name: &str) -> Option<(Estimate, usize)> {
    let overall = run.scores.as_ref()?.get("overall")?;
    let number = |key: &str| overall.get(name)?.get(key)?.as_f64();
    let items = usize::try_from(overall.get("count").and_then(Value::as_u64)?).ok()?;
    Some((Estimate { mean: number("mean")?, low: number("low")?, high: number("high")? }, items))
}

/// What keeps the validation losses of runs from being compared: a sentence each.
#[must_use]
pub fn differences_in_measuring(runs: &[RunSummary]) -> Vec<String> {
    let differing = RunSummary::differing(runs);
    let keys: Vec<&str> = differing.iter().map(|(key, _)| key.as_str()).filter(|key| MEASURING.contains(key)).collect();
    let fingerprints: Vec<String> = runs.iter().filter_map(fingerprint).collect();
    let mut notes = Vec::new();
    if fingerprints.iter().any(|other| *other != fingerprints[0]) {
        notes.push(
            "These runs are of different data, so that their losses and scores say nothing of each other.".to_owned(),
        );
    }
    if !keys.is_empty() {
        notes.push(format!(
            "These runs were not measured alike: they differ in {}, so that their losses do not tell which is better.",
            keys.join(", ")
        ));
    }
    notes
}

/// Of the data of a run, as its model remembers it.
fn fingerprint(run: &RunSummary) -> Option<String> {
    Some(About::read(&run.path.join("model")).ok()?.training?.fingerprint)
}

/// Runs as a page.
#[must_use]
pub fn compare(runs: &[RunSummary]) -> RunComparison {
    let notes = differences_in_measuring(runs);
    let mut keys: Vec<&String> = runs.iter().flat_map(|run| run.settings.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let values = |key: &String| {
        let values = runs.iter().map(|run| run.settings.get(key).map(setting)).collect();
        (key.clone(), values)
    };
    RunComparison {
        version: format!("gptune {}", env!("CARGO_PKG_VERSION")),
        runs: runs.iter().map(compared).collect(),
        settings: keys.into_iter().map(values).collect(),
        scoring:
            "Intervals are of 95 %: Wilson's for the shares of matches, and percentiles of the bootstrap over answers \
                  for the rest."
                .to_owned(),
        incomparable: !notes.is_empty(),
        notes,
    }
}

fn compared(run: &RunSummary) -> ComparedRun {
    let score = |(key, name): (&str, &str)| {
        let (estimate, items) = score(run, key)?;
        Some(RunScore { name: name.to_owned(), scale: Scale::Share, items, estimate })
    };
    ComparedRun {
        name: run.name.clone(),
        state: state(run),
        events: run.events.clone(),
        seconds: run.seconds(),
        scores: SCORES.into_iter().filter_map(score).collect(),
    }
}
