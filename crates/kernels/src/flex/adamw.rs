use burn::{backend::Flex, tensor::Tensor};

use super::{elements, from_vec, into_vec, plain};
use crate::slices::{
    AdamWStep, adamw,
    buffers::{self, large_zeros},
};

/// A parameter as it is and two moments of zeros, all on large pages, or nothing for tensors elsewhere.
pub(crate) fn start<const D: usize>(parameter: &Tensor<D>) -> Option<[Tensor<D>; 3]> {
    let shape = parameter.dims();
    let copy = on_large_pages(parameter)?;
    let zeros = || Tensor::from_primitive::<Flex>(from_vec(large_zeros(shape.iter().product()), shape));
    Some([copy, zeros(), zeros()])
}

/// A tensor's numbers on large pages, or nothing for a tensor elsewhere.
pub(crate) fn on_large_pages<const D: usize>(tensor: &Tensor<D>) -> Option<Tensor<D>> {
    let (shape, tensor) = (tensor.dims(), plain(tensor)?);
    let mut copy = large_zeros(elements(&tensor).len());
    copy.copy_from_slice(elements(&tensor));
    Some(Tensor::from_primitive::<Flex>(from_vec(copy, shape)))
}

/// [`crate::adamw_step`] on flex, or the tensors back for the portable path.
///
/// Buffers that nothing else refers to are updated in place; shared ones are copied first.
#[allow(clippy::result_large_err)] // the tensors themselves, handed back
pub(crate) fn adamw_step<const D: usize>(
    tensors: [Tensor<D>; 4],
    step: &AdamWStep,
) -> Result<[Tensor<D>; 3], [Tensor<D>; 4]> {
    let [Some(mut parameter), Some(gradient), Some(mut moment_1), Some(mut moment_2)] = tensors.each_ref().map(plain)
    else {
        return Err(tensors);
    };
    // The handles held by `tensors` would make every buffer a shared one.
    drop(tensors);
    adamw(
        parameter.storage_mut::<f32>(),
        elements(&gradient),
        moment_1.storage_mut::<f32>(),
        moment_2.storage_mut::<f32>(),
        *step,
    );
    let capacity = gradient.data_arc().capacity() / size_of::<f32>();
    if buffers::is_marked(elements(&gradient).len(), capacity) && gradient.is_unique() {
        buffers::give_back(into_vec(gradient));
    }
    Ok([parameter, moment_1, moment_2].map(Tensor::from_primitive::<Flex>))
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution};

    use super::*;
    use crate::{Target, head_loss, linear, release_buffers};

    const WIDTH: usize = 300;
    const STEP: AdamWStep =
        AdamWStep { lr: 0.1, betas: [0.9, 0.99], eps: 1e-8, weight_decay: 0.1, step: 1, gradient_scale: 1.0 };

    /// Gradients of a layer's weight and of a head's, in buffers both, and of the layer's bias.
    fn gradients() -> (Tensor<2>, [Tensor<2>; 2]) {
        let device = Device::flex().autodiff();
        let random = |rows| Tensor::<2>::random([rows, WIDTH], Distribution::Default, &device);
        let (weight, head) = (random(WIDTH).require_grad(), random(2 * WIDTH).require_grad());
        let mixed = linear(random(70), weight.clone(), Tensor::zeros([WIDTH], &device));
        let grads = head_loss(mixed, head.clone(), &[Target { row: 3, id: 5, weight: 1.0 }]).backward();
        (weight.clone().inner(), [weight.grad(&grads).unwrap(), head.grad(&grads).unwrap()])
    }

    #[test]
    fn after_a_step_whose_gradients_are_dropped_nothing_is_retained() {
        let _alone = buffers::alone();
        drop(gradients());
        // The logits of the head.
        assert!(buffers::held_bytes() > 0);
        release_buffers();
        assert_eq!(buffers::held_bytes(), 0);
    }

    #[test]
    fn a_gradient_that_was_used_is_kept_until_the_training_ends() {
        let _alone = buffers::alone();
        let (parameter, [gradient, head]) = gradients();
        release_buffers();
        let zeros = || parameter.zeros_like();
        let shared = gradient.clone();
        let _ = adamw_step([parameter.clone(), gradient, zeros(), zeros()], &STEP).unwrap();
        assert_eq!(buffers::held_bytes(), 0, "somebody else has the gradient");
        let _ = adamw_step([parameter.clone(), shared, zeros(), zeros()], &STEP).unwrap();
        let held = buffers::held_bytes();
        assert!(held >= WIDTH * WIDTH * 4, "{held}");
        // A gradient that Burn has made.
        let _ = adamw_step([parameter.clone(), parameter.ones_like(), zeros(), zeros()], &STEP).unwrap();
        drop(head);
        assert_eq!(buffers::held_bytes(), held);
        release_buffers();
        assert_eq!(buffers::held_bytes(), 0);
    }
}
