//! What a run leaves when its last step is taken.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use gptune_data::{Example, Part, Tokenizer};
use gptune_model::Gpt2;
use gptune_report::{LossPlot, svg_to_png};
use gptune_run::{Event, RunFolder};
use gptune_train::{Ending, Outcome, Prepared, TrainConfig, responses_json};
use serde_json::{Map, Value, json};

use super::{
    LEFT_OUT,
    notes::{data_flags, program},
};
use crate::{
    commands::{print_json, respond::ANSWERS, score::Report},
    console::{Console, on_a_line, quoted},
    interrupt,
    model_source::BUILT_IN,
    run_report::{self, Asked, Facts},
};

/// Has a model answer examples.
type Answers<'a> = dyn Fn(&Gpt2, &[Example]) -> Result<Vec<String>> + 'a;

/// What a run has when its last step is taken.
pub(super) struct End<'a> {
    pub console: &'a Console,
    pub events: &'a [Event],
    pub facts: &'a Facts<'a>,
    /// Test examples that were answered before training, and the answers.
    pub preview: &'a [Example],
    pub before: &'a [String],
    pub next: Next<'a>,
    pub json: bool,
}

impl End<'_> {
    /// Has the model answer, writes what the run leaves, and says what to type next.
    ///
    /// # Errors
    ///
    /// If something cannot be written, or the run ended because something was no number.
    pub(super) fn conclude(
        &self,
        Outcome { model, ending, steps }: Outcome,
        all_steps: usize,
        answers: &Answers<'_>,
    ) -> Result<()> {
        let Self { console, events, facts, preview, before, next, json } = self;
        let Next { run, config, data, .. } = next;
        let mut files = write_plots(run, events)?;
        let mut asked: &[Example] = &[];
        let mut after = Vec::new();
        let mut answered = true;
        if ending == Ending::Completed {
            // The preview is the beginning of the test part, and is not answered twice.
            asked = if config.respond { data.examples(Part::Test) } else { preview };
            after = answers(&model, asked)?;
            answered = after.len() == asked.len();
            tell_answers(console, preview, before, &after);
        }
        if ending == Ending::Interrupted || !answered {
            interrupt::cut_short();
        }
        // What was answered stays, if somebody has no time for the rest.
        let judged =
            Asked { examples: &asked[..after.len()], before: &before[..before.len().min(after.len())], after: &after };
        if config.respond && !after.is_empty() {
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
        if ending == Ending::Completed && answered && !config.keep_checkpoint {
            run.forget()?;
        }
        if let Some(scores) = &scores {
            console.say(&format!("{}\n", run_report::summary(scores)));
        }
        for (what, path) in &files {
            console.say(&format!("{what:>10}  {}", path.display()));
        }
        console.say(&next.text(ending, answered, [steps, all_steps]));
        if *json {
            let completed = ending == Ending::Completed && answered;
            print_json(&summary_json(run, steps, completed, events, &files, scores.as_ref()))?;
        }
        Ok(())
    }
}

fn write_plots(run: &RunFolder, events: &[Event]) -> Result<Vec<(&'static str, PathBuf)>> {
    let Some(plot) = LossPlot::from_events(events) else { return Ok(Vec::new()) };
    let svg = plot.to_svg();
    let png = svg_to_png(&svg, 2.0).context("cannot draw the loss plot")?;
    run.write("loss-plot.png", &png)?;
    Ok(vec![("plot", run.write("loss-plot.svg", svg.as_bytes())?)])
}

