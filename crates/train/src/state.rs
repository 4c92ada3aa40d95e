//! Everything of a run that changes.

use gptune_data::{Order, OrderStream};
use gptune_model::Gpt2;

use crate::{Optimizer, precision::LossScale};

/// Everything of a run that changes: what can be kept and gone on with.
#[derive(Debug)]
pub struct TrainState {
    /// The model, on a device with autodiff.
    pub model: Gpt2,
    /// Moments and their time.
    pub optimizer: Optimizer,
    /// Of products in `f16`.
    pub(crate) loss_scale: Option<LossScale>,
    /// What orders are drawn from.
    pub(crate) order: OrderStream,
    /// What the orders of evaluations are drawn from, where that shall not matter for training.
    pub(crate) evaluation_order: Option<OrderStream>,
    /// Counting from 1.
    pub(crate) epoch: usize,
    /// The order of the examples in this epoch.
    pub(crate) permutation: Vec<usize>,
    /// Steps taken in this epoch.
    pub(crate) in_epoch: usize,
    /// Steps taken.
    pub(crate) step: usize,
    /// Steps that were taken when the last evaluation was made, or found to be none.
    pub(crate) evaluated: usize,
    /// Steps that updated something.
    pub(crate) updates: usize,
    /// Padded training tokens.
    pub(crate) tokens_seen: usize,
    /// Loss of the newest step.
    pub(crate) loss: f64,
    /// Duration so far, in seconds.
    pub(crate) seconds: f64,
}

impl TrainState {
    /// The state before the first step.
    pub(crate) fn new(model: Gpt2, optimizer: Optimizer, loss_scale: Option<LossScale>, order: OrderStream) -> Self {
        // In PyTorch's order evaluations draw from the same stream; in the others they shall not matter.
        let evaluation_order = (order.order() != Order::Torch).then(|| order.clone());
        Self {
            model,
            optimizer,
            loss_scale,
            order,
            evaluation_order,
            epoch: 1,
            permutation: Vec::new(),
            in_epoch: 0,
            step: 0,
            evaluated: 0,
            updates: 0,
            tokens_seen: 0,
            loss: f64::NAN,
            seconds: 0.0,
        }
    }

    /// Steps taken.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.step
    }
}
