//! A run: from names to a model, and what it leaves.

mod end;
mod keep;
mod notes;
mod resume;
mod settings;

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use anyhow::{Result, bail};
use burn::module::Module;
use gptune_data::{Example, Part, Template, Tokenizer};
use gptune_model::{Gpt2, Gpt2Config};
use gptune_run::{Best, Checkpoint, Event, RunFolder, read_events};
use gptune_train::{Ending, ModelInput, Prepared, Respondent, Trainer};
use serde::{Deserialize, Serialize};

pub use self::notes::tell_left_out;
use self::{
    end::End,
    keep::{States, Told},
    settings::{anchor, follow_training, run_name},
};
use crate::{
    RunConfig, Voice, Work,
    about::{About, Training},
    answers, data,
    device::{self, Chosen},
    folder::Belongings,
    model::{self, BUILT_IN, Opened, Rest},
    run_report::Facts,
    scores::ScoreReport,
    self_check::guard,
};

/// The file of a run with the entries of the data that were not trained on.
pub const LEFT_OUT: &str = "left-out.jsonl";

/// A run that is to be made.
#[derive(Debug)]
pub struct Run {
    config: RunConfig,
    given: Given,
    recipe: Option<String>,
    out: Option<PathBuf>,
    name: Option<String>,
    force: bool,
    beginning: Beginning,
}

/// What somebody said of how instructions become ids; what nobody said of is as it was for the model so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given {
    /// The prompt style.
    pub prompt_style: bool,
    /// Whether text becomes special tokens.
    pub special_tokens: bool,
}

/// What a run that is gone on with may be given more of.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extension {
    /// Passes over the training part in all.
    pub epochs: Option<usize>,
    /// Steps in all.
    pub max_steps: Option<usize>,
}

/// Where a run begins.
#[derive(Debug)]
enum Beginning {
    /// In a folder of its own.
    New,
    /// In the folder of one that was broken off before anything was stored.
    Again(RunFolder),
    /// In the folder of one that was broken off, with what was stored.
    Resumed(RunFolder, Box<Checkpoint>, Remembered),
}

/// What a stored state remembers beside the state of the training.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Remembered {
    /// The configuration, as `config.toml`.
    config: String,
    /// Of the data.
    fingerprint: String,
    /// The model that the first of all trainings started from.
    base: String,
    /// Answers to the preview before training.
    before: Vec<String>,
}

/// What a run came to.
#[derive(Debug)]
pub struct Trained {
    /// Its folder.
    pub folder: PathBuf,
    /// Its settings, with what was left open resolved.
    pub config: RunConfig,
    /// The model that the first of all trainings started from.
    pub base: String,
    /// How it ended.
    pub ending: Ending,
    /// Whether all was answered that was to be.
    pub answered: bool,
    /// Updates made.
    pub steps: usize,
    /// Steps that were to be taken.
    pub all_steps: usize,
    /// The lowest validation loss after a step.
    pub best: Option<Best>,
    /// What happened.
    pub events: Vec<Event>,
    /// Scores of the answers, if there are any.
    pub scores: Option<ScoreReport>,
    /// What it left, and where.
    pub files: Vec<(&'static str, PathBuf)>,
    /// Its data.
    pub data: Prepared,
    /// The model's tokenizer.
    pub tokenizer: Tokenizer,
    /// The model, on a device without autodiff.
    pub model: Gpt2,
}

impl Trained {
    /// The model's answer to an instruction, in at most as many tokens as the settings say.
    ///
    /// # Errors
    ///
    /// If the instruction is longer than the model takes.
    pub fn ask(&self, instruction: &str) -> Result<String> {
        let respondent = respondent(&self.config, &self.model, &self.tokenizer, self.data.template());
        Ok(answers::ask(&respondent, instruction, "")?.text)
    }
}

impl Run {
    /// A run with these settings, in a folder below `runs` that is named for them.
    #[must_use]
    pub fn new(config: RunConfig) -> Self {
        let given = Given { prompt_style: true, special_tokens: true };
        Self { config, given, recipe: None, out: None, name: None, force: false, beginning: Beginning::New }
    }

    /// What is left to do of the run in a folder; none if it is complete.
    ///
    /// # Errors
    ///
    /// If there is no run, or what was stored cannot be used.
    pub fn resume(folder: &Path, more: Extension, voice: &dyn Voice) -> Result<Option<Self>> {
        resume::plan(folder, more, voice)
    }

    /// Puts the run into this new or empty folder.
    #[must_use]
    pub fn out(self, folder: impl Into<PathBuf>) -> Self {
        Self { out: Some(folder.into()), ..self }
    }

    /// Calls the run so, below `runs`.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Trains even if the device fails its self-check.
    #[must_use]
    pub fn force(self, force: bool) -> Self {
        Self { force, ..self }
    }

    /// Lets what was not given be as it was for the model so far.
    #[must_use]
    pub fn given(self, given: Given) -> Self {
        Self { given, ..self }
    }

    /// Says from which recipe the settings come.
    #[must_use]
    pub fn recipe(self, recipe: Option<String>) -> Self {
        Self { recipe, ..self }
    }

