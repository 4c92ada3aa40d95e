//! What happens in a run.

use std::path::Path;

use gptune_model::Gpt2;
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// Something that happened. One line of `metrics.jsonl` each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// The run is about to begin.
    Start {
        /// Passes over the training part.
        epochs: usize,
        /// Optimizer steps of one pass.
        steps_per_epoch: usize,
        /// Optimizer steps of the whole run.
        steps: usize,
        /// Trained numbers.
        parameters: usize,
        /// Examples in the training part.
        train_examples: usize,
        /// Examples in the validation part.
        val_examples: usize,
    },
    /// Losses before the first step.
    Initial {
        /// Mean of the batch losses of the first training batches.
        train_loss: f64,
        /// Mean of the batch losses of the first validation batches.
        val_loss: f64,
    },
    /// An optimizer step.
    Step {
        /// Counting from 1.
        epoch: usize,
        /// Counting from 0 over the whole run.
        step: usize,
        /// Mean cross-entropy of the batch, before the update.
        loss: f64,
        /// Learning rate.
        lr: f64,
        /// The examples' own tokens.
        tokens: usize,
        /// Rows times width of the batch.
        padded_tokens: usize,
        /// Duration.
        seconds: f64,
    },
    /// An evaluation after a step.
    Eval {
        /// Counting from 1.
        epoch: usize,
        /// The step it follows, counting from 0.
        step: usize,
        /// Padded training tokens up to and with that step.
        tokens_seen: usize,
        /// As in `Initial`.
        train_loss: f64,
        /// As in `Initial`.
        val_loss: f64,
    },
    /// A continuation of the first validation prompt, after an epoch.
    Sample {
        /// Counting from 1.
        epoch: usize,
        /// Prompt and continuation.
        ids: Vec<u32>,
        /// The same as text.
        text: String,
    },
    /// The run is over.
    End {
        /// Duration of the whole run, evaluations and samples included.
        seconds: f64,
        /// Most memory the process held, where the system tells.
        peak_memory_bytes: Option<u64>,
    },
}

/// Somebody who wants to know, and who keeps models worth keeping.
pub trait Observer {
    /// Takes note of an event.
    ///
    /// # Errors
    ///
    /// [`TrainError::Observer`] or [`TrainError::Write`] ends the run.
    fn event(&mut self, event: &Event) -> Result<(), TrainError>;

    /// Keeps a model: the starting one, that of every finished epoch, and the last one. Each
    /// replaces the one before. `steps` counts the updates it has seen.
    ///
    /// # Errors
    ///
    /// As [`Observer::event`].
    fn keep(&mut self, model: &Gpt2, steps: usize) -> Result<(), TrainError>;
}

/// Reads the events of a `metrics.jsonl`.
///
/// # Errors
///
/// [`TrainError::Metrics`] with the line that is none.
pub fn read_events(path: &Path) -> Result<Vec<Event>, TrainError> {
    let fault = |line, problem: String| TrainError::Metrics { path: path.to_owned(), line, problem };
    let text = std::fs::read_to_string(path).map_err(|error| fault(1, error.to_string()))?;
    let events = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    events
        .map(|(index, line)| serde_json::from_str(line).map_err(|error| fault(index + 1, error.to_string())))
        .collect()
}
