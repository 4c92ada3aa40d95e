//! What a run leaves when its last step is taken.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use gptune_data::{Example, Part};
use gptune_model::Gpt2;
use gptune_report::{LossPlot, svg_to_png};
use gptune_run::{ANSWERS, Event, RunFolder};
use gptune_train::{Ending, Outcome, responses_json};

use super::LEFT_OUT;
use crate::{
    RunConfig, Voice,
    run_report::{self, Asked, Facts},
    scores::ScoreReport,
    text::on_a_line,
};

/// Has a model answer examples.
type Answers<'a> = dyn Fn(&Gpt2, &[Example]) -> Result<Vec<String>> + 'a;

/// What a run has when its last step is taken.
pub(super) struct End<'a> {
    pub run: &'a RunFolder,
    pub config: &'a RunConfig,
    pub voice: &'a dyn Voice,
    pub events: &'a [Event],
    pub facts: &'a Facts<'a>,
    /// Test examples that were answered before training, and the answers.
    pub preview: &'a [Example],
    pub before: &'a [String],
}

/// What is left.
pub(super) struct Left {
    pub answered: bool,
    pub scores: Option<ScoreReport>,
    pub files: Vec<(&'static str, PathBuf)>,
}

impl End<'_> {
    /// Has the model answer, and writes what the run leaves.
    ///
    /// # Errors
    ///
    /// If something cannot be written, or the run ended because something was no number.
    pub(super) fn conclude(&self, outcome: &Outcome, answers: &Answers<'_>) -> Result<Left> {
        let Self { run, config, voice, events, facts, preview, before } = self;
        let data = facts.data;
        let ending = outcome.ending;
        run.settle_best(outcome.best)?;
        let mut files = write_plots(run, events)?;
        let mut asked: Vec<Example> = Vec::new();
        let mut after = Vec::new();
        let mut answered = true;
        if ending.is_regular() {
            // The preview is the beginning of the test part, and is not answered twice.
            asked = preview.to_vec();
            if config.output.respond {
                asked = data.examples(Part::Test, usize::MAX, facts.tokenizer)?;
            }
            after = answers(&outcome.model, &asked)?;
            answered = after.len() == asked.len();
            tell_answers(*voice, preview, before, &after);
        }
        // What was answered stays, if somebody has no time for the rest.
        let judged =
            Asked { examples: &asked[..after.len()], before: &before[..before.len().min(after.len())], after: &after };
        if config.output.respond && !after.is_empty() {
            files.extend(write_answers(run, &judged, answered)?);
        }
        // Part of the answers is no measure of the model.
        let scores = if answered { judged.scores()? } else { None };
        if let Some(scores) = &scores {
            files.push(("scores", run.write("scores.json", run_report::to_json(scores)?.as_bytes())?));
        }
        let page = run_report::page(run, config, facts, events, ending, &judged, scores.as_ref())?;
        files.push(("report", run.write("report.html", page.as_bytes())?));
        if !data.left_out.is_empty() {
            files.push(("left out", run.join(LEFT_OUT)));
        }
        if let Ending::NotFinite(what) = ending {
            bail!(
                "{what}, so training stopped there; the last good model is in {} and the metrics are beside it; try a \
                 smaller --lr",
                run.join("model").display()
            );
        }
        files.push(("model", run.join("model")));
        if let Some(best) = outcome.best.filter(|_| config.run.keep_best) {
            if run.has_best(best) {
                files.push(("best", run.join("best")));
            } else {
                voice.note(&format!(
                    "Note: {} is not the model of the lowest validation loss, {:.3} after step {}; it was removed or changed",
                    run.join("best").display(),
                    best.val_loss,
                    best.step
                ));
            }
        }
        if ending.is_regular() && answered && !config.run.keep_checkpoint {
            run.forget()?;
        }
        Ok(Left { answered, scores, files })
    }
}

fn write_plots(run: &RunFolder, events: &[Event]) -> Result<Vec<(&'static str, PathBuf)>> {
    let Some(plot) = LossPlot::from_events(events) else { return Ok(Vec::new()) };
    let svg = plot.to_svg();
    let png = svg_to_png(&svg, 2.0).context("cannot draw the loss plot")?;
    run.write("loss-plot.png", &png)?;
    Ok(vec![("plot", run.write("loss-plot.svg", svg.as_bytes())?)])
}

/// Writes the book's responses file, and the same of the model before training if it was asked everything. Answers that
/// are not all there get another name.
fn write_answers(run: &RunFolder, asked: &Asked<'_>, all: bool) -> Result<Vec<(&'static str, PathBuf)>> {
    let write = |what, name, answers: &[String]| -> Result<_> {
        let text = responses_json(asked.examples.iter().zip(answers.iter().map(String::as_str)));
        Ok((what, run.write(name, text.as_bytes())?))
    };
    if !all {
        return Ok(vec![write("some", "instruction-data-with-some-responses.json", asked.after)?]);
    }
    let mut files = vec![write("responses", ANSWERS, asked.after)?];
    if asked.before.len() == asked.after.len() {
        files.push(write("before", "instruction-data-before-training.json", asked.before)?);
    }
    Ok(files)
}

/// Answers that the console shows; the report shows all of them.
const SHOWN: usize = 3;

fn tell_answers(voice: &dyn Voice, examples: &[Example], before: &[String], after: &[String]) {
    let line = on_a_line;
    for ((example, before), after) in examples.iter().zip(before).zip(after).take(SHOWN) {
        let input = if example.input().is_empty() { String::new() } else { format!(" | {}", line(example.input())) };
        voice.say(&format!("\n{}{input}", line(example.instruction())));
        voice.say(&format!("  wanted: {}", line(example.output())));
        voice.say(&format!("  before: {}", shortened(&line(before))));
        voice.say(&format!("  after:  {}", shortened(&line(after))));
    }
    if !examples.is_empty() {
        voice.say("");
    }
}

/// At most 100 characters of a line, and something to see where there are none.
fn shortened(line: &str) -> String {
    match line.char_indices().nth(100) {
        _ if line.is_empty() => "(nothing)".to_owned(),
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