    /// Trains, and answers what is to be answered. Setting `stop` ends that in order.
    ///
    /// # Errors
    ///
    /// If something of the settings, the model or the data cannot be used, which is found out before anything is written; if
    /// something cannot be written; or if the training ended because something was no number.
    pub fn start(mut self, voice: &dyn Voice, stop: &AtomicBool) -> Result<Trained> {
        self.config.validate()?;
        if let Some(out) = &self.out {
            RunFolder::check(out)?;
        }
        let chosen = device::resolve(&self.config.source.device)?;
        self.config.source.device.clone_from(&chosen.name);
        let (opened, base, template) = self.open(voice)?;
        Plan { run: self, base, template, chosen }.carry_out(opened, voice, stop)
    }

    /// The model to go on from, the one that the first of all trainings started from, and how conversations become texts.
    fn open(&mut self, voice: &dyn Voice) -> Result<(Opened, String, Template)> {
        if let Beginning::Resumed(run, _, remembered) = &self.beginning {
            let opened = resume::open_model(run.path(), voice)?;
            let template = opened.about.own_template();
            return Ok((opened, remembered.base.clone(), template));
        }
        let opened = model::open_model(&self.config.source.model, voice)?;
        let base = opened.base(&self.config.source.model);
        if matches!(self.beginning, Beginning::New) {
            follow_training(&mut self.config, &opened.about, self.given, voice);
            let context = opened.folder.config.n_positions;
            self.config.data.max_length = self.config.data.max_length.min(context);
            anchor(&mut self.config);
        }
        let template = opened.about.template(&self.config.source.prompt_style)?;
        Ok((opened, base, template))
    }
}

/// A run whose model is at hand.
struct Plan {
    run: Run,
    base: String,
    template: Template,
    chosen: Chosen,
}

impl Plan {
    #[allow(clippy::too_many_lines)] // one thing after the other, with names that all of it uses
    fn carry_out(self, opened: Opened, voice: &dyn Voice, stop: &AtomicBool) -> Result<Trained> {
        let Self { run: Run { config, recipe, out, name, force, beginning, .. }, base, template, chosen } = self;
        if config.source.tie_head && !opened.folder.config.tie_word_embeddings {
            bail!(
                "'{}' has an output head of its own, which --tie-head would throw away; leave out --tie-head",
                config.source.model
            );
        }
        let context = opened.folder.config.n_positions;
        let (source, fingerprint) = data::open(&config.source, voice)?;
        if let Beginning::Resumed(run, _, remembered) = &beginning {
            resume::check_data(run.path(), &remembered.fingerprint, &fingerprint)?;
        }
        let (folder, Rest { tokenizer, mut special, about: _ }) = opened.apart();
        let known = tokenizer.vocab_size();
        let tokenizer = model::fitted(tokenizer, &config.source.add_tokens, &template, voice)?;
        // Templates may end answers with a token of their own, which is then where generation stops.
        special.eos = Some(tokenizer.end_of_text());
        let reading = config.source.reading()?;
        let target = ModelInput { tokenizer: &tokenizer, template: &template, padding: special.pad, context, reading };
        let bar = voice.progress(Work::Things(0, "examples"));
        let data = Prepared::new(source, &target, &config.data, |n| bar.advance(n))?;
        drop(bar);
        let trainer = Trainer::new(&config.optim, &config.run, &data, &tokenizer)?;
        // Answers take long, and may be broken off.
        let trainer = trainer.before_long_work(config.output.respond);

        device::check_size(&chosen, &folder.config)?;
        guard(&chosen, force, voice)?;
        device::set_precision(&chosen, config.run.precision)?;
        let device = chosen.device.clone().autodiff();
        device.seed(u64::from(config.run.seed)); // dropout is all that draws from it
        let folder = folder.with_dropout(config.run.dropout);
        let (model, model_config) = if matches!(beginning, Beginning::Resumed(..)) {
            // What was stored fills it.
            (Gpt2::init(&folder.config, &device), folder.config.clone())
        } else {
            let (model, model_config) = folder.load(Some(config.source.tie_head), &device)?;
            grown(model, model_config, known, tokenizer.vocab_size())
        };
        trainer.check(&model)?;

        let settings = config.to_toml()?;
        let name = || name.clone().unwrap_or_else(|| run_name(&base, &config));
        voice.starting();
        let (run, stored) = open_folder(beginning, out.as_deref(), name, &settings, config.run.keep_best, voice)?;
        write_left_out(&run, &data)?;
        let started = jiff::ZonedDateTime::now();
        notes::beginning(voice, &config, &data, &model_config, &trainer, trainer.trained_numbers(&model));
        notes::choices(voice, &config, recipe.as_deref(), &data, trainer.steps());
        if base == BUILT_IN && config.source.data != "sample" && stored.is_none() {
            notes::unknown_words(voice, &model.valid(), &tokenizer, &data, &config)?;
        }
        voice.say("");
        let preview = &data.examples(Part::Test, config.output.preview, &tokenizer)?;
        let answers = |model: &Gpt2, examples: &[Example]| {
            answers::respond_all(&respondent(&config, model, &tokenizer, &template), examples, stop, voice)
        };
        let events = if stored.is_some() { past(&run, config.run.epochs, trainer.steps())? } else { Vec::new() };
        let (checkpoint, before) = match stored {
            Some((checkpoint, remembered)) => (Some(checkpoint), remembered.before),
            None => (None, answers(&model.valid(), preview)?),
        };
        let about = About {
            template: Some(template.clone()),
            special_tokens: config.data.special_tokens,
            training: Some(Training::new(&base, &config, &fingerprint)),
            chat_template: None,
        };
        let remembered = Remembered {
            config: settings,
            fingerprint: fingerprint.clone(),
            base: base.clone(),
            before: before.clone(),
        };
        let mut keeper = States {
            run: &run,
            voice,
            stores: config.run.checkpoint,
            program: serde_json::to_value(remembered)?,
            model_config,
            kept: Belongings { tokenizer: &tokenizer, special, about: &about },
        };
        let mut told = Told::new(&run, voice, events, &config)?;
        let outcome = match checkpoint {
            Some(checkpoint) => trainer.resume(&checkpoint, model, &mut told, &mut keeper, stop)?,
            None => trainer.run(model, &mut told, &mut keeper, stop)?,
        };
        let facts = Facts { started, data: &data, tokenizer: &tokenizer, fingerprint: &fingerprint, chosen: &chosen };
        let end =
            End { run: &run, config: &config, voice, events: &told.events, facts: &facts, preview, before: &before };
        let left = end.conclude(&outcome, &answers)?;
        let all_steps = trainer.steps();
        let events = told.events;
        Ok(Trained {
            folder: run.path().to_owned(),
            base,
            ending: outcome.ending,
            answered: left.answered,
            steps: outcome.steps,
            all_steps,
            best: outcome.best,
            events,
            scores: left.scores,
            files: left.files,
            model: outcome.model,
            config,
            data,
            tokenizer,
        })
    }
}

/// A model whose table has a row for each token of its tokenizer, of which it knew so many: new ones are the mean of
/// these.
fn grown(model: Gpt2, config: Gpt2Config, known: usize, tokens: usize) -> (Gpt2, Gpt2Config) {
    if tokens == known {
        return (model, config);
    }
    let vocab_size = config.vocab_size.max(tokens);
    (model.with_new_tokens(known, tokens), Gpt2Config { vocab_size, ..config })
}

/// Writes the entries that were left out.
fn write_left_out(run: &RunFolder, data: &Prepared) -> Result<()> {
    if !data.left_out.is_empty() {
        let lines: Vec<String> = data.left_out.iter().map(|left| left.entry.to_json(&left.origin) + "\n").collect();
        run.write(LEFT_OUT, lines.concat().as_bytes())?;
    }
    Ok(())
}

fn respondent<'a>(
    config: &RunConfig,
    model: &'a Gpt2,
    tokenizer: &'a Tokenizer,
    template: &'a Template,
) -> Respondent<'a> {
    Respondent {
        model,
        tokenizer,
        template,
        special_tokens: config.data.special_tokens,
        max_new_tokens: config.output.response_tokens,
    }
}

