use burn::tensor::{Device, Tensor, TensorData};
use gptune_kernels::{AdamWStep, adamw_resume, adamw_start, adamw_step, portable_adamw_step, squared_norm};

use crate::{random, relative_difference};

/// Three steps of `torch.optim.AdamW(lr=0.1, weight_decay=0.1)` from `fixtures/adamw.py`.
#[test]
fn three_steps_equal_pytorchs() {
    let device = Device::flex();
    let tensor = |values: [f32; 4]| Tensor::<1>::from_data(TensorData::from(values), &device);
    let [mut parameter, mut moment_1, mut moment_2] = adamw_start(&tensor([1.0, -2.0, 0.5, 1e-3]));
    for (step, gradient) in (1..).zip([[0.1, -0.2, 3.0, 1e-9], [0.2, 0.1, -3.0, 0.0], [-0.5, 0.3, 0.7, 1e-4]]) {
        let numbers =
            AdamWStep { lr: 0.1, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.1, step, gradient_scale: 1.0 };
        [parameter, moment_1, moment_2] = adamw_step([parameter, tensor(gradient), moment_1, moment_2], &numbers);
        // What is stored and taken up again goes on as if nothing had happened.
        [parameter, moment_1, moment_2] = adamw_resume([parameter, moment_1, moment_2]);
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

/// A power of two, so that scaling first is exact.
#[test]
fn a_gradient_scale_is_as_if_the_gradient_were_smaller() {
    let device = Device::flex();
    device.seed(5);
    let tensor = || random([7, 33], &device);
    let [parameter, gradient, moment_1, moment_2] = [tensor(), tensor(), tensor(), tensor().abs()];
    let (scaled, smaller) = (0.25, gradient.clone() * 0.25);
    for (name, step) in [("fused", adamw_step::<2> as fn(_, &_) -> _), ("portable", portable_adamw_step)] {
        let run = |gradient: &Tensor<2>, gradient_scale| {
            let numbers =
                AdamWStep { lr: 1e-2, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.1, step: 3, gradient_scale };
            let [p, m, v]: [Tensor<2>; 3] =
                step([parameter.clone(), gradient.clone(), moment_1.clone(), moment_2.clone()], &numbers);
            [p, m, v].map(|tensor| tensor.into_data())
        };
        assert!(run(&gradient, scaled) == run(&smaller, 1.0), "{name}");
        assert!(run(&gradient, scaled) != run(&gradient, 1.0), "{name}: a scale that does nothing");
    }
}

/// Whole numbers, so that every sum is exact; on a tensor under autodiff the portable way.
#[test]
fn a_squared_norm_counts_every_element() {
    let shape = [3, 33_337];
    let values: Vec<f32> = (0..shape[0] * shape[1]).map(|i| (i % 5) as f32 - 2.0).collect();
    let want: f64 = values.iter().map(|&x| f64::from(x * x)).sum();
    for device in [Device::flex(), Device::flex().autodiff()] {
        let tensor = Tensor::<2>::from_data(TensorData::new(values.clone(), shape), &device);
        assert_eq!(squared_norm(tensor), want);
    }
}
