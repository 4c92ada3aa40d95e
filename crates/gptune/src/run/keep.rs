//! What is kept of a run while it goes on.

use std::path::Path;

use gptune_model::{Gpt2, Gpt2Config};
use gptune_run::{Best, Csv, Event, RunError, RunFolder, Sink, TensorBoard};
use gptune_train::{Keeper, TrainError, TrainState};
use gptune_weights::Precision;
use serde_json::Value;

use super::notes;
use crate::{
    RunConfig, Voice,
    folder::{Belongings, write_folder},
};

/// Takes note of what happens, in the run's folder and for whoever listens.
pub(super) struct Told<'a> {
    pub voice: &'a dyn Voice,
    pub events: Vec<Event>,
    /// Files that are written as things happen.
    files: Vec<Box<dyn Sink + 'a>>,
    pub book_losses: Option<[f64; 2]>,
}

impl<'a> Told<'a> {
    /// Tells of a run, after what happened in it so far.
    pub fn new(
        run: &'a RunFolder,
        voice: &'a dyn Voice,
        events: Vec<Event>,
        config: &RunConfig,
    ) -> Result<Self, RunError> {
        // First what can be gone on with.
        let mut files: Vec<Box<dyn Sink>> =
            vec![Box::new(Metrics(run)), Box::new(Csv::create(&run.join("metrics.csv"), &events)?)];
        if config.output.tensorboard {
            files.push(Box::new(TensorBoard::create(&run.join("tensorboard"), &events)?));
        }
        if let Some(start @ Event::Start { .. }) = events.first() {
            voice.event(start);
        }
        Ok(Self { voice, events, files, book_losses: notes::book_losses(config) })
    }
}

/// `metrics.jsonl`.
struct Metrics<'a>(&'a RunFolder);

impl Sink for Metrics<'_> {
    fn event(&mut self, event: &Event) -> Result<(), RunError> {
        self.0.append(event)
    }
}

impl Sink for Told<'_> {
    fn event(&mut self, event: &Event) -> Result<(), RunError> {
        self.files.iter_mut().try_for_each(|file| file.event(event))?;
        self.voice.event(event);
        if let (Event::Initial { .. }, Some([train, val])) = (event, self.book_losses) {
            self.voice.say(&format!("The book's PyTorch prints: Train loss {train:.3}, Val loss {val:.3}\n"));
        }
        self.events.event(event)
    }
}

/// Keeps models and states in the run's folder.
pub(super) struct States<'a> {
    pub run: &'a RunFolder,
    pub voice: &'a dyn Voice,
    /// Whether states are stored.
    pub stores: bool,
    /// What is stored beside the state of the training.
    pub program: Value,
    pub model_config: Gpt2Config,
    pub kept: Belongings<'a>,
}

impl States<'_> {
    fn write(&self, model: &Gpt2, folder: &Path) -> Result<(), TrainError> {
        // Dropout belongs to the run, not to the model that comes out of it.
        let config = Gpt2Config { dropout: 0.0, ..self.model_config.clone() };
        write_folder(model, &config, self.kept, folder, Precision::F32)
            .map_err(|error| TrainError::Keeper(error.into()))
    }
}

impl Keeper for States<'_> {
    fn keep(&mut self, model: &Gpt2, _steps: usize) -> Result<(), TrainError> {
        self.write(model, &self.run.join("model"))
    }

    fn keep_best(&mut self, model: &Gpt2, best: Best) -> Result<(), TrainError> {
        self.run.keep_best(best, self.stores, |folder| self.write(model, folder))
    }

    fn store(&mut self, state: &TrainState) -> Result<(), TrainError> {
        if let Err(error) = self.run.store(&state.progress(), &self.program, state.tensors()) {
            self.voice.note(&format!("Note: {error}; the run goes on, and what was stored before stays"));
        }
        Ok(())
    }
}
