//! The fused paths of the flex back end.

mod adamw;
mod head_loss;

use burn::{
    backend::{
        Autodiff, Flex, autodiff::checkpoint::strategy::NoCheckpointing, ops::FloatTensorOps, tensor::FloatTensor,
    },
    tensor::{Tensor, TensorData},
};

pub(crate) use adamw::adamw_step;
pub(crate) use head_loss::head_loss;

/// Flex under automatic differentiation, as `Device::flex().autodiff()` gives it. A device with
/// gradient checkpointing is another type and takes the portable path.
type AutodiffFlex = Autodiff<Flex, NoCheckpointing>;
type FlexTensor = FloatTensor<Flex>;

/// The flex primitive of a tensor that lives on plain flex, as contiguous `f32`.
fn plain<const D: usize>(tensor: &Tensor<D>) -> Option<FlexTensor> {
    contiguous(tensor.clone().try_into_primitive::<Flex>().ok()?)
}

/// A primitive as contiguous `f32`, or nothing if it holds another type.
fn contiguous(tensor: FlexTensor) -> Option<FlexTensor> {
    if tensor.dtype() != burn::tensor::DType::F32 {
        return None;
    }
    Some(if tensor.as_slice::<f32>().is_some() { tensor } else { tensor.to_contiguous() })
}

/// The elements of a primitive that came from [`contiguous`] or [`from_vec`].
fn elements(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice::<f32>().unwrap_or_else(|| unreachable!("a contiguous f32 tensor"))
}

/// A primitive that takes over a vector.
fn from_vec<const D: usize>(data: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    Flex::float_from_data(TensorData::new(data, shape), &burn::backend::flex::FlexDevice)
}