/// What happened in a run that is gone on with, which may have been extended.
fn past(run: &RunFolder, epochs: usize, steps: usize) -> Result<Vec<Event>> {
    let mut events = read_events(&run.join("metrics.jsonl"))?;
    if let Some(Event::Start { epochs: then, steps: of, .. }) = events.first_mut() {
        (*then, *of) = (epochs, steps);
    }
    Ok(events)
}

/// What was stored of a run.
type Stored = (Box<Checkpoint>, Remembered);

/// The folder of a run: a new one, or one whose metrics are cut back to where the run goes on.
fn open_folder(
    beginning: Beginning,
    out: Option<&Path>,
    name: impl Fn() -> String,
    config: &str,
    keeps_best: bool,
    voice: &dyn Voice,
) -> Result<(RunFolder, Option<Stored>)> {
    let (run, stored) = match (beginning, out) {
        (Beginning::New, Some(out)) => return Ok((RunFolder::create(out, config)?, None)),
        (Beginning::New, None) => return Ok((RunFolder::create_named(Path::new("runs"), &name(), config)?, None)),
        (Beginning::Again(run), _) => (run, None),
        (Beginning::Resumed(run, checkpoint, remembered), _) => (run, Some((checkpoint, remembered))),
    };
    let progress = stored.as_ref().map(|(checkpoint, _)| checkpoint.progress());
    run.cut_back(stored.as_ref().map_or(0, |(checkpoint, _)| checkpoint.metrics_bytes()))?;
    let best = progress.and_then(|progress| progress.best);
    run.settle_best(best)?;
    if let Some(best) = best.filter(|best| keeps_best && !run.has_best(*best)) {
        voice.note(&format!(
            "Note: {} is not the model of the lowest validation loss so far, {:.3} after step {}; a lower one will be kept there",
            run.join("best").display(),
            best.val_loss,
            best.step
        ));
    }
    // What extends a run is part of it from here on.
    run.write("config.toml", config.as_bytes())?;
    Ok((run, stored))
}
