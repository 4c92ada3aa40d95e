use burn::{backend::Flex, tensor::Tensor};

use super::{elements, from_vec, plain};
use crate::slices::{FEW, Matrix, MatrixMut, Onto, SOME, Stored, few_rows_transposed, matmul, streamed};

/// [`crate::head_logits()`] on plain flex, or nothing for tensors elsewhere.
pub(crate) fn head_logits(hidden: &Tensor<2>, weight: &Tensor<2>) -> Option<Tensor<2>> {
    let [[n, c], [v, _]] = [hidden.dims(), weight.dims()];
    let (hidden, weight) = (plain(hidden)?, plain(weight)?);
    let mut logits = vec![0.0; n * v];
    if n <= FEW {
        few_rows_transposed(elements(&hidden), elements(&weight), c, &mut logits);
    } else if n <= SOME {
        streamed(elements(&hidden), elements(&weight), Stored::Transposed, c, &mut logits);
    } else {
        let (left, right) = (Matrix::new(elements(&hidden), n, c), Matrix::new(elements(&weight), v, c));
        matmul(MatrixMut::new(&mut logits, n, v), left, right.transposed(), Onto::Zero);
    }
    Some(Tensor::from_primitive::<Flex>(from_vec(logits, [n, v])))
}
