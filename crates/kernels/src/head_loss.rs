//! The output head and the loss.

use burn::tensor::{Int, Tensor, TensorData, activation::log_softmax};

use crate::flex;

/// Mean cross-entropy of the next-token logits `hidden × weightᵀ` against `targets`.
///
/// Pass only the rows that have a target: a row that is ignored costs as much as one that counts.
///
/// # Shapes
///
/// - `hidden`: `[N, C]`, `N ≥ 1`
/// - `weight`: `[V, C]`, as in GPT-2's `wte` and `lm_head`
/// - `targets`: `N` ids below `V`
/// - output: `[1]`
///
/// # Panics
///
/// If the shapes do not fit, `N` is 0, or a target is not below `V`.
#[must_use]
pub fn head_loss(hidden: Tensor<2>, weight: Tensor<2>, targets: &[u32]) -> Tensor<1> {
    let [n, c] = hidden.dims();
    let [v, c_weight] = weight.dims();
    assert!(n > 0 && n == targets.len() && c == c_weight, "hidden [{n}, {c}], weight [{v}, {c_weight}]");
    assert!(targets.iter().all(|&target| (target as usize) < v), "targets below {v}");
    flex::head_loss(&hidden, &weight, targets).unwrap_or_else(|| portable_head_loss(hidden, weight, targets))
}

/// [`head_loss()`] in ordinary Burn operations: the path of every device without a fused one, and
/// what the fused one is tested against.
///
/// # Shapes
///
/// As [`head_loss()`].
#[must_use]
pub fn portable_head_loss(hidden: Tensor<2>, weight: Tensor<2>, targets: &[u32]) -> Tensor<1> {
    let ids: Vec<i64> = targets.iter().map(|&target| i64::from(target)).collect();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [targets.len(), 1]), &hidden.device());
    let logits = hidden.matmul(weight.transpose()); // [N, V]
    log_softmax(logits, 1).gather(1, ids).mean().neg()
}
