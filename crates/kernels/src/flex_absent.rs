//! The fused paths of a build without the `flex` feature: there are none.

use std::sync::Arc;

use burn::tensor::Tensor;

use crate::{
    key_values::{CacheLayout, KeyValues},
    slices::{AdamWStep, Layout, Target},
};

pub(crate) fn set_enabled(_: bool) {}

pub(crate) fn linear(_: &Tensor<2>, _: &Tensor<2>, _: &Tensor<1>) -> Option<Tensor<2>> {
    None
}

pub(crate) fn layer_norm(_: &Tensor<2>, _: &Tensor<1>, _: &Tensor<1>, _: f64) -> Option<Tensor<2>> {
    None
}

pub(crate) fn gelu(_: &Tensor<2>) -> Option<Tensor<2>> {
    None
}

pub(crate) fn attention(_: &Tensor<2>, _: &Arc<Layout>, _: usize) -> Option<Tensor<2>> {
    None
}

pub(crate) fn attend(_: &mut KeyValues, _: &Tensor<2>, _: &CacheLayout, _: usize) -> Option<Tensor<2>> {
    None
}

pub(crate) fn embedding(_: &Tensor<2>, _: &Tensor<2>, _: &[u32], _: &[u32]) -> Option<Tensor<2>> {
    None
}

pub(crate) fn head_logits(_: &Tensor<2>, _: &Tensor<2>) -> Option<Tensor<2>> {
    None
}

pub(crate) fn squared_norm<const D: usize>(_: &Tensor<D>) -> Option<f64> {
    None
}

pub(crate) fn head_loss(_: &Tensor<2>, _: &Tensor<2>, _: &[Target]) -> Option<Tensor<1>> {
    None
}

pub(crate) fn start<const D: usize>(_: &Tensor<D>) -> Option<[Tensor<D>; 3]> {
    None
}

pub(crate) fn on_large_pages<const D: usize>(_: &Tensor<D>) -> Option<Tensor<D>> {
    None
}

#[allow(clippy::result_large_err)] // the tensors themselves, handed back
pub(crate) fn adamw_step<const D: usize>(
    tensors: [Tensor<D>; 4],
    _step: &AdamWStep,
) -> Result<[Tensor<D>; 3], [Tensor<D>; 4]> {
    Err(tensors)
}
