use burn::tensor::Tensor;

use crate::{
    flex,
    operands::assert_one_kind,
    precision::{product, product_type},
};

/// `x × weight + bias`, with the gradients of all three in the backward pass.
///
/// # Shapes
///
/// - `x`: `[N, d_in]`
/// - `weight`: `[d_in, d_out]`, as GPT-2's `Conv1D`
/// - `bias`: `[d_out]`
/// - output: `[N, d_out]`
///
/// # Panics
///
/// If the shapes do not fit, or some of the tensors are under autodiff and others are not.
#[must_use]
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>) -> Tensor<2> {
    assert_one_kind("linear", &[("x", x.device()), ("weight", weight.device()), ("bias", bias.device())]);
    let ([_, d_in], [weight_in, d_out]) = (x.dims(), weight.dims());
    assert!(weight_in == d_in && bias.dims() == [d_out], "{d_in} columns, weight [{weight_in}, {d_out}] and its bias");
    flex::linear(&x, &weight, &bias).unwrap_or_else(|| {
        portable!("linear");
        portable_linear(x, weight, bias)
    })
}

/// [`linear()`] in ordinary Burn operations.
///
/// # Shapes
///
/// As [`linear()`].
#[must_use]
pub fn portable_linear(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>) -> Tensor<2> {
    match product_type() {
        None => burn::tensor::module::linear(x, weight, Some(bias)),
        Some(_) => product(x, weight) + bias.unsqueeze(),
    }
}
