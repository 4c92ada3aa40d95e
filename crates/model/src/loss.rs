use burn::tensor::Tensor;
use gptune_kernels::head_loss;

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
        head_loss(self.hidden(&batch.packed), self.head_weight(), &batch.targets)
    }
}
