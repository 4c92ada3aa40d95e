use burn::tensor::Tensor;

use super::{elements, plain};
use crate::slices;

/// [`crate::squared_norm`] on plain flex, or nothing for tensors elsewhere.
pub(crate) fn squared_norm<const D: usize>(tensor: &Tensor<D>) -> Option<f64> {
    Some(slices::squared_norm(elements(&plain(tensor)?)))
}
