//! Answers of a model.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use gptune_data::Example;
use gptune_train::{Respondent, Response, respond};

use crate::{Voice, Work};

/// The answer to one instruction, with an input that may be empty.
///
/// # Errors
///
/// If the prompt is longer than the model takes.
pub fn ask(respondent: &Respondent<'_>, instruction: &str, input: &str) -> Result<Response> {
    let mut found = None;
    let examples = [Example::new(instruction, input, "")];
    let answered = |_, answer| -> Result<()> {
        found = Some(answer);
        Ok(())
    };
    respond(respondent, &examples, answered, || {}, &|| true)?;
    found.context("the model was asked, and nothing came back")
}

/// Answers examples, in their order; fewer of them if `stop` is set.
///
/// # Errors
///
/// As [`respond`].
pub fn respond_all(
    respondent: &Respondent<'_>,
    examples: &[Example],
    stop: &AtomicBool,
    voice: &dyn Voice,
) -> Result<Vec<String>> {
    let bar = voice.progress(Work::Things(examples.len() as u64, "responses"));
    let mut answers = Vec::with_capacity(examples.len());
    let answered = |index: usize, answer: Response| -> Result<()> {
        // Those of a group that was broken off have gaps, and only the first ones count.
        if index == answers.len() {
            answers.push(answer.text);
        }
        Ok(())
    };
    respond(respondent, examples, answered, || bar.advance(1), &|| !stop.load(Ordering::Relaxed))?;
    Ok(answers)
}
