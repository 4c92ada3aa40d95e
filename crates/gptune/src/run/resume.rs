//! Going on with a run that was broken off.

use std::path::Path;

use anyhow::{Context, Result, bail};
use gptune_run::{Checkpoint, Event, RunError, RunFolder, RunState, RunSummary};
use gptune_train::Schedule;

use super::{Beginning, Extension, Remembered, Run};
use crate::{
    RunConfig, Voice,
    model::{self, Opened},
    text::quoted,
};

/// What of a run may be changed while it is gone on with: what extends it.
const EXTENDING: [&str; 2] = ["epochs", "max_steps"];

/// What is left to do of the run in a folder; none if it is complete.
///
/// # Errors
///
/// If there is no run, or what was stored cannot be used.
pub(super) fn plan(path: &Path, more: Extension, voice: &dyn Voice) -> Result<Option<Run>> {
    let summary = RunSummary::read(path)?;
    let settings = path.join("config.toml");
    if summary.settings.contains_key("text") {
        bail!("{} is a training from scratch; `gptune pretrain --resume` goes on with it", path.display());
    }
    let text = std::fs::read_to_string(&settings).with_context(|| format!("cannot read {}", settings.display()))?;
    let mut config = RunConfig::from_toml(&settings.display().to_string(), &text)?;
    config.run.epochs = more.epochs.unwrap_or(config.run.epochs);
    config.run.max_steps = more.max_steps.unwrap_or(config.run.max_steps);
    let extends = more.epochs.is_some() || more.max_steps.is_some();
    let model = quoted(&path.join("model").display().to_string());
    match &summary.state {
        RunState::Complete if !extends => return Ok(None),
        RunState::Running => return Err(RunError::Busy { path: path.to_owned() }.into()),
        RunState::Failed(problem) => bail!(
            "{} ended because {problem}, and would end there again; train on from its last good model with --model {model} \
             and a smaller --lr",
            path.display()
        ),
        _ => {}
    }
    let folder = RunFolder::reopen(path)?;
    let checkpoint = Checkpoint::open(path).with_context(|| {
        format!("the state of {} cannot be gone on with; its last good model is in {model}", path.display())
    })?;
    if checkpoint.is_none() {
        let (mut ended, mut second_epoch) = (false, false);
        for event in &summary.events {
            ended |= matches!(event, Event::End { .. });
            second_epoch |= matches!(event, Event::Step { epoch: 2.., .. });
        }
        // At the end of an epoch and when it is broken off between steps, a run stores its state.
        let between_steps = ended && summary.steps() > 0 && summary.all_steps().is_none_or(|all| summary.steps() < all);
        if !config.run.checkpoint || between_steps || second_epoch {
            let why = if config.run.checkpoint { "is not there any more" } else { "was not stored (--no-checkpoint)" };
            bail!(
                "{} cannot be gone on with: its state (checkpoint/) {why}; train on from its model with --model {model}",
                path.display()
            );
        }
    }
    let run = |beginning| Run { beginning, ..Run::new(config.clone()) };
    let Some(checkpoint) = checkpoint else {
        voice.say(&format!("Note: {} was broken off before anything was stored; it begins again", path.display()));
        return Ok(Some(run(Beginning::Again(folder))));
    };
    let remembered: Remembered = serde_json::from_value(checkpoint.program().clone())
        .map_err(|error| checkpoint.fault(format!("it is not what training wrote ({error})")))?;
    check_settings(&text, &remembered.config, &settings)?;
    let step = checkpoint.progress().step;
    if config.run.max_steps > 0 && config.run.max_steps < step {
        bail!("{} has taken {step} steps, more than --max-steps {}", path.display(), config.run.max_steps);
    }
    if config.run.epochs < checkpoint.progress().epoch {
        let epoch = checkpoint.progress().epoch;
        bail!("{} is in epoch {epoch}, beyond --epochs {}", path.display(), config.run.epochs);
    }
    voice.say(&format!("Going on with {} after {step} steps", path.display()));
    let then = RunConfig::from_toml(&settings.display().to_string(), &remembered.config)?;
    let extended = (then.run.epochs, then.run.max_steps) != (config.run.epochs, config.run.max_steps);
    let by_length =
        config.optim.schedule != Schedule::Constant || config.optim.warmup > 0.0 && config.optim.warmup < 1.0;
    if extended && by_length {
        voice.note(
            "Note: the schedule of the learning rate goes by the length of the run, which is another now; from here on it is \
             that of the new length",
        );
    }
    Ok(Some(run(Beginning::Resumed(folder, Box::new(checkpoint), remembered))))
}

/// The model of a run, whose sizes and tokenizer going on needs.
pub(super) fn open_model(path: &Path, voice: &dyn Voice) -> Result<Opened> {
    model::open_model(&path.join("model").display().to_string(), voice)
        .with_context(|| format!("the model of {} is needed to go on with it", path.display()))
}

/// Makes sure that the data are those of the run.
pub(super) fn check_data(path: &Path, then: &str, now: &str) -> Result<()> {
    if then != now {
        bail!(
            "the data are not what {} is trained on (their digest was {then}, and is {now}); give them as they were",
            path.display()
        );
    }
    Ok(())
}

/// Makes sure that nobody has changed more of a run's settings than what extends it.
fn check_settings(now: &str, then: &str, path: &Path) -> Result<()> {
    let table = |text: &str| text.parse::<toml::Table>().with_context(|| format!("{} is no TOML", path.display()));
    let (now, then) = (table(now)?, table(then)?);
    let keys = now.keys().chain(then.keys().filter(|key| !now.contains_key(*key)));
    let changed: Vec<&str> =
        keys.map(String::as_str).filter(|key| !EXTENDING.contains(key) && now.get(*key) != then.get(*key)).collect();
    if changed.is_empty() {
        return Ok(());
    }
    bail!(
        "{} says something else than the run was begun with: {}; only {} may change, which extend it",
        path.display(),
        changed.join(", "),
        EXTENDING.join(" and ")
    )
}
