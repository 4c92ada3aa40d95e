//! The device that `BURN_DEVICE` names against flex; without it, flex against what is stored.

use burn::{module::Module, optim::GradientsParams, tensor::Device};
use gptune_model::{GenerateOptions, Gpt2, Gpt2Config, Sequence, Supervised};
use gptune_train::{AdamW, Optimizer, Rates, SelfCheck, formula_weights};

use crate::world;

fn config() -> Gpt2Config {
    Gpt2Config {
        vocab_size: 113,
        n_positions: 32,
        n_embd: 48,
        n_layer: 3,
        n_head: 4,
        tie_word_embeddings: false,
        layer_norm_epsilon: 1e-5,
        dropout: 0.0,
    }
}

/// Losses of `steps` steps on one batch, and a greedy continuation by the model after them. There is one
/// shape, because a GPU compiles its kernels anew for each.
fn train(device: &Device, steps: u32) -> (Vec<f64>, Vec<u32>) {
    let mut model = formula_weights(Gpt2::init(&config(), &device.clone().autodiff()));
    let mut optimizer = Optimizer::new(AdamW::default());
    let text = |row: u32| (0..13).map(|at| (5 + at * (row + 1)) % 113).collect::<Vec<u32>>();
    let texts: Vec<Vec<u32>> = (0..4).map(text).collect();
    let targets: Vec<Vec<i64>> = texts.iter().map(|ids| ids[1..].iter().map(|&id| i64::from(id)).collect()).collect();
    let sequences: Vec<Sequence<'_>> =
        texts.iter().zip(&targets).map(|(ids, targets)| (&ids[..12], targets.as_slice())).collect();
    let mut losses = Vec::new();
    for _ in 0..steps {
        let loss = model.loss(&Supervised::mean(&sequences, true).unwrap());
        losses.push(f64::from(loss.clone().into_scalar::<f32>()));
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.apply(model, gradients, &|_, _| Rates { lr: 1e-3, weight_decay: 0.1 }, 1.0);
    }
    (losses, model.valid().generate(&[7, 9, 11], &GenerateOptions::greedy(12)))
}

#[test]
fn the_device_passes_the_self_check() {
    let (result, seconds) = SelfCheck::run(&world::device());
    for finding in result.compare(&SelfCheck::reference()) {
        println!("{finding:?}");
        assert!(finding.passed(), "{finding:?}");
    }
    println!("{seconds:.2} s");
}

#[test]
fn twenty_steps_are_those_of_flex() {
    let (losses, tokens) = train(&world::device(), 20);
    let (wanted, wanted_tokens) = train(&Device::flex(), 20);
    let worst = losses.iter().zip(&wanted).map(|(a, b)| (a / b - 1.0).abs()).fold(0.0, f64::max);
    println!("losses {:.4} to {:.4}, largest relative difference {worst:.1e}", wanted[0], wanted[19]);
    assert!(losses.iter().all(|loss| loss.is_finite()) && worst < 1e-3, "{losses:?} {wanted:?}");
    assert!(wanted[19] < 0.8 * wanted[0], "nothing is learnt: {wanted:?}");
    assert_eq!(tokens, wanted_tokens);
}
