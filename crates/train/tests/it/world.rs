//! The model, data and observer of these tests.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::{Device, Tensor},
};
use gptune_data::{CorpusOptions, Dataset, Records, Template, Tokenizer};
use gptune_model::{Gpt2, Gpt2Config};
use gptune_run::{Best, Checkpoint, Event, RunError, RunFolder, Sink, read_events};
use gptune_train::{
    DataConfig, Ending, Keeper, LoopConfig, ModelInput, OptimConfig, Outcome, Prepared, Source, TrainError, TrainState,
    Trainer, formula_weights,
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

/// All that a test may set.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    pub data: DataConfig,
    pub optim: OptimConfig,
    pub run: LoopConfig,
    pub tie_head: bool,
}

impl Settings {
    /// The same but for what `change` changes.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// The settings that `fixtures/reference.py` uses.
pub(crate) fn config() -> Settings {
    Settings::default().with(|s| {
        s.optim.lr = 1e-3;
        s.data.max_length = 256;
    })
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/data.json")
}

pub(crate) fn dataset() -> Dataset {
    Dataset::read(&data()).unwrap()
}

fn prepared(config: &Settings, tokenizer: &Tokenizer) -> Prepared {
    let (template, context) = (Template::default(), config.data.max_length);
    let target =
        ModelInput { tokenizer, template: &template, padding: None, context, reading: CorpusOptions::default() };
    let records = Records::open(&data().display().to_string()).unwrap();
    Prepared::new(Source::Whole(records), &target, &config.data, |_| ()).unwrap()
}

/// Remembers events and kept models.
#[derive(Default)]
pub(crate) struct Recorder {
    pub events: Vec<Event>,
    /// Updates of each kept model, and whether all numbers of its embedding were finite.
    pub kept: Vec<(usize, bool)>,
    /// The best models.
    pub best: Vec<Best>,
}

impl Keeper for Recorder {
    fn keep(&mut self, model: &Gpt2, steps: usize) -> Result<(), TrainError> {
        let weight = model.wte.weight.val().into_data().try_to_vec::<f32>().unwrap();
        self.kept.push((steps, weight.iter().all(|x| x.is_finite())));
        Ok(())
    }

