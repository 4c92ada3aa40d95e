//! AdamW in one pass.

use rayon::prelude::*;

use super::simd::{LANES, vectorized};

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
    /// What gradients are multiplied by first: 1, or less to clip them.
    pub gradient_scale: f32,
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
/// If the slices differ in length, or the step is not counted from 1: there is none to correct for, and
/// every number would become NaN.
pub fn adamw(parameter: &mut [f32], gradient: &[f32], moment_1: &mut [f32], moment_2: &mut [f32], step: AdamWStep) {
    assert!(
        [gradient.len(), moment_1.len(), moment_2.len()] == [parameter.len(); 3],
        "parameter, gradient and moments of one length"
    );
    assert!(step.step > 0, "step {} of AdamW, which counts from 1", step.step);
    let constants = Constants::from(step);
    parameter
        .par_chunks_mut(BLOCK)
        .zip(gradient.par_chunks(BLOCK))
        .zip(moment_1.par_chunks_mut(BLOCK))
        .zip(moment_2.par_chunks_mut(BLOCK))
        .for_each(|(((p, g), m), v)| {
            vectorized(
                #[inline(always)]
                || {
                    for (((p, &g), m), v) in p.iter_mut().zip(g).zip(m.iter_mut()).zip(v.iter_mut()) {
                        constants.update(p, g, m, v);
                    }
                },
            );
        });
}

/// The sum of the squares of `values`; blocks are added in `f64`.
#[must_use]
pub fn squared_norm(values: &[f32]) -> f64 {
    let blocks: Vec<f64> = values
        .par_chunks(BLOCK)
        .map(|block| {
            vectorized(
                #[inline(always)]
                || {
                    let mut lanes = [0.0_f32; LANES];
                    let (chunks, rest) = block.as_chunks::<LANES>();
                    for chunk in chunks {
                        for (lane, &x) in lanes.iter_mut().zip(chunk) {
                            *lane = x.mul_add(x, *lane);
                        }
                    }
                    lanes.iter().chain(&[rest.iter().map(|x| x * x).sum()]).map(|&sum| f64::from(sum)).sum()
                },
            )
        })
        .collect();
    blocks.iter().sum()
}

/// What a step multiplies and adds, rounded to `f32` once.
#[derive(Clone, Copy)]
struct Constants {
    decay: f32,
    gain_1: f32,
    beta_2: f32,
    gain_2: f32,
    step_size: f32,
    correction_2: f32,
    eps: f32,
    gradient_scale: f32,
}

impl From<AdamWStep> for Constants {
    #[allow(clippy::cast_possible_truncation)]
    fn from(AdamWStep { lr, betas: [beta_1, beta_2], eps, weight_decay, step, gradient_scale }: AdamWStep) -> Self {
        Self {
            decay: (1.0 - lr * weight_decay) as f32,
            gain_1: (1.0 - beta_1) as f32,
            beta_2: beta_2 as f32,
            gain_2: (1.0 - beta_2) as f32,
            step_size: (lr / (1.0 - beta_1.powi(step))) as f32,
            correction_2: (1.0 - beta_2.powi(step)).sqrt() as f32,
            eps: eps as f32,
            gradient_scale,
        }
    }
}

impl Constants {
    #[inline(always)]
    fn update(&self, p: &mut f32, g: f32, m: &mut f32, v: &mut f32) {
        let g = g * self.gradient_scale;
        *m += (g - *m) * self.gain_1;
        *v = *v * self.beta_2 + g * g * self.gain_2;
        let denominator = v.sqrt() / self.correction_2 + self.eps;
        *p = *p * self.decay - self.step_size * (*m / denominator);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: AdamWStep =
        AdamWStep { lr: 0.1, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.0, step: 1, gradient_scale: 1.0 };

    #[test]
    #[should_panic(expected = "of one length")]
    fn slices_of_other_lengths_panic() {
        adamw(&mut [0.0; 3], &[0.0; 3], &mut [0.0; 2], &mut [0.0; 3], STEP);
    }

    #[test]
    #[should_panic(expected = "step 0 of AdamW")]
    fn a_step_counted_from_0_panics() {
        adamw(&mut [0.0; 3], &[0.0; 3], &mut [0.0; 3], &mut [0.0; 3], AdamWStep { step: 0, ..STEP });
    }

    /// Every element counts: of a whole block, of one that is not whole, and beside the lanes.
    #[test]
    fn a_norm_misses_no_element() {
        for length in [0, 1, LANES - 1, LANES, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + LANES + 7] {
            // Whole numbers, so that every sum is exact.
            let values: Vec<f32> = (0..length).map(|i| (i % 5) as f32 - 2.0).collect();
            let want: f64 = values.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
            assert_eq!(squared_norm(&values), want, "{length}");
            for place in (0..length).step_by(1009).chain(length.checked_sub(1)) {
                let mut values = vec![0.0; length];
                values[place] = 3.0;
                assert_eq!(squared_norm(&values), 9.0, "element {place} of {length}");
            }
        }
    }
}
