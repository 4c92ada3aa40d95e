//! The output head and the loss.

use burn::tensor::{Int, Tensor, TensorData, activation::log_softmax};

use crate::{embedding::indices, flex, operands::assert_one_kind, precision::product, slices::Target};

/// The weighted sum of the targets' cross-entropies under the next-token logits
/// `hidden × weightᵀ`. Weights of `1 / targets` make it the mean.
///
/// Rows without a target cost nothing; a row with several is computed once. The gradient of a frozen operand is
/// not computed.
///
/// # Shapes
///
/// - `hidden`: `[N, C]`
/// - `weight`: `[V, C]`, as in GPT-2's `wte` and `lm_head`
/// - `targets`: at least one, sorted by row, with rows below `N` and ids below `V`
/// - output: `[1]`
///
/// # Panics
///
/// If the shapes do not fit, the targets are none, not sorted, or outside the matrices, or one tensor is under
/// autodiff and the other is not.
#[must_use]
pub fn head_loss(hidden: Tensor<2>, weight: Tensor<2>, targets: &[Target]) -> Tensor<1> {
    let [n, c] = hidden.dims();
    let [v, c_weight] = weight.dims();
    assert_one_kind("head_loss", &[("hidden", hidden.device()), ("weight", weight.device())]);
    assert!(!targets.is_empty() && c == c_weight, "hidden [{n}, {c}], weight [{v}, {c_weight}]");
    assert!(targets.iter().all(|target| (target.id as usize) < v), "targets below {v}");
    assert!(targets.iter().all(|target| (target.row as usize) < n), "rows below {n}");
    assert!(targets.is_sorted_by_key(|target| target.row), "targets sorted by row");
    flex::head_loss(&hidden, &weight, targets).unwrap_or_else(|| {
        portable!("head_loss");
        portable_head_loss(hidden, weight, targets)
    })
}

/// [`head_loss()`] in ordinary Burn operations: the path of every device without a fused one, and
/// what the fused one is tested against.
///
/// # Shapes
///
/// As [`head_loss()`].
#[must_use]
#[allow(clippy::needless_pass_by_value)] // the signature of `head_loss`
pub fn portable_head_loss(hidden: Tensor<2>, weight: Tensor<2>, targets: &[Target]) -> Tensor<1> {
    let rows: Vec<&[Target]> = targets.chunk_by(|a, b| a.row == b.row).collect();
    let losses = rows.chunks(ROWS).map(|rows| loss_of_rows(&hidden, &weight, rows));
    losses.reduce(|sum, loss| sum + loss).unwrap_or_else(|| unreachable!("there is at least one target"))
}

/// Rows whose logits are one tensor: 256 × 50,257 logits are 51 MB, and adapters of graphics APIs take
/// buffers of at least 128 MiB.
const ROWS: usize = 256;

/// The loss of some rows, each given by its targets.
fn loss_of_rows(hidden: &Tensor<2>, weight: &Tensor<2>, targets: &[&[Target]]) -> Tensor<1> {
    let device = hidden.device();
    let [n, _] = hidden.dims();
    let [v, _] = weight.dims();
    let rows: Vec<u32> = targets.iter().map(|targets| targets[0].row).collect();
    let picked: Vec<i64> = (0..)
        .zip(targets)
        .flat_map(|(row, targets)| targets.iter().map(move |target| (row, i64::from(target.id))))
        .map(|(row, id): (usize, i64)| i64::try_from(row * v).unwrap_or(i64::MAX) + id)
        .collect();
    let weights: Vec<f32> = targets.iter().flat_map(|targets| *targets).map(|target| target.weight).collect();
    let hidden = hidden.clone();
    let hidden = if rows.len() == n { hidden } else { hidden.select(0, indices(&rows, &device)) }; // [R, C]
    let logits = product(hidden, weight.clone().transpose()); // [R, V]
    let log_probabilities = log_softmax(logits, 1).reshape([rows.len() * v]);
    let count = weights.len();
    let picked = Tensor::<1, Int>::from_data(TensorData::new(picked, [count]), &device);
    let weights = Tensor::<1>::from_data(TensorData::new(weights, [count]), &device);
    (log_probabilities.select(0, picked) * weights).sum().neg()
}
