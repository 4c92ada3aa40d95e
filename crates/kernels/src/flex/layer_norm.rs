use std::sync::Arc;

use burn::tensor::Tensor;

use super::{Backward, Checkpointer, Flex, FlexTensor, Gradients, Input, Ops, elements, from_vec, output, upstream};
use crate::slices::{self, LayerNormGradients, Moments};

/// [`crate::layer_norm()`] on flex, or nothing for tensors elsewhere.
pub(crate) fn layer_norm(x: &Tensor<2>, scale: &Tensor<1>, shift: &Tensor<1>, epsilon: f64) -> Option<Tensor<2>> {
    let dims = x.dims();
    let (x, scale, shift) = (Input::new(x)?, Input::new(scale)?, Input::new(shift)?);
    let mut out = vec![0.0; x.elements().len()];
    #[allow(clippy::cast_possible_truncation)]
    let epsilon = epsilon as f32;
    let moments = slices::layer_norm(x.elements(), scale.elements(), shift.elements(), epsilon, &mut out);
    let state = State { x: x.data, scale: scale.data, moments: moments.into() };
    Some(output(LayerNorm, [x.node, scale.node, shift.node], from_vec(out, dims), || state))
}

#[derive(Debug)]
struct LayerNorm;

#[derive(Debug, Clone)]
struct State {
    x: FlexTensor,
    scale: FlexTensor,
    moments: Arc<[Moments]>,
}

impl Backward<Flex, 3> for LayerNorm {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let mut gradient = upstream(grads, &ops);
        let [x, scale, shift] = ops.parents;
        let state = ops.state;
        if scale.is_some() || shift.is_some() {
            let LayerNormGradients { scale: d_scale, shift: d_shift } =
                slices::layer_norm_parameters_backward(elements(&state.x), &state.moments, elements(&gradient));
            let c = d_scale.len();
            for (parent, gradient) in [(scale, d_scale), (shift, d_shift)] {
                if let Some(parent) = parent {
                    grads.register::<Flex>(parent.id, from_vec(gradient, [c]));
                }
            }
        }
        if let Some(x) = x {
            let d = gradient.storage_mut::<f32>();
            slices::layer_norm_backward(elements(&state.x), elements(&state.scale), &state.moments, d);
            grads.register::<Flex>(x.id, gradient);
        }
    }
}
