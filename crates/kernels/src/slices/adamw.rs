//! AdamW in one pass.

use pulp::Arch;
use rayon::prelude::*;

/// The numbers of one step, the same for every parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWStep {
    /// Learning rate.
    pub lr: f64,
    /// Decay rates of the first and the second moment.
    pub betas: [f64; 2],
    /// Added to the denominator.
    pub eps: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Number of this step, counting from 1.
    pub step: i32,
}

/// Elements that one task works on: 4 × 128 KiB stay in the second-level cache.
const BLOCK: usize = 1 << 15;

/// Updates parameters and moments in place from their gradient.
///
/// The order of operations is that of PyTorch's `torch.optim.AdamW` (`_single_tensor_adamw`), with
/// the step's constants computed in `f64`.
///
/// # Panics
///
/// If the slices differ in length.
#[allow(clippy::cast_possible_truncation)]
pub fn adamw(
    parameter: &mut [f32],
    gradient: &[f32],
    moment_1: &mut [f32],
    moment_2: &mut [f32],
    AdamWStep { lr, betas: [beta_1, beta_2], eps, weight_decay, step }: AdamWStep,
) {
    assert!(
        [gradient.len(), moment_1.len(), moment_2.len()] == [parameter.len(); 3],
        "parameter, gradient and moments of one length"
    );
    let decay = (1.0 - lr * weight_decay) as f32;
    let [gain_1, gain_2] = [(1.0 - beta_1) as f32, (1.0 - beta_2) as f32];
    let beta_2_f32 = beta_2 as f32;
    let step_size = (lr / (1.0 - beta_1.powi(step))) as f32;
    let correction_2 = (1.0 - beta_2.powi(step)).sqrt() as f32;
    let eps = eps as f32;
    let update = |p: &mut f32, g: f32, m: &mut f32, v: &mut f32| {
        *m += (g - *m) * gain_1;
        *v = *v * beta_2_f32 + g * g * gain_2;
        let denominator = v.sqrt() / correction_2 + eps;
        *p = *p * decay - step_size * (*m / denominator);
    };
    parameter
        .par_chunks_mut(BLOCK)
        .zip(gradient.par_chunks(BLOCK))
        .zip(moment_1.par_chunks_mut(BLOCK))
        .zip(moment_2.par_chunks_mut(BLOCK))
        .for_each(|(((p, g), m), v)| {
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    for (((p, &g), m), v) in p.iter_mut().zip(g).zip(m).zip(v) {
                        update(p, g, m, v);
                    }
                },
            );
        });
}
