use burn::{
    backend::{
        Flex,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::NoCheckpointing},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
    },
    tensor::Tensor,
};

use super::{AutodiffFlex, FlexTensor, Input, elements, from_vec, upstream};
use crate::slices::{HeadGradients, Target, head_cross_entropy};

/// [`crate::head_loss()`] on flex, or nothing for tensors elsewhere.
pub(crate) fn head_loss(hidden: &Tensor<2>, weight: &Tensor<2>, targets: &[Target]) -> Option<Tensor<1>> {
    let (dims_hidden, dims_weight) = (hidden.dims(), weight.dims());
    let Input { data: hidden, node: hidden_node } = Input::new(hidden)?;
    let Input { data: weight, node: weight_node } = Input::new(weight)?;
    let compute =
        |gradients| head_cross_entropy(elements(&hidden), elements(&weight), dims_hidden[1], targets, gradients);
    let (Some(hidden_node), Some(weight_node)) = (hidden_node, weight_node) else {
        return Some(Tensor::from_primitive::<Flex>(from_vec(vec![compute(false).0], [1])));
    };
    let output = match HeadLoss.prepare::<NoCheckpointing>([hidden_node, weight_node]).compute_bound().stateful() {
        OpsKind::Tracked(operation) => {
            // The gradients are computed with the loss, while a chunk's logits are at hand: the
            // backward pass would have to compute them a second time.
            let (loss, gradients) = compute(true);
            let HeadGradients { hidden, weight } =
                gradients.unwrap_or_else(|| unreachable!("gradients were asked for"));
            let state = [from_vec(hidden, dims_hidden), from_vec(weight, dims_weight)];
            operation.finish(state, from_vec(vec![loss], [1]))
        }
        OpsKind::UnTracked(operation) => operation.finish(from_vec(vec![compute(false).0], [1])),
    };
    Some(Tensor::from_primitive::<AutodiffFlex>(output))
}

#[derive(Debug)]
struct HeadLoss;

impl Backward<Flex, 2> for HeadLoss {
    /// Gradients of the loss with respect to the hidden states and to the weight.
    type State = [FlexTensor; 2];

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let factor = elements(&upstream(grads, &ops))[0];
        for (parent, mut gradient) in ops.parents.into_iter().zip(ops.state) {
            if let Some(parent) = parent {
                // Exactly 1 is what `loss.backward()` starts from.
                if factor != 1.0 {
                    gradient.storage_mut::<f32>().iter_mut().for_each(|x| *x *= factor);
                }
                grads.register::<Flex>(parent.id, gradient);
            }
        }
    }
}