/// The document of `--json`.
fn summary_json(
    run: &RunFolder,
    steps: usize,
    completed: bool,
    events: &[Event],
    files: &[(&str, PathBuf)],
    scores: Option<&Report>,
) -> Value {
    let text = |path: &Path| json!(path.display().to_string());
    let paths: Map<_, _> = files.iter().map(|(what, path)| ((*what).to_owned(), text(path))).collect();
    json!({
        "out": text(run.path()),
        "steps": steps,
        "completed": completed,
        "last_event": events.last(),
        "initial": events.iter().find(|event| matches!(event, Event::Initial { .. })),
        "last_evaluation": events.iter().rfind(|event| matches!(event, Event::Eval { .. })),
        "final": events.iter().find(|event| matches!(event, Event::Final { .. })),
        "files": paths,
        "scores": scores,
    })
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

fn tell_answers(console: &Console, examples: &[Example], before: &[String], after: &[String]) {
    let line = on_a_line;
    for ((example, before), after) in examples.iter().zip(before).zip(after).take(SHOWN) {
        let input = if example.input.is_empty() { String::new() } else { format!(" | {}", line(&example.input)) };
        console.say(&format!("\n{}{input}", line(&example.instruction)));
        console.say(&format!("  wanted: {}", line(&example.output)));
        console.say(&format!("  before: {}", shortened(&line(before))));
        console.say(&format!("  after:  {}", shortened(&line(after))));
    }
    if !examples.is_empty() {
        console.say("");
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

/// What is said at the end.
pub(super) struct Next<'a> {
    pub run: &'a RunFolder,
    pub config: &'a TrainConfig,
    pub base: &'a str,
    pub tokenizer: &'a Tokenizer,
    pub data: &'a Prepared,
}

impl Next<'_> {
    /// What to type next.
    fn text(&self, ending: Ending, answered: bool, [steps, all]: [usize; 2]) -> String {
        let Self { run, config, base, .. } = self;
        let program = program();
        // Where there was no room for a state, there is nothing to go on from.
        if (ending == Ending::Interrupted || !answered) && run.join("checkpoint").is_dir() {
            let what = if ending == Ending::Interrupted {
                format!("after {steps} of {all} steps")
            } else {
                "while answering".to_owned()
            };
            let run = quoted(&run.path().display().to_string());
            return format!(
                "Stopped {what}; the model so far is complete. To go on as if nothing had happened:\n  {program} train \
                 --resume {run}"
            );
        }
        let (model, recipe) = (run.join("model"), run.join("config.toml"));
        let [model, recipe] = [model, recipe].map(|path| quoted(&path.display().to_string()));
        if ending == Ending::Interrupted {
            // The configuration of a run is a recipe.
            return format!(
                "Stopped after {steps} of {all} steps; the model so far is complete. To go on from it with a fresh \
                 optimizer:\n  {program} train --recipe {recipe} --model {model}"
            );
        }
        if !answered {
            return format!(
                "Stopped while answering; the model is complete. To answer the test part:\n  {program} respond --model \
                 {model} --max-new-tokens {} --device {}",
                config.response_tokens, config.device
            );
        }
        // One that a shell takes as it is, and a reader at a glance.
        let plain = |text: &str| text.len() < 60 && !text.contains(|c: char| c.is_control() || "\"$`\\!".contains(c));
        let is_plain = |example: &&Example| {
            let text = example.instruction.as_str();
            example.input.is_empty() && plain(text) && self.tokenizer.literal_added(text).is_none()
        };
        let question = self.data.examples(Part::Test).iter().find(is_plain);
        let question = question.map_or("...", |example| example.instruction.as_str());
        let mut lines = vec![format!("Next, ask it something:  {program} ask --model {model} \"{question}\"")];
        if *base == BUILT_IN {
            let data = if config.data == "sample" { "--data FILE.json".to_owned() } else { data_flags(config) };
            lines.push(format!("Train the real GPT-2:    {program} train --model gpt2 {data}"));
        } else {
            let has = |part| !self.data.examples(part).is_empty();
            let split = [(Part::Val, ""), (Part::Test, " --split test"), (Part::Train, " --split train")];
            // What is left without a part of its own is measured on what there is.
            let split = split.into_iter().find(|&(part, _)| has(part)).map_or("", |(_, flag)| flag);
            lines.push(format!("Measure it:              {program} evaluate --model {model}{split}"));
        }
        lines.join("\n")
    }
}
