//! The fused paths of the flex back end.
//!
//! Each one takes tensors on plain flex, or on flex under autodiff, and answers `None` for others.

mod adamw;
mod attention;
mod cached_attention;
mod embedding;
mod gelu;
mod head_logits;
mod head_loss;
mod layer_norm;
mod linear;
mod norm;

use std::sync::atomic::{AtomicBool, Ordering};

use burn::{
    backend::{
        Autodiff, Flex,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::NoCheckpointing},
            grads::Gradients,
            ops::{Backward, NodeGuard, Ops, OpsKind},
        },
        ops::FloatTensorOps,
        tensor::FloatTensor,
    },
    tensor::{DType, Tensor, TensorData},
};

pub(crate) use adamw::{adamw_step, on_large_pages, start};
pub(crate) use attention::attention;
pub(crate) use cached_attention::attend;
pub(crate) use embedding::embedding;
pub(crate) use gelu::gelu;
pub(crate) use head_logits::head_logits;
pub(crate) use head_loss::head_loss;
pub(crate) use layer_norm::layer_norm;
pub(crate) use linear::linear;
pub(crate) use norm::squared_norm;

/// Flex under automatic differentiation, as `Device::flex().autodiff()` gives it. A device with
/// gradient checkpointing is another type and takes the portable path.
type AutodiffFlex = Autodiff<Flex, NoCheckpointing>;
type FlexTensor = FloatTensor<Flex>;

/// A tensor of the flex back end.
struct Input {
    /// Contiguous `f32`.
    data: FlexTensor,
    /// Its place in the graph, under autodiff.
    node: Option<NodeGuard>,
    /// Whether somebody asks for its gradient.
    tracked: bool,
}

impl Input {
    /// Takes a tensor apart, or nothing if it lives elsewhere or holds another type.
    fn new<const D: usize>(tensor: &Tensor<D>) -> Option<Self> {
        if let Some(data) = plain(tensor) {
            return Some(Self { data, node: None, tracked: false });
        }
        if !ENABLED.load(Ordering::Relaxed) {
            return None;
        }
        let tensor = tensor.clone().try_into_primitive::<AutodiffFlex>().ok()?;
        let tracked = tensor.is_tracked();
        let (data, node) = tensor.into_parts();
        Some(Self { data: contiguous(data)?, node: Some(node), tracked })
    }

    fn elements(&self) -> &[f32] {
        elements(&self.data)
    }
}

/// The output of an operation on `inputs` as a tensor, recorded for the backward pass if one of
/// them is tracked; `state` is what that pass needs.
fn output<B: Backward<Flex, N>, const N: usize, const D: usize>(
    operation: B,
    inputs: [Option<NodeGuard>; N],
    data: FlexTensor,
    state: impl FnOnce() -> B::State,
) -> Tensor<D> {
    if inputs.iter().all(Option::is_none) {
        return Tensor::from_primitive::<Flex>(data);
    }
    let nodes = inputs.map(|node| node.unwrap_or_else(|| unreachable!("a plain input beside one under autodiff")));
    Tensor::from_primitive::<AutodiffFlex>(
        match operation.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(operation) => operation.finish(state(), data),
            OpsKind::UnTracked(operation) => operation.finish(data),
        },
    )
}

/// The gradient of an operation's output.
fn upstream<S, const N: usize>(grads: &mut Gradients, ops: &Ops<S, N>) -> FlexTensor {
    let gradient = grads.consume::<Flex>(&ops.node);
    contiguous(gradient).unwrap_or_else(|| unreachable!("gradients of f32 tensors are f32"))
}

/// Whether fused paths are taken at all.
static ENABLED: AtomicBool = AtomicBool::new(true);

/// Switches the fused paths of this process on or off.
pub(crate) fn set_enabled(enabled: bool) {
    ENABLED.store(enabled, Ordering::Relaxed);
}

/// The flex primitive of a tensor that lives on plain flex, as contiguous `f32`.
fn plain<const D: usize>(tensor: &Tensor<D>) -> Option<FlexTensor> {
    if !ENABLED.load(Ordering::Relaxed) {
        return None;
    }
    contiguous(tensor.clone().try_into_primitive::<Flex>().ok()?)
}

/// A primitive as contiguous `f32` that fills its storage, or nothing if it holds another type.
fn contiguous(tensor: FlexTensor) -> Option<FlexTensor> {
    if tensor.dtype() != DType::F32 {
        return None;
    }
    match tensor.as_slice::<f32>() {
        Some(slice) if size_of_val(slice) == tensor.bytes().len() => Some(tensor),
        Some(slice) => {
            let data = TensorData::new(slice.to_vec(), tensor.layout().shape().clone());
            Some(Flex::float_from_data(data, &burn::backend::flex::FlexDevice))
        }
        None => Some(tensor.to_contiguous()),
    }
}

/// The elements of a primitive that came from [`contiguous`] or [`from_vec`].
fn elements(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice::<f32>().unwrap_or_else(|| unreachable!("a contiguous f32 tensor"))
}

/// The vector of a primitive that nothing else refers to.
fn into_vec(tensor: FlexTensor) -> Vec<f32> {
    tensor.into_data().try_into_vec().unwrap_or_else(|error| unreachable!("a contiguous f32 tensor: {error:?}"))
}

/// A primitive that takes over a vector.
fn from_vec<const D: usize>(data: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    Flex::float_from_data(TensorData::new(data, shape), &burn::backend::flex::FlexDevice)
}
