use burn::tensor::Tensor;
use gptune_kernels::{Target, head_loss};

use crate::{Gpt2, Supervised};

impl Gpt2 {
    /// The weighted cross-entropy of a batch's targets: with [`Supervised::mean`], their mean.
    ///
    /// Positions without a target never reach the output head, which is a third of the work of a
    /// 124M model.
    ///
    /// Sequences that share a prefix share its dropout too; with dropout, pack them without.
    ///
    /// # Shapes
    ///
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If a sequence is longer than the context, or an id is outside the vocabulary.
    #[must_use]
    pub fn loss(&self, batch: &Supervised) -> Tensor<1> {
        self.loss_of(self.hidden(&batch.packed), &batch.targets)
    }

    /// The weighted cross-entropy of some targets, from hidden states that [`Gpt2::hidden`] gave.
    ///
    /// # Shapes
    ///
    /// - `hidden`: `[N, C]`
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If there is no target, or one is outside the rows or the vocabulary.
    #[must_use]
    pub fn loss_of(&self, hidden: Tensor<2>, targets: &[Target]) -> Tensor<1> {
        head_loss(hidden, self.head_weight(), targets)
    }
}
