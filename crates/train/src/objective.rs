//! What a run is for.

use std::{collections::BTreeMap, sync::atomic::AtomicBool};

use burn::module::Module;
use gptune_data::{Batch, OrderStream};
use gptune_model::Gpt2;
use gptune_run::Event;

use crate::{Rates, TrainError, step::Stepping};

/// What is learned from what, and how it is measured: all that differs between kinds of training. The loop is the same.
pub(crate) trait Objective {
    /// Passes over the examples.
    fn epochs(&self) -> usize;

    /// Steps of a pass.
    fn steps_per_epoch(&self) -> usize;

    /// Steps of the whole run.
    fn steps(&self) -> usize;

    /// Examples in the training and the validation part.
    fn examples(&self) -> [usize; 2];

    /// Numbers of the model that are trained.
    fn trained_numbers(&self, model: &Gpt2) -> usize {
        model.num_params()
    }

    /// How steps are taken.
    fn stepping(&self) -> Stepping;

    /// The rates of a step, counting from 0, for the parameter of a name and a number of dimensions.
    fn rates(&self, step: usize, name: &str, dimensions: usize) -> Rates;

    /// The learning rate of a step in each group of parameters that is told something of its own, where there are several.
    fn groups(&self, step: usize) -> BTreeMap<String, f64> {
        let _ = step;
        BTreeMap::new()
    }

    /// Whether steps draw random numbers, and then the seed of the run.
    fn dropout_seed(&self) -> Option<u32>;

    /// When the state of the run is stored; none for never.
    fn cadence(&self) -> Option<Cadence>;

    /// Starts a pass over the examples: their order.
    fn start_epoch(&self, order: &mut OrderStream) -> Vec<usize>;

    /// The batches of a step, counting from 0 within its epoch.
    fn batches(&self, permutation: &[usize], step: usize) -> Vec<Batch>;

    /// Whether models are kept along the way: the first one, and that of every epoch.
    fn keeps_along(&self) -> bool;

    /// Losses before the first step, of a model on a device with autodiff.
    fn initial_losses(&self, model: &Gpt2, stop: &AtomicBool) -> Evaluated;

    /// The same after a step, counting from 0, whose own loss is `loss`.
    fn losses(&self, step: usize, loss: f64, model: &Gpt2, order: &mut OrderStream, stop: &AtomicBool) -> Evaluated;

    /// Whether the model of the lowest validation loss is kept.
    fn keeps_best(&self) -> bool {
        false
    }

    /// Evaluations without a lower validation loss that end the run; 0 is none.
    fn patience(&self) -> usize {
        0
    }

    /// A look at the model after an epoch.
    ///
    /// # Errors
    ///
    /// If its text cannot be made.
    fn sample(&self, model: &Gpt2, epoch: usize) -> Result<Option<Event>, TrainError>;

    /// The model as it is given away.
    fn finished(&self, model: Gpt2) -> Gpt2 {
        model
    }

    /// Whether the finished model is measured.
    fn measures_at_the_end(&self) -> bool {
        false
    }

    /// The losses of the finished model, after this many steps; none if somebody asked to stop.
    fn final_losses(&self, model: &Gpt2, steps: usize, stop: &AtomicBool) -> Option<Event>;
}

/// When the state of a run is stored, beside the end of each epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cadence {
    /// After this many steps; 0 is never.
    pub steps: usize,
    /// After this many seconds; 0 is never.
    pub seconds: f64,
    /// After the last step, because something long follows, or somebody may extend the run.
    pub at_the_end: bool,
}

/// What came of an evaluation.
pub(crate) enum Evaluated {
    /// None is wanted.
    Not,
    /// Somebody asked to stop.
    Stopped,
    /// On the training and on the validation part.
    Losses(f64, f64),
}
