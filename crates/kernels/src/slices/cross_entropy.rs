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

/// Which gradients of the loss are computed: each takes a product as large as that of the logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeadWanted {
    /// With respect to the hidden states.
    pub hidden: bool,
    /// With respect to the head's weight.
    pub weight: bool,
}

/// Gradients of the loss, those that were wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadGradients {
    /// With respect to the hidden states, `[N, C]`.
    pub hidden: Option<Vec<f32>>,
    /// With respect to the head's weight, `[V, C]`.
    pub weight: Option<Vec<f32>>,
}

/// The weighted sum of the targets' cross-entropies under `softmax(hidden × weightᵀ)`, and the
/// gradients that are wanted; no gradient depends on whether the other is computed.
///
/// `hidden` is `[N, C]`, `weight` is `[V, C]` and `width` is `C`; `targets` are sorted by row. Rows
/// without a target cost nothing. Sums over rows are kept in `f64`.
///
/// # Panics
///
/// If the shapes do not fit, `width` is 0, targets are not sorted, or a target is outside the matrices.
#[must_use]
pub fn head_cross_entropy(
    hidden: &[f32],
    weight: &[f32],
    width: usize,
    targets: &[Target],
    want: HeadWanted,
) -> (f32, HeadGradients) {
    assert!(width > 0, "hidden states of 0 columns");
    let (c, v, n) = (width, weight.len() / width, hidden.len() / width);
    assert!(hidden.len() == n * c && weight.len() == v * c, "hidden states and weight of {c} columns");
    assert!(targets.is_sorted_by_key(|target| target.row), "targets sorted by row");
    assert!(targets.iter().all(|target| (target.row as usize) < n), "rows below {n}");
    assert!(targets.iter().all(|target| (target.id as usize) < v), "targets below {v}");
    let rows: Vec<&[Target]> = targets.chunk_by(|a, b| a.row == b.row).collect();
    let weight_matrix = Matrix::new(weight, v, c);
    let chunk = rows.len().div_ceil(rows.len().div_ceil(CHUNK).max(1)).max(1);

    let mut d_hidden = want.hidden.then(|| vec![0.0; hidden.len()]);
    let mut d_weight = want.weight.then(|| buffers::take(weight.len()));
    if let Some(d_weight) = &mut d_weight
        && rows.is_empty()
    {
        d_weight.fill(0.0);
    }
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
                    || row_loss(row, targets, want != HeadWanted::default()),
                )
            })
            .collect();
        loss += losses.iter().sum::<f64>();
        let d_logits = Matrix::new(logits, n, v);
        if let Some(d_weight) = &mut d_weight {
            let onto = if index == 0 { Onto::Zero } else { Onto::Output };
            matmul(MatrixMut::new(d_weight, v, c), d_logits.transposed(), hidden, onto);
        }
        if let Some(d_hidden) = &mut d_hidden {
            d_gathered.resize(n * c, 0.0);
            matmul(MatrixMut::new(&mut d_gathered, n, c), d_logits, weight_matrix, Onto::Zero);
            for (targets, d_row) in rows.iter().zip(d_gathered.chunks_exact(c)) {
                d_hidden[targets[0].row as usize * c..][..c].copy_from_slice(d_row);
            }
        }
    }
    buffers::give_back(logits);
    #[allow(clippy::cast_possible_truncation)]
    (loss as f32, HeadGradients { hidden: d_hidden, weight: d_weight })
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

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: HeadWanted = HeadWanted { hidden: true, weight: true };

    fn numbers(n: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 7919 % 101) as f32 - 50.0) / 50.0).collect()
    }

    fn target(row: u32, id: u32) -> Target {
        Target { row, id, weight: 0.5 }
    }

    #[test]
    fn only_the_wanted_gradients_are_computed_and_are_the_same_bit_by_bit() {
        // More rows than one chunk.
        let (n, c, v) = (CHUNK + 3, 5, 11);
        let (hidden, weight) = (numbers(n * c), numbers(v * c));
        let targets: Vec<Target> = (0..u32::try_from(n).unwrap()).map(|row| target(row, row % 11)).collect();
        let run = |want| head_cross_entropy(&hidden, &weight, c, &targets, want);
        let (loss, both) = run(BOTH);
        assert!(both.hidden.is_some() && both.weight.is_some());
        let frozen_head = (loss, HeadGradients { weight: None, ..both.clone() });
        assert!(run(HeadWanted { weight: false, ..BOTH }) == frozen_head, "a frozen head");
        let frozen_hidden = (loss, HeadGradients { hidden: None, ..both });
        assert!(run(HeadWanted { hidden: false, ..BOTH }) == frozen_hidden, "frozen hidden states");
        let frozen = (loss, HeadGradients { hidden: None, weight: None });
        assert!(run(HeadWanted::default()) == frozen, "everything frozen");
    }

    #[test]
    fn without_targets_all_gradients_are_0() {
        let _alone = buffers::alone();
        // Of a size whose memory is used again.
        let (c, v) = (1000, 150);
        let mut used = buffers::take(c * v);
        used.fill(f32::NAN);
        buffers::give_back(used);
        let (loss, gradients) = head_cross_entropy(&numbers(c), &numbers(v * c), c, &[], BOTH);
        assert_eq!(loss, 0.0);
        assert!(gradients.hidden.unwrap().iter().chain(&gradients.weight.unwrap()).all(|&x| x == 0.0));
    }

    #[test]
    #[should_panic(expected = "hidden states of 0 columns")]
    fn no_columns_panic() {
        let _ = head_cross_entropy(&[], &[], 0, &[], BOTH);
    }

    #[test]
    #[should_panic(expected = "of 3 columns")]
    fn rows_that_are_not_whole_panic() {
        let _ = head_cross_entropy(&[0.0; 7], &[0.0; 6], 3, &[], BOTH);
    }

    #[test]
    #[should_panic(expected = "targets below 2")]
    fn a_target_outside_the_weight_panics() {
        let _ = head_cross_entropy(&[0.0; 6], &[0.0; 6], 3, &[target(0, 2)], BOTH);
    }

    #[test]
    #[should_panic(expected = "rows below 2")]
    fn a_row_outside_the_hidden_states_panics() {
        let _ = head_cross_entropy(&[0.0; 6], &[0.0; 6], 3, &[target(2, 0)], BOTH);
    }

    #[test]
    #[should_panic(expected = "targets sorted by row")]
    fn targets_that_are_not_sorted_panic() {
        let _ = head_cross_entropy(&[0.0; 6], &[0.0; 6], 3, &[target(1, 0), target(0, 0)], BOTH);
    }
}
