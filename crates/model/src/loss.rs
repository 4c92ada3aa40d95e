use burn::tensor::{Int, Tensor, TensorData};
use gptune_kernels::head_loss;

use crate::{Gpt2, gpt2::ids_tensor};

impl Gpt2 {
    /// Mean cross-entropy over the positions that have a target, or none if no position has one.
    ///
    /// Positions without a target never reach the output head, which is a third of the work of a
    /// 124M model. A negative target means none (the data crate writes −100).
    ///
    /// # Shapes
    ///
    /// - `inputs`, `targets`: `[B, T]` row by row, with `B` = `rows`
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the lengths differ, the sequence is longer than the context, or an id is outside the
    /// vocabulary.
    #[must_use]
    pub fn loss(&self, inputs: &[u32], targets: &[i64], rows: usize) -> Option<Tensor<1>> {
        assert_eq!(inputs.len(), targets.len(), "one target for each input");
        let (positions, targets): (Vec<i64>, Vec<u32>) =
            (0..).zip(targets).filter_map(|(position, &target)| Some((position, u32::try_from(target).ok()?))).unzip();
        if targets.is_empty() {
            return None;
        }
        let device = self.device();
        let hidden = self.hidden(ids_tensor(inputs, rows, &device), None);
        let [b, t, c] = hidden.dims();
        let hidden = hidden.reshape([b * t, c]);
        let hidden = if targets.len() == b * t {
            hidden
        } else {
            let n = positions.len();
            hidden.select(0, Tensor::<1, Int>::from_data(TensorData::new(positions, [n]), &device)) // [N, C]
        };
        Some(head_loss(hidden, self.head_weight(), &targets))
    }
}
