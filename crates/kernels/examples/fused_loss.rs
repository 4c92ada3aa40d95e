//! The output head and the loss of GPT-2 124M, forward and backward: the fused operation beside the portable one.

use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use gptune_kernels::{Target, head_loss, portable_head_loss};

const ROWS: u16 = 256;
const TRAINED: u16 = 96;
const WIDTH: usize = 768;
const VOCABULARY: usize = 50_257;

fn main() {
    let device = Device::flex().autodiff();
    device.seed(1);
    let random = |shape: [usize; 2], deviation| {
        Tensor::<2>::random(shape, Distribution::Normal(0.0, deviation), &device).require_grad()
    };
    let (hidden, weight) = (random([ROWS.into(), WIDTH], 1.0), random([VOCABULARY, WIDTH], 0.02));
    // The last rows, as those of a response. With these weights the loss is their mean.
    let targets: Vec<Target> = (ROWS - TRAINED..ROWS)
        .map(|row| Target { row: row.into(), id: 31 * u32::from(row), weight: 1.0 / f32::from(TRAINED) })
        .collect();

    let run = |name: &str, operation: fn(Tensor<2>, Tensor<2>, &[Target]) -> Tensor<1>| {
        // The first time takes memory from the system.
        let _ = operation(hidden.clone(), weight.clone(), &targets).backward();
        let started = Instant::now();
        let loss = operation(hidden.clone(), weight.clone(), &targets);
        let mut gradients = loss.backward();
        let seconds = started.elapsed().as_secs_f64();
        println!("{name:<10} loss {:.6}, forward and backward in {seconds:.3} s", loss.into_scalar::<f32>());
        weight.grad_remove(&mut gradients)
    };
    let (fused, portable) = (run("fused", head_loss), run("portable", portable_head_loss));
    if let (Some(fused), Some(portable)) = (fused, portable) {
        let largest = portable.clone().abs().max().into_scalar::<f32>();
        let difference = (fused - portable).abs().max().into_scalar::<f32>();
        println!("the head's gradients are at most {:.1e} of the largest one apart", difference / largest);
    }
}
