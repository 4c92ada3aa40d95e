//! Fused operations against the portable ones, on random shapes.
// A helper that unwraps fails its test, as it should.
#![allow(clippy::unwrap_used)]

mod adamw;
mod head_loss;

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
