//! Output head and cross-entropy in one go, a chunk of rows at a time.

use rayon::prelude::*;

use super::{Matrix, exp, matmul, simd::vectorized};

/// Rows whose logits are held at once: 128 × 50,257 logits are 26 MB. Fewer rows make the products
/// less efficient, more rows cost memory and gain nothing.
const CHUNK: usize = 128;

/// Gradients of the mean loss.
#[derive(Debug, Clone)]
pub struct HeadGradients {
    /// With respect to the hidden states, `[N, C]`.
    pub hidden: Vec<f32>,
    /// With respect to the head's weight, `[V, C]`.
    pub weight: Vec<f32>,
}

/// Mean cross-entropy of `softmax(hidden × weightᵀ)` against `targets`, and its gradients if
/// `gradients` are wanted.
///
/// `hidden` is `[N, C]`, `weight` is `[V, C]`, and there are `N ≥ 1` targets below `V`. Sums over
/// rows are kept in `f64`.
///
/// # Panics
///
/// If the shapes do not fit or a target is not below `V`.
#[must_use]
pub fn head_cross_entropy(
    hidden: &[f32],
    weight: &[f32],
    targets: &[u32],
    gradients: bool,
) -> (f32, Option<HeadGradients>) {
    let n = targets.len();
    assert!(n > 0, "a loss needs at least one target");
    let c = hidden.len() / n;
    let v = weight.len() / c.max(1);
    let weight_matrix = Matrix::new(weight, v, c);
    let scale = 1.0 / n as f32;

    let mut grads =
        gradients.then(|| HeadGradients { hidden: vec![0.0; hidden.len()], weight: vec![0.0; weight.len()] });
    let mut logits = vec![0.0; CHUNK.min(n) * v];
    let mut loss = 0.0;
    for (chunk, (hidden, targets)) in hidden.chunks(CHUNK * c).zip(targets.chunks(CHUNK)).enumerate() {
        let rows = targets.len();
        let logits = &mut logits[..rows * v];
        let hidden = Matrix::new(hidden, rows, c);
        matmul(logits, hidden, weight_matrix.transposed(), false);
        let losses: Vec<f64> = logits
            .par_chunks_mut(v)
            .zip(targets)
            .map(|(row, &target)| {
                let target = target as usize;
                vectorized(
                    #[inline(always)]
                    || f64::from(row_loss(row, target, gradients.then_some(scale))),
                )
            })
            .collect();
        loss += losses.iter().sum::<f64>();
        if let Some(HeadGradients { hidden: d_hidden, weight: d_weight }) = &mut grads {
            let d_logits = Matrix::new(logits, rows, v);
            let start = chunk * CHUNK * c;
            matmul(&mut d_hidden[start..start + rows * c], d_logits, weight_matrix, false);
            matmul(d_weight, d_logits.transposed(), hidden, chunk > 0);
        }
    }
    #[allow(clippy::cast_possible_truncation)]
    let mean = (loss / n as f64) as f32;
    (mean, grads)
}

/// Accumulators side by side, so that compilers use full vector registers.
const LANES: usize = 32;

/// The loss of one row of logits. With `scale`, the row becomes the gradient of `scale` times it:
/// `scale × (softmax − one-hot)`.
#[inline(always)]
fn row_loss(logits: &mut [f32], target: usize, scale: Option<f32>) -> f32 {
    let target_logit = logits[target];
    let max = fold_lanes(logits, f32::NEG_INFINITY, |max, x| if x > max { x } else { max })
        .into_iter()
        .fold(f32::NEG_INFINITY, f32::max);
    let sum = if let Some(scale) = scale {
        let mut sums = [0.0_f32; LANES];
        for chunk in logits.chunks_mut(LANES) {
            for (sum, x) in sums.iter_mut().zip(chunk) {
                *x = exp(*x - max);
                *sum += *x;
            }
        }
        let sum = total(&sums);
        #[allow(clippy::cast_possible_truncation)]
        let factor = (f64::from(scale) / sum) as f32;
        for x in logits.iter_mut() {
            *x *= factor;
        }
        logits[target] -= scale;
        sum
    } else {
        total(&fold_lanes(logits, 0.0, |sum, x| sum + exp(x - max)))
    };
    #[allow(clippy::cast_possible_truncation)]
    let log_sum = sum.ln() as f32;
    log_sum + max - target_logit
}

#[inline(always)]
fn fold_lanes(values: &[f32], start: f32, f: impl Fn(f32, f32) -> f32) -> [f32; LANES] {
    let mut lanes = [start; LANES];
    for chunk in values.chunks(LANES) {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = f(*lane, x);
        }
    }
    lanes
}

#[inline(always)]
fn total(lanes: &[f32; LANES]) -> f64 {
    lanes.iter().map(|&lane| f64::from(lane)).sum()
}
