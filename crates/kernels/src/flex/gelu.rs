use burn::tensor::Tensor;

use super::{Backward, Checkpointer, Flex, FlexTensor, Gradients, Input, Ops, elements, from_vec, output, upstream};
use crate::slices;

/// [`crate::gelu()`] on flex, or nothing for tensors elsewhere.
pub(crate) fn gelu(x: &Tensor<2>) -> Option<Tensor<2>> {
    let dims = x.dims();
    let x = Input::new(x)?;
    let mut out = vec![0.0; x.elements().len()];
    slices::gelu(x.elements(), &mut out);
    Some(output(Gelu, [x.node], from_vec(out, dims), || x.data))
}

#[derive(Debug)]
struct Gelu;

impl Backward<Flex, 1> for Gelu {
    /// The input.
    type State = FlexTensor;

    fn backward(self, ops: Ops<FlexTensor, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let mut gradient = upstream(grads, &ops);
        let [x] = ops.parents;
        if let Some(x) = x {
            slices::gelu_backward(elements(&ops.state), gradient.storage_mut::<f32>());
            grads.register::<Flex>(x.id, gradient);
        }
    }
}
