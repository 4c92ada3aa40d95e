use burn::tensor::Tensor;

use super::{Backward, Checkpointer, Flex, FlexTensor, Gradients, Input, Ops, elements, from_vec, output, upstream};
use crate::slices::{HeadWanted, Target, head_cross_entropy};

/// [`crate::head_loss()`] on flex, or nothing for tensors elsewhere.
pub(crate) fn head_loss(hidden: &Tensor<2>, weight: &Tensor<2>, targets: &[Target]) -> Option<Tensor<1>> {
    let (dims_hidden, dims_weight) = (hidden.dims(), weight.dims());
    let (hidden, weight) = (Input::new(hidden)?, Input::new(weight)?);
    // The gradients are computed with the loss, while a chunk's logits are at hand: the backward pass
    // would have to compute them a second time.
    let want = wanted(&hidden, &weight);
    let (loss, gradients) = head_cross_entropy(hidden.elements(), weight.elements(), dims_hidden[1], targets, want);
    let state = || {
        [
            gradients.hidden.map(|gradient| from_vec(gradient, dims_hidden)),
            gradients.weight.map(|gradient| from_vec(gradient, dims_weight)),
        ]
    };
    Some(output(HeadLoss, [hidden.node, weight.node], from_vec(vec![loss], [1]), state))
}

/// The gradients that the backward pass will be asked for: none of a frozen head, nor of hidden states that
/// come from frozen layers alone.
fn wanted(hidden: &Input, weight: &Input) -> HeadWanted {
    HeadWanted { hidden: hidden.tracked, weight: weight.tracked }
}

#[derive(Debug)]
struct HeadLoss;

impl Backward<Flex, 2> for HeadLoss {
    /// Gradients of the loss with respect to the hidden states and to the weight, if they are tracked.
    type State = [Option<FlexTensor>; 2];

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let factor = elements(&upstream(grads, &ops))[0];
        for (parent, gradient) in ops.parents.into_iter().zip(ops.state) {
            if let Some(parent) = parent {
                let mut gradient = gradient.unwrap_or_else(|| unreachable!("tracked inputs have gradients"));
                // Exactly 1 is what `loss.backward()` starts from.
                if factor != 1.0 {
                    gradient.storage_mut::<f32>().iter_mut().for_each(|x| *x *= factor);
                }
                grads.register::<Flex>(parent.id, gradient);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn a_frozen_input_has_no_gradient_to_compute() {
        let device = Device::flex().autodiff();
        let input = |device: &Device, tracked| {
            let tensor = Tensor::<2>::zeros([2, 3], device);
            Input::new(&if tracked { tensor.require_grad() } else { tensor }).unwrap()
        };
        for (hidden, weight) in [(false, false), (false, true), (true, false), (true, true)] {
            let want = wanted(&input(&device, hidden), &input(&device, weight));
            assert_eq!(want, HeadWanted { hidden, weight });
        }
        let plain = Device::flex();
        assert_eq!(wanted(&input(&plain, false), &input(&plain, false)), HeadWanted::default());
        // What was computed from a tracked tensor is tracked, what was computed from frozen ones is not.
        let computed = Tensor::<2>::zeros([2, 3], &device).require_grad() * 2.0;
        assert!(Input::new(&computed).unwrap().tracked);
        assert!(!Input::new(&(Tensor::<2>::zeros([2, 3], &device) * 2.0)).unwrap().tracked);
    }
}
