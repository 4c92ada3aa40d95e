use burn::{
    optim::Optimizer,
    tensor::{Device, Tensor, TensorData},
};
use gptune_kernels::{AdamW, AdamWStep, adamw_step, portable_adamw_step};

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
    let want: Vec<f32> = include_str!("../fixtures/adamw.txt").lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!((got.len(), want.len()), (4, 4));
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= 2e-7 * want.abs().max(0.1), "{got} {want}");
    }
}

#[test]
fn fused_equals_portable_on_long_and_odd_tensors() {
    let device = Device::flex();
    device.seed(3);
    for shape in [[1, 1], [3, 11], [257, 1031]] {
        let zeros = || Tensor::<2>::zeros(shape, &device);
        let mut fused = [random(shape, &device), zeros(), zeros()];
        let mut portable = fused.clone();
        for step in 1..=3 {
            let step =
                AdamWStep { lr: 1e-2, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.1, step, gradient_scale: 0.5 };
            let gradient = random(shape, &device);
            let with_gradient = |[p, m, v]: [Tensor<2>; 3]| [p, gradient.clone(), m, v];
            fused = adamw_step(with_gradient(fused), &step);
            portable = portable_adamw_step(with_gradient(portable), &step);
        }
        let differences: Vec<f64> = fused.into_iter().zip(portable).map(|(a, b)| relative_difference(a, b)).collect();
        assert!(differences.iter().all(|&d| d < 1e-5), "{shape:?}: parameter, moments {differences:?}");
    }
}
