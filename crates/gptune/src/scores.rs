//! Scores of a run's answers.

use anyhow::Result;
use gptune_score::{Comparison, Responses, ScoreOptions, Scores, compare, score};
use serde::Serialize;

/// Scores of answers: what `gptune score --json` prints, and `scores.json` of a run.
#[derive(Debug, Serialize)]
pub struct ScoreReport {
    /// The file of the answers, or what they are.
    pub responses: String,
    /// Of the bootstrap.
    pub resamples: usize,
    /// Of the bootstrap.
    pub seed: u64,
    /// Their scores.
    #[serde(flatten)]
    pub scores: Scores,
    /// The comparison with others.
    #[serde(flatten)]
    pub other: Option<Other>,
}

/// What a comparison adds: what `--against` does.
#[derive(Debug, Serialize)]
pub struct Other {
    /// The others.
    pub against: Against,
    /// How the first differ from them.
    pub difference: Comparison,
}

/// Other answers to the same examples.
#[derive(Debug, Serialize)]
pub struct Against {
    /// Their file, or what they are.
    pub responses: String,
    /// Their scores.
    #[serde(flatten)]
    pub scores: Scores,
}

/// Scores answers, and compares them with others to the same examples.
///
/// # Errors
///
/// If the others are to other examples.
pub fn report(responses: Responses, other: Option<Responses>) -> Result<ScoreReport> {
    let options = ScoreOptions::default();
    let compared = |other: Responses| -> Result<Other> {
        let difference = compare(&responses, &other, &options)?;
        Ok(Other { difference, against: Against { scores: score(&other, &options), responses: other.origin } })
    };
    Ok(ScoreReport {
        other: other.map(compared).transpose()?,
        resamples: options.resamples,
        seed: options.seed,
        scores: score(&responses, &options),
        responses: responses.origin,
    })
}
