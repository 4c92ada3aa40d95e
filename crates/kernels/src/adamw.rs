//! AdamW as a Burn optimizer.

use burn::{
    optim::{AdamWState, AdaptiveMomentumState, LearningRate, Optimizer},
    tensor::{Device, Tensor},
};

use crate::{flex, slices::AdamWStep};

/// AdamW (Loshchilov and Hutter, 2019) with PyTorch's defaults and PyTorch's arithmetic.
///
/// Its state is Burn's own, so parameter groups, schedulers and records keep working.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// Decay rates of the first and the second moment.
    pub betas: [f64; 2],
    /// Added to the denominator.
    pub eps: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
}

impl Default for AdamW {
    /// The defaults of `torch.optim.AdamW`.
    fn default() -> Self {
        Self { betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.01 }
    }
}

impl Optimizer for AdamW {
    type State<const D: usize> = AdamWState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<AdamWState<D>>,
    ) -> (Tensor<D>, Option<AdamWState<D>>) {
        let state = state.map_or_else(
            || AdaptiveMomentumState::new(0, tensor.zeros_like(), tensor.zeros_like()),
            |state| state.momentum,
        );
        let time = state.time + 1;
        let step = AdamWStep {
            lr,
            betas: self.betas,
            eps: self.eps,
            weight_decay: self.weight_decay,
            step: i32::try_from(time).unwrap_or(i32::MAX),
        };
        let [tensor, moment_1, moment_2] = adamw_step([tensor, grad, state.moment_1, state.moment_2], &step);
        (tensor, Some(AdamWState::new(AdaptiveMomentumState::new(time, moment_1, moment_2))))
    }

    fn to_device<const D: usize>(mut state: AdamWState<D>, device: &Device) -> AdamWState<D> {
        state.momentum = state.momentum.to_device(device);
        state
    }
}

/// One AdamW step: `[parameter, gradient, moment 1, moment 2]` to the new
/// `[parameter, moment 1, moment 2]`, all of one shape.
#[must_use]
pub fn adamw_step<const D: usize>(tensors: [Tensor<D>; 4], step: &AdamWStep) -> [Tensor<D>; 3] {
    flex::adamw_step(tensors, step).unwrap_or_else(|tensors| portable_adamw_step(tensors, step))
}

/// [`adamw_step`] in ordinary Burn operations: the path of every device without a fused one, and what
/// the fused one is tested against.
///
/// Not Burn's own AdamW, which computes `1 − β` in `f32`: for β₂ = 0.999 that is 2e-5 off, more than
/// everything else together.
#[must_use]
pub fn portable_adamw_step<const D: usize>(
    [parameter, gradient, moment_1, moment_2]: [Tensor<D>; 4],
    &AdamWStep { lr, betas: [beta_1, beta_2], eps, weight_decay, step }: &AdamWStep,
) -> [Tensor<D>; 3] {
    let moment_1 = moment_1 * beta_1 + gradient.clone() * (1.0 - beta_1);
    let moment_2 = moment_2 * beta_2 + gradient.square() * (1.0 - beta_2);
    let denominator = moment_2.clone().sqrt() / (1.0 - beta_2.powi(step)).sqrt() + eps;
    let step_size = lr / (1.0 - beta_1.powi(step));
    let parameter = parameter * (1.0 - lr * weight_decay) - moment_1.clone() / denominator * step_size;
    [parameter, moment_1, moment_2]
}
