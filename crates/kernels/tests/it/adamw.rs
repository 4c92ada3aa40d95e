use burn::{
    optim::Optimizer,
    tensor::{Device, Tensor, TensorData},
};
use gptune_kernels::AdamW;

use crate::{random, relative_difference};

/// Three steps of `torch.optim.AdamW(lr=0.1, weight_decay=0.1)` from `fixtures/adamw.py`.
#[test]
fn three_steps_equal_pytorchs() {
    let device = Device::flex();
    let tensor = |values: [f32; 4]| Tensor::<1>::from_data(TensorData::from(values), &device);
    let optimizer = AdamW { weight_decay: 0.1, ..AdamW::default() };
    let (mut parameter, mut state) = (tensor([1.0, -2.0, 0.5, 1e-3]), None);
    for gradient in [[0.1, -0.2, 3.0, 1e-9], [0.2, 0.1, -3.0, 0.0], [-0.5, 0.3, 0.7, 1e-4]] {
        (parameter, state) = optimizer.step(0.1, parameter, tensor(gradient), state);
    }
    let got = parameter.into_data().try_to_vec::<f32>().unwrap();
    let want: [f32; 4] = include!("../fixtures/adamw.txt");
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= 2e-7 * want.abs().max(0.1), "{got} {want}");
    }
}

#[test]
fn fused_equals_portable_on_long_and_odd_tensors() {
    let device = Device::flex();
    device.seed(3);
    // A checkpointing device is the portable path; its inner tensors are flex all the same, so the
    // portable arithmetic is Burn's own optimizer, called directly.
    let portable = burn::optim::AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(0.1).build();
    let fused = AdamW { weight_decay: 0.1, ..AdamW::default() };
    for shape in [[1, 1], [3, 11], [257, 1031]] {
        let start = random(shape, &device);
        let (mut a, mut b) = (start.clone(), start);
        let (mut state_a, mut state_b) = (None, None);
        for _ in 0..3 {
            let gradient = random(shape, &device);
            (a, state_a) = fused.step(1e-2, a, gradient.clone(), state_a);
            (b, state_b) = portable.step(1e-2, b, gradient, state_b);
        }
        assert!(relative_difference(a, b) < 1e-5, "{shape:?}");
        let moments = |state: Option<burn::optim::AdamWState<2>>| state.unwrap().momentum;
        let (a, b) = (moments(state_a), moments(state_b));
        assert!(relative_difference(a.moment_1, b.moment_1) < 1e-5, "{shape:?}");
        assert!(relative_difference(a.moment_2, b.moment_2) < 1e-5, "{shape:?}");
    }
}
