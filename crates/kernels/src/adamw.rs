//! AdamW as a Burn optimizer.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use burn::{
    optim::{AdamWState, AdaptiveMomentumState, LearningRate, Optimizer},
    tensor::{Device, Tensor},
};

use crate::{flex, slices::AdamWStep};

/// AdamW (Loshchilov and Hutter, 2019) with PyTorch's defaults and PyTorch's arithmetic.
///
/// Its state is Burn's own, so parameter groups, schedulers and records keep working.
#[derive(Debug, Clone)]
pub struct AdamW {
    /// Decay rates of the first and the second moment.
    pub betas: [f64; 2],
    /// Added to the denominator.
    pub eps: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// What the next step multiplies gradients by, in the same pass.
    pub gradient_scale: GradientScale,
}

/// A factor that a training loop may set before each step, as clipping does.
#[derive(Debug, Clone)]
pub struct GradientScale(Arc<AtomicU32>);

impl Default for GradientScale {
    fn default() -> Self {
        Self(Arc::new(AtomicU32::new(1.0_f32.to_bits())))
    }
}

impl GradientScale {
    /// Sets the factor, for all clones.
    pub fn set(&self, factor: f32) {
        self.0.store(factor.to_bits(), Ordering::Relaxed);
    }

    /// The factor.
    #[must_use]
    pub fn get(&self) -> f32 {
        f32::from_bits(self.0.load(Ordering::Relaxed))
    }
}

impl Default for AdamW {
    /// The defaults of `torch.optim.AdamW`.
    fn default() -> Self {
        Self { betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.01, gradient_scale: GradientScale::default() }
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
        let (tensor, state) = if let Some(state) = state {
            (tensor, state.momentum)
        } else {
            let [tensor, moment_1, moment_2] =
                flex::start(&tensor).unwrap_or_else(|| [tensor.clone(), tensor.zeros_like(), tensor.zeros_like()]);
            (tensor, AdaptiveMomentumState::new(0, moment_1, moment_2))
        };
        let time = state.time + 1;
        let step = AdamWStep {
            lr,
            betas: self.betas,
            eps: self.eps,
            weight_decay: self.weight_decay,
            step: i32::try_from(time).unwrap_or(i32::MAX),
            gradient_scale: self.gradient_scale.get(),
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
