//! Output head and cross-entropy in one go, a chunk of rows at a time.

use rayon::prelude::*;

use super::{
    Matrix, MatrixMut, Onto, buffers, exp, matmul,
    simd::{LANES, vectorized},
};

/// Most rows whose logits are held at once: 320 × 50,257 logits are 64 MB. Each chunk reads the
/// whole weight and, with gradients, reads and writes the weight's; more rows cost memory and gain
/// nothing.
const CHUNK: usize = 320;

/// A token that a row shall predict.
///
/// A row may have several targets: a prefix that sequences share is continued differently by each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// Row of the hidden states.
    pub row: u32,
    /// The token.
    pub id: u32,
    /// What its loss is multiplied by; `1 / targets` makes the mean.
    pub weight: f32,
}

/// Gradients of the loss.
#[derive(Debug, Clone)]
pub struct HeadGradients {
    /// With respect to the hidden states, `[N, C]`.
    pub hidden: Vec<f32>,
    /// With respect to the head's weight, `[V, C]`.
    pub weight: Vec<f32>,
}

/// The weighted sum of the targets' cross-entropies under `softmax(hidden × weightᵀ)`, and its
/// gradients if they are wanted.
///
/// `hidden` is `[N, C]`, `weight` is `[V, C]`; `targets` are sorted by row. Rows without a target
/// cost nothing. Sums over rows are kept in `f64`.
///
/// # Panics
///
/// If the shapes do not fit, targets are not sorted, or a target is outside the matrices.
#[must_use]
pub fn head_cross_entropy(
    hidden: &[f32],
    weight: &[f32],
    width: usize,
    targets: &[Target],
    gradients: bool,
) -> (f32, Option<HeadGradients>) {
    let (c, v) = (width, weight.len() / width);
    assert!(targets.is_sorted_by_key(|target| target.row), "targets sorted by row");
    let rows: Vec<&[Target]> = targets.chunk_by(|a, b| a.row == b.row).collect();
    let weight_matrix = Matrix::new(weight, v, c);
    let chunk = rows.len().div_ceil(rows.len().div_ceil(CHUNK).max(1)).max(1);

    let mut grads =
        gradients.then(|| HeadGradients { hidden: vec![0.0; hidden.len()], weight: buffers::take(weight.len()) });
    let mut logits = buffers::take(CHUNK * v);
    let (mut gathered, mut d_gathered) = (Vec::new(), Vec::new());
    let mut loss = 0.0;
    for (index, rows) in rows.chunks(chunk).enumerate() {
        let n = rows.len();
        let logits = &mut logits[..n * v];
        gathered.clear();
        for targets in rows {
            gathered.extend_from_slice(&hidden[targets[0].row as usize * c..][..c]);
        }
        let hidden = Matrix::new(&gathered, n, c);
        matmul(MatrixMut::new(logits, n, v), hidden, weight_matrix.transposed(), Onto::Zero);
        let losses: Vec<f64> = logits
            .par_chunks_mut(v)
            .zip(rows)
            .map(|(row, targets)| {
                vectorized(
                    #[inline(always)]
                    || row_loss(row, targets, gradients),
                )
            })
            .collect();
        loss += losses.iter().sum::<f64>();
        if let Some(HeadGradients { hidden: d_hidden, weight: d_weight }) = &mut grads {
            let d_logits = Matrix::new(logits, n, v);
            let onto = if index == 0 { Onto::Zero } else { Onto::Output };
            matmul(MatrixMut::new(d_weight, v, c), d_logits.transposed(), hidden, onto);
            d_gathered.resize(n * c, 0.0);
            matmul(MatrixMut::new(&mut d_gathered, n, c), d_logits, weight_matrix, Onto::Zero);
            for (targets, d_row) in rows.iter().zip(d_gathered.chunks_exact(c)) {
                d_hidden[targets[0].row as usize * c..][..c].copy_from_slice(d_row);
            }
        }
    }
    buffers::give_back(logits);
    #[allow(clippy::cast_possible_truncation)]
    (loss as f32, grads)
}

/// The loss of one row of logits. With `gradient`, the row becomes the gradient of it:
/// `Σ weight × (softmax − one-hot)` over its targets.
#[inline(always)]
#[allow(clippy::cast_possible_truncation)]
fn row_loss(logits: &mut [f32], targets: &[Target], gradient: bool) -> f64 {
    let max = fold_lanes(logits, f32::NEG_INFINITY, |max, x| if x > max { x } else { max })
        .into_iter()
        .fold(f32::NEG_INFINITY, f32::max);
    let total_weight: f64 = targets.iter().map(|target| f64::from(target.weight)).sum();
    let target_logits: f64 =
        targets.iter().map(|target| f64::from(target.weight) * f64::from(logits[target.id as usize])).sum();
    let sum = if gradient {
        let mut sums = [0.0_f32; LANES];
        for chunk in logits.chunks_mut(LANES) {
            for (sum, x) in sums.iter_mut().zip(chunk) {
                *x = exp(*x - max);
                *sum += *x;
            }
        }
        let sum = total(&sums);
        let factor = (total_weight / sum) as f32;
        for x in logits.iter_mut() {
            *x *= factor;
        }
        for target in targets {
            logits[target.id as usize] -= target.weight;
        }
        sum
    } else {
        total(&fold_lanes(logits, 0.0, |sum, x| sum + exp(x - max)))
    };
    total_weight * (sum.ln() + f64::from(max)) - target_logits
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
