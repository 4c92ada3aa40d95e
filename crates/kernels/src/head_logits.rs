use burn::tensor::Tensor;

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
/// If the shapes do not fit.
#[must_use]
pub fn head_logits(hidden: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    hidden.matmul(weight.transpose())
}
