//! What type of number matrix products take.

use std::sync::atomic::{AtomicU8, Ordering};

use burn::tensor::{FloatDType, Tensor};

/// Bits of the type of [`set_product_type`]: 0 for `f32`, else its place in [`HALVES`].
static TYPE: AtomicU8 = AtomicU8::new(0);
const HALVES: [FloatDType; 2] = [FloatDType::BF16, FloatDType::F16];

/// Lets the portable paths of this process round the operands of every matrix product to `bf16` or
/// `f16`, with `None` for `f32`: what PyTorch calls autocast. Parameters, residual stream,
/// normalisations, softmax and loss stay `f32`, and so do gradients where they reach a parameter.
///
/// Fused paths have products in `f32` only.
///
/// # Panics
///
/// For another type than these two.
pub fn set_product_type(dtype: Option<FloatDType>) {
    let place = dtype.map_or(0, |dtype| {
        let place = HALVES.iter().position(|half| *half == dtype);
        place.map_or_else(|| panic!("products in {dtype:?}; known are BF16 and F16"), |place| place + 1)
    });
    TYPE.store(u8::try_from(place).unwrap_or(0), Ordering::Relaxed);
}

/// `left × right` in the type of [`set_product_type`], as `f32`.
pub(crate) fn product<const D: usize>(left: Tensor<D>, right: Tensor<D>) -> Tensor<D> {
    match product_type() {
        None => left.matmul(right),
        Some(dtype) => left.cast(dtype).matmul(right.cast(dtype)).cast(FloatDType::F32),
    }
}

pub(crate) fn product_type() -> Option<FloatDType> {
    usize::from(TYPE.load(Ordering::Relaxed)).checked_sub(1).map(|place| HALVES[place])
}
