//! Fused operations against the portable ones, on random shapes.
// A helper that unwraps fails its test, as it should.
#![allow(clippy::unwrap_used)]

mod adamw;
mod head_loss;
mod operands;
mod operations;

use burn::tensor::{Device, Distribution, Tensor};

/// Root of the summed squared difference, relative to the reference.
fn relative_difference<const D: usize>(got: Tensor<D>, want: Tensor<D>) -> f64 {
    let values = |tensor: Tensor<D>| tensor.into_data().try_to_vec::<f32>().unwrap();
    let (got, want) = (values(got), values(want));
    assert_eq!(got.len(), want.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let difference = norm(&mut got.iter().zip(&want).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    difference / norm(&mut want.iter().map(|x| f64::from(*x))).max(1e-30)
}

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

/// Tensors that an operation takes.
struct Inputs {
    matrices: Vec<Tensor<2>>,
    vectors: Vec<Tensor<1>>,
}

impl Inputs {
    fn matrix(&self, index: usize) -> Tensor<2> {
        self.matrices[index].clone()
    }

    fn vector(&self, index: usize) -> Tensor<1> {
        self.vectors[index].clone()
    }

    fn tracked(self) -> Self {
        Self {
            matrices: self.matrices.into_iter().map(Tensor::require_grad).collect(),
            vectors: self.vectors.into_iter().map(Tensor::require_grad).collect(),
        }
    }
}

/// Holds a fused operation to the portable one: outputs on a plain device and under autodiff, and
/// the gradient of each input for a random gradient of the output.
fn assert_equal(
    name: &str,
    inputs: impl Fn(&Device) -> Inputs,
    fused: impl Fn(&Inputs) -> Tensor<2>,
    portable: impl Fn(&Inputs) -> Tensor<2>,
) {
    let device = Device::flex();
    device.seed(11);
    let plain = inputs(&device);
    let difference = relative_difference(fused(&plain), portable(&plain));
    assert!(difference < 1e-5, "{name}: output {difference}");

    let device = device.autodiff();
    let tracked = inputs(&device).tracked();
    let upstream = random(fused(&tracked).dims(), &device);
    let run = |operation: &dyn Fn(&Inputs) -> Tensor<2>| {
        let output = operation(&tracked);
        let grads = (output.clone() * upstream.clone()).sum().backward();
        (output.inner(), grads)
    };
    let ((got, got_grads), (want, want_grads)) = (run(&fused), run(&portable));
    let difference = relative_difference(got, want);
    assert!(difference < 1e-5, "{name}: output under autodiff {difference}");
    let matrices =
        tracked.matrices.iter().map(|x| relative_difference(x.grad(&got_grads).unwrap(), x.grad(&want_grads).unwrap()));
    let vectors =
        tracked.vectors.iter().map(|x| relative_difference(x.grad(&got_grads).unwrap(), x.grad(&want_grads).unwrap()));
    for (index, difference) in matrices.chain(vectors).enumerate() {
        assert!(difference < 1e-5, "{name}: gradient of input {index} {difference}");
    }
}
