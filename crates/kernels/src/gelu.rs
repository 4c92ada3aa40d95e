use burn::tensor::{Tensor, activation::gelu_approximate};

use crate::flex;

/// The tanh-approximated GELU (Hendrycks and Gimpel, 2016), GPT-2's.
///
/// # Shapes
///
/// - `x`: `[N, C]`
/// - output: `[N, C]`
#[must_use]
pub fn gelu(x: Tensor<2>) -> Tensor<2> {
    flex::gelu(&x).unwrap_or_else(|| {
        portable!("gelu");
        portable_gelu(x)
    })
}

/// [`gelu()`] in ordinary Burn operations.
///
/// # Shapes
///
/// As [`gelu()`].
#[must_use]
pub fn portable_gelu(x: Tensor<2>) -> Tensor<2> {
    gelu_approximate(x)
}
