use burn::{backend::Flex, tensor::Tensor};

use super::{elements, from_vec, into_vec, plain};
use crate::slices::{
    AdamWStep, adamw,
    buffers::{self, large_zeros},
};

/// A parameter as it is and two moments of zeros, all on large pages, or nothing for tensors elsewhere.
pub(crate) fn start<const D: usize>(parameter: &Tensor<D>) -> Option<[Tensor<D>; 3]> {
    let shape = parameter.dims();
    let parameter = plain(parameter)?;
    let mut copy = large_zeros(elements(&parameter).len());
    copy.copy_from_slice(elements(&parameter));
    let zeros = || large_zeros(copy.len());
    let (moment_1, moment_2) = (zeros(), zeros());
    Some([copy, moment_1, moment_2].map(|data| Tensor::from_primitive::<Flex>(from_vec(data, shape))))
}

/// [`crate::adamw_step`] on flex, or the tensors back for the portable path.
///
/// Buffers that nothing else refers to are updated in place; shared ones are copied first.
#[allow(clippy::result_large_err)] // the tensors themselves, handed back
pub(crate) fn adamw_step<const D: usize>(
    tensors: [Tensor<D>; 4],
    step: &AdamWStep,
) -> Result<[Tensor<D>; 3], [Tensor<D>; 4]> {
    let [Some(mut parameter), Some(gradient), Some(mut moment_1), Some(mut moment_2)] = tensors.each_ref().map(plain)
    else {
        return Err(tensors);
    };
    // The handles held by `tensors` would make every buffer a shared one.
    drop(tensors);
    adamw(
        parameter.storage_mut::<f32>(),
        elements(&gradient),
        moment_1.storage_mut::<f32>(),
        moment_2.storage_mut::<f32>(),
        *step,
    );
    if gradient.is_unique() && buffers::is_taken(elements(&gradient)) {
        buffers::give_back(into_vec(gradient));
    }
    Ok([parameter, moment_1, moment_2].map(Tensor::from_primitive::<Flex>))
}
