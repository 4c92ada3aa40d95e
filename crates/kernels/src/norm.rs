use burn::tensor::Tensor;

use crate::flex;

/// The sum of the squares of a tensor's elements.
#[must_use]
pub fn squared_norm<const D: usize>(tensor: Tensor<D>) -> f64 {
    flex::squared_norm(&tensor).unwrap_or_else(|| f64::from(tensor.square().sum().into_scalar::<f32>()))
}
