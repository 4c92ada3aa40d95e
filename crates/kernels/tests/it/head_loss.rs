use burn::tensor::{Device, Tensor};
use gptune_kernels::{Target, head_loss, portable_head_loss};

use crate::{random, relative_difference};

/// `[N, C, V]`: one row, a whole chunk of 320 rows and one more, nothing a multiple of anything, and
/// GPT-2's vocabulary.
const SHAPES: [[usize; 3]; 5] = [[1, 4, 7], [320, 16, 33], [321, 48, 97], [700, 37, 1001], [40, 16, 50_257]];

/// One target for each row.
fn targets([n, _, v]: [usize; 3]) -> Vec<Target> {
    let (n, v) = (u32::try_from(n).unwrap(), u32::try_from(v).unwrap());
    (0..n).map(|row| Target { row, id: (row * 7919 + 13) % v, weight: 1.0 / n as f32 }).collect()
}

/// Rows without a target, with one, and with several, of unequal weights.
fn uneven_targets([n, _, v]: [usize; 3]) -> Vec<Target> {
    let (n, v) = (u32::try_from(n).unwrap(), u32::try_from(v).unwrap());
    let row = |row| (0..(row + 1) % 4).map(move |i| Target { row, id: (row * 31 + i) % v, weight: 0.1 + i as f32 });
    (0..n).flat_map(row).collect()
}

#[test]
fn loss_and_gradients_equal_the_portable_ones() {
    let device = Device::flex().autodiff();
    device.seed(1);
    for (shape, targets) in
        SHAPES.into_iter().flat_map(|shape| [(shape, targets(shape)), (shape, uneven_targets(shape))])
    {
        let [n, c, v] = shape;
        let (hidden, weight) = (random([n, c], &device).require_grad(), random([v, c], &device).require_grad());
        let run = |loss: fn(Tensor<2>, Tensor<2>, &[Target]) -> Tensor<1>| {
            // A factor on the loss checks that the upstream gradient is used.
            let loss = loss(hidden.clone(), weight.clone(), &targets) * 3.0;
            let grads = loss.backward();
            (loss.inner(), hidden.grad(&grads).unwrap(), weight.grad(&grads).unwrap())
        };
        let (fused, portable) = (run(head_loss), run(portable_head_loss));
        let differences = [
            relative_difference(fused.0, portable.0),
            relative_difference(fused.1, portable.1),
            relative_difference(fused.2, portable.2),
        ];
        assert!(differences.iter().all(|&d| d < 1e-5), "{shape:?}: loss, d hidden, d weight {differences:?}");
    }
}

fn ids(ids: [u32; 3]) -> Vec<Target> {
    (0..).zip(ids).map(|(row, id)| Target { row, id, weight: 1.0 }).collect()
}

#[test]
fn a_frozen_head_still_passes_gradients_down() {
    let device = Device::flex().autodiff();
    let hidden = random([3, 4], &device).require_grad();
    let weight = random([9, 4], &device);
    let grads = head_loss(hidden.clone(), weight.clone(), &ids([0, 8, 3])).backward();
    let want = portable_head_loss(hidden.clone(), weight.clone(), &ids([0, 8, 3])).backward();
    let difference = relative_difference(hidden.grad(&grads).unwrap(), hidden.grad(&want).unwrap());
    assert!(difference < 1e-5, "{difference}");
    assert!(weight.grad(&grads).is_none());
}

#[test]
fn gradients_beside_a_frozen_operand_are_the_same_bit_by_bit() {
    let device = Device::flex().autodiff();
    device.seed(3);
    for (shape, targets) in SHAPES.into_iter().map(|shape| (shape, uneven_targets(shape))) {
        let [n, c, v] = shape;
        let (hidden, weight) = (random([n, c], &device), random([v, c], &device));
        let run = |hidden: Tensor<2>, weight: Tensor<2>| {
            let loss = head_loss(hidden.clone(), weight.clone(), &targets) * 3.0;
            let grads = loss.backward();
            let values = |gradient: Option<Tensor<2>>| gradient.map(|x| x.into_data().try_to_vec::<f32>().unwrap());
            (loss.into_data(), values(hidden.grad(&grads)), values(weight.grad(&grads)))
        };
        let (hidden_tracked, weight_tracked) = (hidden.clone().require_grad(), weight.clone().require_grad());
        let (loss, d_hidden, d_weight) = run(hidden_tracked.clone(), weight_tracked.clone());
        assert!(d_hidden.is_some() && d_weight.is_some());
        assert!(run(hidden_tracked, weight) == (loss.clone(), d_hidden, None), "{shape:?}: a frozen head");
        assert!(run(hidden, weight_tracked) == (loss, None, d_weight), "{shape:?}: frozen hidden states");
    }
}

#[test]
fn without_autodiff_only_the_loss_is_computed() {
    let device = Device::flex();
    device.seed(2);
    for shape in SHAPES {
        let [n, c, v] = shape;
        let (hidden, weight) = (random([n, c], &device), random([v, c], &device));
        let got = head_loss(hidden.clone(), weight.clone(), &targets(shape));
        let difference = relative_difference(got, portable_head_loss(hidden, weight, &targets(shape)));
        assert!(difference < 1e-5, "{shape:?}: {difference}");
    }
}

#[test]
fn a_checkpointing_device_takes_the_portable_path() {
    let device = Device::flex().autodiff().gradient_checkpointing();
    let hidden = random([3, 4], &device).require_grad();
    let loss = head_loss(hidden.clone(), random([9, 4], &device), &ids([1, 2, 3]));
    assert!(hidden.grad(&loss.backward()).is_some());
}

#[test]
#[should_panic(expected = "targets below 9")]
fn a_target_outside_the_vocabulary_panics() {
    let device = Device::flex();
    let _ = head_loss(random([1, 4], &device), random([9, 4], &device), &[Target { row: 0, id: 9, weight: 1.0 }]);
}
