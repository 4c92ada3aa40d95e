//! How runs end.

use std::fmt;

use burn::module::Module;
use gptune_data::Batch;
use gptune_model::Gpt2;
use gptune_run::Best;

use crate::finite::is_usable;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Every step was taken.
    Completed,
    /// The validation loss has not become lower for as many evaluations as were to be waited for.
    OutOfPatience,
    /// Somebody asked to stop.
    Interrupted,
    /// Something was no number any more; the model of the last [`Keeper::keep`](crate::Keeper::keep) is the last good one.
    NotFinite(NotFinite),
}

impl Ending {
    /// Whether the run is over as it was meant to be.
    #[must_use]
    pub fn is_regular(self) -> bool {
        matches!(self, Self::Completed | Self::OutOfPatience)
    }
}

/// What was no finite number. Steps count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotFinite {
    /// The loss before the first step.
    Start,
    /// The loss of a step.
    Step(usize),
    /// The loss of the evaluation after a step.
    Evaluation(usize),
    /// A parameter, or the loss that the model has with it, after a step.
    Model(usize),
    /// The gradients of a step in `f16`, however little the loss was scaled.
    Gradients(usize),
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("the loss before training is not a number"),
            Self::Step(step) => write!(f, "the loss of step {step} is not a number"),
            Self::Evaluation(step) => write!(f, "the loss of the evaluation after step {step} is not a number"),
            Self::Model(step) => write!(f, "the model that step {step} left is not made of finite numbers"),
            Self::Gradients(step) => {
                write!(f, "the gradients of step {step} are not finite in f16, however little the loss is scaled")
            }
        }
    }
}

/// What a run leaves.
#[derive(Debug)]
pub struct Outcome {
    /// The model, on a plain device.
    pub model: Gpt2,
    /// How it ended.
    pub ending: Ending,
    /// Updates made: steps, less those that updated nothing.
    pub steps: usize,
    /// The lowest validation loss that an evaluation after a step found.
    pub best: Option<Best>,
}

impl Outcome {
    /// The outcome after the step `last`. No loss has been computed since: that of
    /// its own batch tells whether the model is one to keep.
    pub(crate) fn new(
        model: &Gpt2,
        ending: Ending,
        updates: usize,
        best: Option<Best>,
        last: Option<(usize, &Batch)>,
    ) -> Self {
        let model = model.valid();
        let broken = last.filter(|(_, batch)| !is_usable(&model, batch));
        let ending = broken.map_or(ending, |(step, _)| Ending::NotFinite(NotFinite::Model(step)));
        Self { model, ending, steps: updates, best }
    }
}
