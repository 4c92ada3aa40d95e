//! Plain tensors beside tensors under autodiff.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::{Device, Tensor};
use gptune_kernels::{
    CacheLayout, KeyValues, Layout, Target, embedding, head_logits, head_loss, layer_norm, linear, portable_linear,
};

use crate::random;

/// What an operation says that panics.
fn message(operation: impl FnOnce() -> Tensor<2>) -> String {
    let panic = catch_unwind(AssertUnwindSafe(operation)).expect_err("a panic");
    *panic.downcast::<String>().expect("a message")
}

#[test]
fn a_plain_tensor_beside_others_panics_and_is_named() {
    let plain = Device::flex();
    // Fused and portable.
    for autodiff in [Device::flex().autodiff(), Device::flex().autodiff().gradient_checkpointing()] {
        let matrix = |device: &Device| random([4, 4], device);
        let vector = |device: &Device| random([4], device);
        let targets = [Target { row: 0, id: 1, weight: 1.0 }];
        let attend = |device: &Device, cached: &Device| {
            let layout = Layout::new(0, [1]);
            let mut columns = CacheLayout::new(&layout);
            columns.grow();
            let mut cache = KeyValues::new(&random([1, 12], cached), &layout);
            cache.attend(random([1, 12], device), &columns, 2)
        };
        let (a, p) = (&autodiff, &plain);
        let cases = [
            (message(|| linear(matrix(p), matrix(a), vector(a))), "linear: under autodiff: weight, bias; plain: x:"),
            (message(|| linear(matrix(a), matrix(p), vector(a))), "linear: under autodiff: x, bias; plain: weight:"),
            (message(|| linear(matrix(a), matrix(a), vector(p))), "linear: under autodiff: x, weight; plain: bias:"),
            (
                message(|| layer_norm(matrix(a), vector(a), vector(p), 1e-5)),
                "layer_norm: under autodiff: x, scale; plain: shift:",
            ),
            (
                message(|| layer_norm(matrix(a), vector(p), vector(p), 1e-5)),
                "layer_norm: under autodiff: x; plain: scale, shift:",
            ),
            (
                message(|| embedding(matrix(p), matrix(a), &[1], &[2])),
                "embedding: under autodiff: positions; plain: tokens:",
            ),
            (
                message(|| head_loss(matrix(a), matrix(p), &targets).unsqueeze()),
                "head_loss: under autodiff: hidden; plain: weight:",
            ),
            (
                message(|| head_loss(matrix(p), matrix(a), &targets).unsqueeze()),
                "head_loss: under autodiff: weight; plain: hidden:",
            ),
            (message(|| head_logits(matrix(a), matrix(p))), "head_logits: under autodiff: hidden; plain: weight:"),
            (message(|| attend(a, p)), "attend: under autodiff: qkv; plain: keys and values:"),
            (message(|| attend(p, a)), "attend: under autodiff: keys and values; plain: qkv:"),
        ];
        for (got, want) in cases {
            assert!(got.starts_with(want), "{got}\n{want}");
        }
    }
}

/// What Burn itself does, and the portable paths with it: the gradients of the others are not lost.
#[test]
fn burn_takes_a_plain_tensor_for_a_constant() {
    let (plain, autodiff) = (Device::flex(), Device::flex().autodiff());
    let (x, weight) = (random([3, 4], &autodiff).require_grad(), random([4, 5], &plain));
    let grads = portable_linear(x.clone(), weight.clone(), random([5], &plain)).sum().backward();
    let want = weight.sum_dim(1).transpose().expand([3, 4]);
    assert!(crate::relative_difference(x.grad(&grads).unwrap(), want) < 1e-6);
}

#[test]
fn frozen_tensors_are_operands_like_others() {
    let device = Device::flex().autodiff();
    let x = random([3, 4], &device).require_grad();
    let vector = || random([4], &device);
    let y = layer_norm(x.clone(), vector(), vector(), 1e-5);
    let y = linear(y, random([4, 4], &device), vector());
    let loss = head_loss(y, random([7, 4], &device), &[Target { row: 1, id: 2, weight: 1.0 }]);
    assert!(x.grad(&loss.backward()).is_some());
}
