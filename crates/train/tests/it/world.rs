//! The model, data and observer of these tests.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use burn::tensor::Device;
use gptune_data::{Dataset, Tokenizer};
use gptune_model::{Gpt2, Gpt2Config};
use gptune_run::{Checkpoint, Event, RunFolder, read_events};
use gptune_train::{
    Ending, ModelInput, Observer, Outcome, Prepared, Source, TrainConfig, TrainError, TrainState, Trainer,
    formula_weights,
};

/// The sizes that `fixtures/reference.py` uses.
pub(crate) fn model_config(tied: bool) -> Gpt2Config {
    Gpt2Config {
        n_layer: 2,
        n_head: 2,
        n_embd: 16,
        n_positions: 256,
        vocab_size: 50_257,
        tie_word_embeddings: tied,
        layer_norm_epsilon: 1e-5,
        dropout: 0.0,
    }
}

/// The device that the variable `BURN_DEVICE` names, or flex.
pub(crate) fn device() -> Device {
    if std::env::var_os("BURN_DEVICE").is_some() { Device::default() } else { Device::flex() }
}

/// A model with the weights of the formula in `fixtures/reference.py`.
pub(crate) fn model(tied: bool) -> Gpt2 {
    formula_weights(Gpt2::init(&model_config(tied), &device().autodiff()))
}

/// The settings that `fixtures/reference.py` uses.
pub(crate) fn config() -> TrainConfig {
    TrainConfig { lr: 1e-3, max_length: 256, ..TrainConfig::default() }
}

pub(crate) fn dataset() -> Dataset {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/data.json");
    Dataset::read(&path).unwrap()
}

/// Remembers events and kept models, and asks to stop after a step.
pub(crate) struct Recorder {
    pub events: Vec<Event>,
    /// Updates of each kept model, and whether all numbers of its embedding were finite.
    pub kept: Vec<(usize, bool)>,
    stop_after: Option<usize>,
    stop: Arc<AtomicBool>,
}

impl Observer for Recorder {
    fn event(&mut self, event: &Event) -> Result<(), TrainError> {
        if matches!(event, Event::Step { step, .. } if Some(*step) == self.stop_after) {
            self.stop.store(true, Ordering::Relaxed);
        }
        self.events.push(event.clone());
        Ok(())
    }

    fn keep(&mut self, model: &Gpt2, steps: usize) -> Result<(), TrainError> {
        let weight = model.wte.weight.val().into_data().try_to_vec::<f32>().unwrap();
        self.kept.push((steps, weight.iter().all(|x| x.is_finite())));
        Ok(())
    }
}

/// Runs the loop on the model of the formula, and asks it to stop after a step if one is given.
pub(crate) fn run(config: &TrainConfig, stop_after: Option<usize>) -> (Outcome, Recorder) {
    run_on(model(config.tie_head), config, stop_after)
}

/// The same on a model with the configuration's dropout.
pub(crate) fn run_dropping(config: &TrainConfig) -> (Outcome, Recorder) {
    let sizes = Gpt2Config { dropout: config.dropout, ..model_config(config.tie_head) };
    run_on(formula_weights(Gpt2::init(&sizes, &device().autodiff())), config, None)
}

/// Runs the loop on the model of the formula in a folder, broken off after each of these steps and gone on with from what
/// was stored: the events without times, and the embedding at the end.
pub(crate) fn run_in_pieces(config: &TrainConfig, stops: &[usize]) -> (Vec<Event>, Vec<f32>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let tokenizer = Tokenizer::gpt2().unwrap();
    let target = ModelInput { tokenizer: &tokenizer, padding: None, context: config.max_length, prompts_only: false };
    let data = Prepared::new(Source::Whole(dataset()), target, config, |_| ()).unwrap();
    let trainer = Trainer::new(config, &data, &tokenizer).unwrap();
    let sizes = Gpt2Config { dropout: config.dropout, ..model_config(config.tie_head) };
    let mut outcome = None;
    for stop_after in stops.iter().copied().map(Some).chain([None]) {
        let model = Gpt2::init(&sizes, &device().autodiff());
        let stop = AtomicBool::new(false);
        let keep = |run| Keeper { run, stop_after, stop: &stop };
        let ended = match Checkpoint::open(&path).unwrap() {
            None => {
                let mut keeper = keep(RunFolder::create(&path, "").unwrap());
                trainer.run(formula_weights(model), &mut keeper, &stop).unwrap()
            }
            Some(checkpoint) => {
                let mut keeper = keep(RunFolder::reopen(&path, checkpoint.metrics_bytes()).unwrap());
                trainer.resume(&checkpoint, model, &mut keeper, &stop).unwrap()
            }
        };
        assert_eq!(ended.ending, if stop_after.is_some() { Ending::Interrupted } else { Ending::Completed });
        outcome = Some(ended);
    }
    let outcome = outcome.unwrap();
    let mut events = read_events(&path.join("metrics.jsonl")).unwrap();
    for event in &mut events {
        match event {
            Event::Step { seconds, .. } => *seconds = 0.0,
            Event::End { seconds, peak_memory_bytes, .. } => (*seconds, *peak_memory_bytes) = (0.0, None),
            _ => {}
        }
    }
    (events, outcome.model.wte.weight.val().into_data().try_to_vec().unwrap())
}

/// Writes events and states into a run's folder, and asks to stop after a step.
struct Keeper<'a> {
    run: RunFolder,
    stop_after: Option<usize>,
    stop: &'a AtomicBool,
}

impl Observer for Keeper<'_> {
    fn event(&mut self, event: &Event) -> Result<(), TrainError> {
        if matches!(event, Event::Step { step, .. } if Some(*step) == self.stop_after) {
            self.stop.store(true, Ordering::Relaxed);
        }
        Ok(self.run.append(event)?)
    }

    fn keep(&mut self, _: &Gpt2, _: usize) -> Result<(), TrainError> {
        Ok(())
    }

    fn store(&mut self, state: &TrainState) -> Result<(), TrainError> {
        Ok(self.run.store(&state.progress(), &serde_json::Value::Null, state.tensors())?)
    }
}

fn run_on(model: Gpt2, config: &TrainConfig, stop_after: Option<usize>) -> (Outcome, Recorder) {
    let tokenizer = Tokenizer::gpt2().unwrap();
    let target = ModelInput { tokenizer: &tokenizer, padding: None, context: config.max_length, prompts_only: false };
    let data = Prepared::new(Source::Whole(dataset()), target, config, |_| ()).unwrap();
    let trainer = Trainer::new(config, &data, &tokenizer).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mut recorder = Recorder { events: Vec::new(), kept: Vec::new(), stop_after, stop: stop.clone() };
    let outcome = trainer.run(model, &mut recorder, &stop).unwrap();
    (outcome, recorder)
}
