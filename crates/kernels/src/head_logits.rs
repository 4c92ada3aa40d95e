use burn::tensor::Tensor;

use crate::{flex, operands::assert_one_kind, precision::product};

/// Next-token logits `hidden × weightᵀ`.
///
/// # Shapes
///
/// - `hidden`: `[N, C]`
/// - `weight`: `[V, C]`, as in GPT-2's `wte` and `lm_head`
/// - output: `[N, V]`
///
/// # Panics
///
/// If the shapes do not fit, or one tensor is under autodiff and the other is not.
#[must_use]
pub fn head_logits(hidden: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    assert_one_kind("head_logits", &[("hidden", hidden.device()), ("weight", weight.device())]);
    flex::head_logits(&hidden, &weight).unwrap_or_else(|| {
        portable!("head_logits");
        portable_head_logits(hidden, weight)
    })
}

/// [`head_logits()`] in ordinary Burn operations.
///
/// # Shapes
///
/// As [`head_logits()`].
#[must_use]
pub fn portable_head_logits(hidden: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    product(hidden, weight.transpose())
}
