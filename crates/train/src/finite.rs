use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::Tensor,
};
use gptune_data::Batch;
use gptune_model::Gpt2;

use crate::{Packing, step::supervised};

/// Whether every parameter of a model is a finite number.
#[must_use]
pub fn is_finite(model: &Gpt2) -> bool {
    let mut check = Check(true);
    model.visit(&mut check);
    check.0
}

/// Whether a model is worth keeping: its parameters are finite, and so is its loss on a batch, which
/// parameters that are merely enormous do not give.
pub(crate) fn is_usable(model: &Gpt2, batch: &Batch) -> bool {
    let loss = supervised(batch, Packing::default()).map(|batch| model.loss(&batch).into_scalar::<f32>());
    is_finite(model) && loss.is_none_or(f32::is_finite)
}

struct Check(bool);

impl ModuleVisitor for Check {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        // A sum is finite only if all of its terms are.
        self.0 = self.0 && param.val().sum().into_scalar::<f32>().is_finite();
    }
}
