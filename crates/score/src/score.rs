//! Scores of a file, and the comparison of two.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;

use crate::{
    Answered, Metrics, Responses, ScoreError,
    bootstrap::{intervals, means},
    sign_test::p_value,
    wilson::wilson,
};

/// How intervals are made: of means, by resampling. The interval of a share of right answers is Wilson's, which knows
/// that 0 of 110 may be 3 of 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScoreOptions {
    /// Resamples of the bootstrap; with 0, those intervals are points. At the default of 5000, another seed moves the ends
    /// by about 2 % of the interval's half, and 50,000 answers take a few seconds.
    pub resamples: usize,
    /// Seed of the draws; the same seed gives the same intervals.
    pub seed: u64,
}

impl Default for ScoreOptions {
    fn default() -> Self {
        Self { resamples: 5000, seed: 123 }
    }
}

/// Something about all answers, and about each kind of task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Breakdown<T> {
    /// All answers.
    pub overall: Group<T>,
    /// The answers of each kind that the data name.
    pub kinds: BTreeMap<String, Group<T>>,
    /// The answers without a kind, where others have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_kind: Option<Group<T>>,
}

/// Some answers and what was found about them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group<T> {
    /// How many answers.
    pub count: usize,
    /// What was found, for each metric.
    #[serde(flatten)]
    pub metrics: Metrics<T>,
}

/// A mean and its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean over answers, from 0 to 1.
    pub mean: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// How much better the first model is than the second one, over pairs of answers to the same example.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// The mean difference with its interval, from -1 to 1.
    #[serde(flatten)]
    pub estimate: Estimate,
    /// Pairs in which the first model scores higher.
    pub wins: usize,
    /// Pairs in which both score the same.
    pub ties: usize,
    /// Pairs in which the second model scores higher.
    pub losses: usize,
    /// Of the exact two-sided sign test of wins against losses.
    pub p_value: f64,
}

/// The scores of a file of answers.
pub type Scores = Breakdown<Estimate>;

/// The comparison of two files of answers.
pub type Comparison = Breakdown<Difference>;

/// Scores a model's answers.
#[must_use]
pub fn score(responses: &Responses, options: &ScoreOptions) -> Scores {
    breakdown(&responses.entries, &rows(responses), |rows| score_estimates(rows, options))
}

/// Compares two models' answers to the same examples, the first with the second: a positive difference and a win speak
/// for the first. Kinds are those of the first file.
///
/// # Errors
///
/// If the files do not hold the same instructions, inputs and wanted outputs in the same order.
pub fn compare(first: &Responses, second: &Responses, options: &ScoreOptions) -> Result<Comparison, ScoreError> {
    check_same_examples(first, second)?;
    let pairs = rows(first).into_iter().zip(rows(second));
    let differences: Vec<[f64; 4]> =
        pairs.map(|(first, second)| std::array::from_fn(|metric| first[metric] - second[metric])).collect();
    Ok(breakdown(&first.entries, &differences, |rows| {
        let estimates = estimates(rows, options);
        std::array::from_fn(|metric| {
            let count = |wanted: fn(f64) -> bool| rows.iter().filter(|row| wanted(row[metric])).count();
            let (wins, losses) = (count(|difference| difference > 0.0), count(|difference| difference < 0.0));
            Difference {
                estimate: estimates[metric],
                wins,
                ties: rows.len() - wins - losses,
                losses,
                p_value: p_value(wins, losses),
            }
        })
    }))
}

fn check_same_examples(first: &Responses, second: &Responses) -> Result<(), ScoreError> {
    for (index, (one, other)) in first.entries.iter().zip(&second.entries).enumerate() {
        let keys = [
            ("instruction", &one.instruction, &other.instruction),
            ("input", &one.input, &other.input),
            ("output", &one.output, &other.output),
        ];
        if let Some((key, ..)) = keys.into_iter().find(|(_, one, other)| one != other) {
            return Err(ScoreError::Mismatch {
                index,
                key,
                first: first.origin.clone(),
                second: second.origin.clone(),
            });
        }
    }
    if first.entries.len() != second.entries.len() {
        return Err(ScoreError::Count {
            first: first.origin.clone(),
            first_count: first.entries.len(),
            second: second.origin.clone(),
            second_count: second.entries.len(),
        });
    }
    Ok(())
}

/// The scores of every answer.
fn rows(responses: &Responses) -> Vec<[f64; 4]> {
    let row = |entry: &Answered| Metrics::of(&entry.output, &entry.model_response).into_array();
    responses.entries.par_iter().map(row).collect()
}

/// Sums up all rows, and those of each kind.
fn breakdown<T>(entries: &[Answered], rows: &[[f64; 4]], summary: impl Fn(&[[f64; 4]]) -> [T; 4]) -> Breakdown<T> {
    let group = |rows: &[[f64; 4]]| Group { count: rows.len(), metrics: summary(rows).into() };
    let mut of_kinds: BTreeMap<Option<&str>, Vec<[f64; 4]>> = BTreeMap::new();
    for (entry, row) in entries.iter().zip(rows) {
        of_kinds.entry(entry.kind.as_deref()).or_default().push(*row);
    }
    let without_kind = of_kinds.remove(&None).filter(|_| !of_kinds.is_empty());
    Breakdown {
        overall: group(rows),
        kinds: of_kinds.iter().filter_map(|(kind, rows)| Some(((*kind)?.to_owned(), group(rows)))).collect(),
        without_kind: without_kind.map(|rows| group(&rows)),
    }
}

fn estimates(rows: &[[f64; 4]], options: &ScoreOptions) -> [Estimate; 4] {
    let (means, intervals) = (means(rows), intervals(rows, options.resamples, options.seed));
    std::array::from_fn(|metric| {
        let (low, high) = intervals[metric];
        Estimate { mean: means[metric], low, high }
    })
}

/// The same of scores themselves: shares of right answers have Wilson's interval.
fn score_estimates(rows: &[[f64; 4]], options: &ScoreOptions) -> [Estimate; 4] {
    let mut estimates = estimates(rows, options);
    for estimate in &mut estimates[..SHARES] {
        (estimate.low, estimate.high) = wilson(estimate.mean, rows.len());
    }
    estimates
}

/// Metrics that are 0 or 1 for each answer, which are the first ones.
const SHARES: usize = 2;