    fn keep_best(&mut self, _: &Gpt2, best: Best) -> Result<(), TrainError> {
        self.best.push(best);
        Ok(())
    }
}

/// Remembers events, and asks to stop after a step.
struct Listener {
    events: Vec<Event>,
    stop_after: Option<usize>,
    stop: Arc<AtomicBool>,
}

impl Sink for Listener {
    fn event(&mut self, event: &Event) -> Result<(), RunError> {
        if matches!(event, Event::Step { step, .. } if Some(*step) == self.stop_after) {
            self.stop.store(true, Ordering::Relaxed);
        }
        self.events.event(event)
    }
}

/// Runs the loop on the model of the formula, and asks it to stop after a step if one is given.
pub(crate) fn run(config: &Settings, stop_after: Option<usize>) -> (Outcome, Recorder) {
    run_on(model(config.tie_head), config, stop_after)
}

/// The same on a model with the configuration's dropout.
pub(crate) fn run_dropping(config: &Settings) -> (Outcome, Recorder) {
    let sizes = Gpt2Config { dropout: config.run.dropout, ..model_config(config.tie_head) };
    run_on(formula_weights(Gpt2::init(&sizes, &device().autodiff())), config, None)
}

/// What a run leaves: its events without times, the best models in their order, and all numbers of the last model.
type Pieces = (Vec<Event>, Vec<Best>, Vec<u32>);

/// Runs the loop on the model of the formula in a folder, broken off after each of these steps and gone on with from what
/// was stored, as often as there are stops.
pub(crate) fn run_in_pieces(config: &Settings, stops: &[usize]) -> Pieces {
    let tokenizer = Tokenizer::gpt2().unwrap();
    let data = prepared(config, &tokenizer);
    let trainer = Trainer::new(&config.optim, &config.run, &data, &tokenizer).unwrap();
    let sizes = Gpt2Config { dropout: config.run.dropout, ..model_config(config.tie_head) };
    in_pieces(stops, |checkpoint, sink, keeper, stop| {
        let model = Gpt2::init(&sizes, &device().autodiff());
        match checkpoint {
            None => trainer.run(formula_weights(model), sink, keeper, stop).unwrap(),
            Some(checkpoint) => trainer.resume(checkpoint, model, sink, keeper, stop).unwrap(),
        }
    })
}

/// The same for any training, which `part` begins or goes on with.
pub(crate) fn in_pieces(
    stops: &[usize],
    part: impl Fn(Option<&Checkpoint>, &mut dyn Sink, &mut dyn Keeper, &AtomicBool) -> Outcome,
) -> Pieces {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let (mut outcome, mut best) = (None, Vec::new());
    for stop_after in stops.iter().copied().map(Some).chain([None]) {
        let stop = AtomicBool::new(false);
        let checkpoint = Checkpoint::open(&path).unwrap();
        let run = match &checkpoint {
            None => RunFolder::create(&path, "").unwrap(),
            Some(checkpoint) => {
                let run = RunFolder::reopen(&path).unwrap();
                run.cut_back(checkpoint.metrics_bytes()).unwrap();
                run
            }
        };
        let mut sink = Writer { run: &run, stop_after, stop: &stop };
        let ended = part(checkpoint.as_ref(), &mut sink, &mut States(&run, &mut best), &stop);
        assert_eq!(ended.ending == Ending::Interrupted, stop_after.is_some(), "{:?}", ended.ending);
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
    (events, best, numbers(&outcome.model))
}

/// The numbers of all parameters, bit by bit.
fn numbers(model: &Gpt2) -> Vec<u32> {
    struct Numbers(Vec<u32>);
    impl ModuleVisitor for Numbers {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.extend(param.val().into_data().try_to_vec::<f32>().unwrap().into_iter().map(f32::to_bits));
        }
    }
    let mut numbers = Numbers(Vec::new());
    model.visit(&mut numbers);
    numbers.0
}

/// Writes events into a run's folder, and asks to stop after a step.
struct Writer<'a> {
    run: &'a RunFolder,
    stop_after: Option<usize>,
    stop: &'a AtomicBool,
}

impl Sink for Writer<'_> {
    fn event(&mut self, event: &Event) -> Result<(), RunError> {
        if matches!(event, Event::Step { step, .. } if Some(*step) == self.stop_after) {
            self.stop.store(true, Ordering::Relaxed);
        }
        self.run.append(event)
    }
}

/// Stores states in a run's folder, and remembers the best models.
struct States<'a>(&'a RunFolder, &'a mut Vec<Best>);

impl Keeper for States<'_> {
    fn keep(&mut self, _: &Gpt2, _: usize) -> Result<(), TrainError> {
        Ok(())
    }

    fn keep_best(&mut self, _: &Gpt2, best: Best) -> Result<(), TrainError> {
        self.1.push(best);
        Ok(())
    }

    fn store(&mut self, state: &TrainState) -> Result<(), TrainError> {
        Ok(self.0.store(&state.progress(), &serde_json::Value::Null, state.tensors())?)
    }
}

fn run_on(model: Gpt2, config: &Settings, stop_after: Option<usize>) -> (Outcome, Recorder) {
    let tokenizer = Tokenizer::gpt2().unwrap();
    let data = prepared(config, &tokenizer);
    let trainer = Trainer::new(&config.optim, &config.run, &data, &tokenizer).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mut listener = Listener { events: Vec::new(), stop_after, stop: stop.clone() };
    let mut recorder = Recorder::default();
    let outcome = trainer.run(model, &mut listener, &mut recorder, &stop).unwrap();
    (outcome, Recorder { events: listener.events, ..recorder })
}
