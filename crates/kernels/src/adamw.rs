//! AdamW (Loshchilov and Hutter, 2019) with PyTorch's arithmetic.

use burn::tensor::Tensor;

use crate::{flex, slices::AdamWStep};

/// What the first step of a parameter begins with: the parameter and two moments of zeros, of its shape. On flex all
/// three are on large pages, where what is as large as a model is read faster.
#[must_use]
pub fn adamw_start<const D: usize>(parameter: &Tensor<D>) -> [Tensor<D>; 3] {
    flex::start(parameter).unwrap_or_else(|| [parameter.clone(), parameter.zeros_like(), parameter.zeros_like()])
}

/// What the next step of a parameter goes on with, as [`adamw_start`] has it: a parameter and its moments that were
/// stored.
#[must_use]
pub fn adamw_resume<const D: usize>(tensors: [Tensor<D>; 3]) -> [Tensor<D>; 3] {
    tensors.map(|tensor| flex::on_large_pages(&tensor).unwrap_or(tensor))
}

/// One AdamW step: `[parameter, gradient, moment 1, moment 2]` to the new
/// `[parameter, moment 1, moment 2]`, all of one shape.
#[must_use]
pub fn adamw_step<const D: usize>(tensors: [Tensor<D>; 4], step: &AdamWStep) -> [Tensor<D>; 3] {
    flex::adamw_step(tensors, step).unwrap_or_else(|tensors| {
        portable!("adamw_step");
        portable_adamw_step(tensors, step)
    })
}

/// [`adamw_step`] in ordinary Burn operations: the path of every device without a fused one, and what
/// the fused one is tested against.
///
/// Not Burn's own AdamW, which computes `1 − β` in `f32`: for β₂ = 0.999 that is 2e-5 off, more than
/// everything else together.
#[must_use]
pub fn portable_adamw_step<const D: usize>(
    [parameter, gradient, moment_1, moment_2]: [Tensor<D>; 4],
    &AdamWStep { lr, betas: [beta_1, beta_2], eps, weight_decay, step, gradient_scale }: &AdamWStep,
) -> [Tensor<D>; 3] {
    let gradient = gradient * gradient_scale;
    let moment_1 = moment_1 * beta_1 + gradient.clone() * (1.0 - beta_1);
    let moment_2 = moment_2 * beta_2 + gradient.square() * (1.0 - beta_2);
    let denominator = moment_2.clone().sqrt() / (1.0 - beta_2.powi(step)).sqrt() + eps;
    let step_size = lr / (1.0 - beta_1.powi(step));
    let parameter = parameter * (1.0 - lr * weight_decay) - moment_1.clone() / denominator * step_size;
    [parameter, moment_1, moment_2]
}
