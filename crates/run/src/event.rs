//! What happens in a run.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};

use crate::RunError;

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
        #[serde(deserialize_with = "number")]
        train_loss: f64,
        /// Mean of the batch losses of the first validation batches.
        #[serde(deserialize_with = "number")]
        val_loss: f64,
    },
    /// An optimizer step.
    Step {
        /// Counting from 1.
        epoch: usize,
        /// Counting from 0 over the whole run.
        step: usize,
        /// Mean cross-entropy of the batch, before the update.
        #[serde(deserialize_with = "number")]
        loss: f64,
        /// Learning rate.
        lr: f64,
        /// The same of each group of parameters, where there are several.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        groups: BTreeMap<String, f64>,
        /// The examples' own tokens.
        tokens: usize,
        /// Rows times width of the batch.
        padded_tokens: usize,
        /// Duration.
        seconds: f64,
        /// The norm of all gradients together, before clipping; known where something asked for it: clipping, or the
        /// loss scale of `f16`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grad_norm: Option<f64>,
        /// What the loss was multiplied by while gradients were computed, in `f16`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        loss_scale: Option<f64>,
        /// Whether the gradients were not finite under that scale, so that nothing was updated.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        skipped: bool,
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
        #[serde(deserialize_with = "number")]
        train_loss: f64,
        /// As in `Initial`.
        #[serde(deserialize_with = "number")]
        val_loss: f64,
    },
    /// The evaluation after the last step of a run that was not broken off, on the batches of `Initial`.
    Final {
        /// The last step, counting from 0.
        step: usize,
        /// As in `Initial`.
        #[serde(deserialize_with = "number")]
        train_loss: f64,
        /// As in `Initial`.
        #[serde(deserialize_with = "number")]
        val_loss: f64,
        /// Mean over the targets of the same validation batches, whatever batch they are in.
        #[serde(deserialize_with = "number")]
        val_token_loss: f64,
        /// `exp` of that.
        #[serde(deserialize_with = "number")]
        val_perplexity: f64,
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
        /// Whether somebody asked to stop before the last step.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        interrupted: bool,
        /// Whether it ended before the last step because the validation loss had not become lower for long enough.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        out_of_patience: bool,
        /// What was no finite number, if that ended it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
    },
}

/// A number that JSON has no word for is null, and reads back as NaN.
fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// Reads the events of a `metrics.jsonl`.
///
/// # Errors
///
/// [`RunError::Metrics`] with the line that is none.
pub fn read_events(path: &Path) -> Result<Vec<Event>, RunError> {
    let fault = |line, problem: String| RunError::Metrics { path: path.to_owned(), line, problem };
    let text = std::fs::read_to_string(path).map_err(|error| fault(1, error.to_string()))?;
    let events = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    events
        .map(|(index, line)| serde_json::from_str(line).map_err(|error| fault(index + 1, error.to_string())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_that_is_no_number_is_null_and_reads_back() {
        let event = Event::Eval { epoch: 1, step: 5, tokens_seen: 10, train_loss: f64::NAN, val_loss: 1.5 };
        let line = serde_json::to_string(&event).unwrap();
        assert!(line.contains("\"train_loss\":null"), "{line}");
        let Event::Eval { train_loss, val_loss, .. } = serde_json::from_str(&line).unwrap() else { panic!("{line}") };
        assert!(train_loss.is_nan() && val_loss == 1.5);
    }

    #[test]
    fn what_does_not_concern_a_step_is_not_written() {
        let line =
            r#"{"event":"step","epoch":1,"step":0,"loss":2.5,"lr":0.1,"tokens":3,"padded_tokens":4,"seconds":0.5}"#;
        let event: Event = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), line);
    }
}
