use burn::tensor::Tensor;

use crate::{flex, operands::assert_one_kind};

/// Layer normalisation of rows (Ba, Kiros and Hinton, 2016), with the biased variance:
/// `(x − mean) / √(variance + ε) × scale + shift`.
///
/// # Shapes
///
/// - `x`: `[N, C]`
/// - `scale`, `shift`: `[C]`
/// - output: `[N, C]`
///
/// # Panics
///
/// If the shapes do not fit, or some of the tensors are under autodiff and others are not.
#[must_use]
pub fn layer_norm(x: Tensor<2>, scale: Tensor<1>, shift: Tensor<1>, epsilon: f64) -> Tensor<2> {
    assert_one_kind("layer_norm", &[("x", x.device()), ("scale", scale.device()), ("shift", shift.device())]);
    let [_, c] = x.dims();
    assert!(scale.dims() == [c] && shift.dims() == [c], "scale and shift of {c} columns");
    flex::layer_norm(&x, &scale, &shift, epsilon).unwrap_or_else(|| {
        portable!("layer_norm");
        portable_layer_norm(x, scale, shift, epsilon)
    })
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
