use burn::tensor::Tensor;

use crate::flex;

/// Layer normalisation of rows (Ba, Kiros and Hinton, 2016), with the biased variance:
/// `(x − mean) / √(variance + ε) × scale + shift`.
///
/// # Shapes
///
/// - `x`: `[N, C]`
/// - `scale`, `shift`: `[C]`
/// - output: `[N, C]`
#[must_use]
pub fn layer_norm(x: Tensor<2>, scale: Tensor<1>, shift: Tensor<1>, epsilon: f64) -> Tensor<2> {
    flex::layer_norm(&x, &scale, &shift, epsilon).unwrap_or_else(|| portable_layer_norm(x, scale, shift, epsilon))
}

/// [`layer_norm()`] in ordinary Burn operations.
///
/// # Shapes
///
/// As [`layer_norm()`].
#[must_use]
pub fn portable_layer_norm(x: Tensor<2>, scale: Tensor<1>, shift: Tensor<1>, epsilon: f64) -> Tensor<2> {
    burn::tensor::module::layer_norm(x, scale, Some(shift), epsilon)
}
