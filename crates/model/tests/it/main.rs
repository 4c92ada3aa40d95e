//! Properties of the model that hold for any weights.
// A helper that unwraps fails its test, as it should.
#![allow(clippy::unwrap_used)]

use burn::{
    module::Module,
    tensor::{Device, Int, Tensor, TensorData},
};
use gptune_model::{GenerateOptions, Gpt2, Gpt2Config};

fn config() -> Gpt2Config {
    Gpt2Config {
        n_layer: 2,
        n_head: 3,
        n_embd: 24,
        n_positions: 16,
        vocab_size: 53,
        tie_word_embeddings: false,
        layer_norm_epsilon: 1e-5,
        dropout: 0.0,
    }
}

/// A model with weights large enough that its greedy choices vary.
fn model(device: &Device) -> Gpt2 {
    struct Enlarge;
    impl burn::module::ModuleMapper for Enlarge {
        fn map_float<const D: usize>(
            &mut self,
            param: burn::module::Param<Tensor<D>>,
        ) -> burn::module::Param<Tensor<D>> {
            // Positions and the rest alike, so that order matters.
            param.map(|tensor| (tensor * 10).detach())
        }
    }
    Gpt2::init(&config(), device).map(&mut Enlarge)
}

fn logits(model: &Gpt2, ids: &[u32]) -> Vec<f32> {
    let ids: Vec<i64> = ids.iter().map(|&id| i64::from(id)).collect();
    let data = TensorData::new(ids.clone(), [1, ids.len()]);
    let logits = model.forward(Tensor::<2, Int>::from_data(data, &model.device()));
    logits.into_data().try_to_vec().unwrap()
}

#[test]
fn a_position_depends_on_what_is_before_it_alone() {
    let model = model(&Device::flex());
    let (a, b) = (logits(&model, &[1, 2, 3, 4, 5]), logits(&model, &[1, 2, 3, 50, 51]));
    let v = config().vocab_size;
    for position in 0..5 {
        let same = a[position * v..(position + 1) * v]
            .iter()
            .zip(&b[position * v..(position + 1) * v])
            .all(|(a, b)| (a - b).abs() < 1e-5);
        assert_eq!(same, position < 3, "position {position}");
    }
}

/// Greedy continuation without a cache: the whole text, cropped to the context, every time.
fn uncached(model: &Gpt2, prompt: &[u32], count: usize) -> Vec<u32> {
    let mut text = prompt.to_vec();
    for _ in 0..count {
        let logits = logits(model, &text[text.len().saturating_sub(config().n_positions)..]);
        let last = &logits[logits.len() - config().vocab_size..];
        let best = (0..last.len()).fold(0, |best, i| if last[i] > last[best] { i } else { best });
        text.push(u32::try_from(best).unwrap());
    }
    text.split_off(prompt.len())
}

#[test]
fn the_cache_changes_no_token_within_and_beyond_the_context() {
    let model = model(&Device::flex());
    for prompt in [&[7][..], &[1, 2, 3, 4, 5, 6, 7, 8, 9], &[9; 16], &[4; 21]] {
        let got = model.generate(prompt, &GenerateOptions::greedy(20));
        assert_eq!(got, uncached(&model, prompt, 20), "{prompt:?}");
    }
}

#[test]
fn entries_beyond_the_vocabulary_are_never_chosen() {
    let model = model(&Device::flex());
    let all = model.generate(&[7], &GenerateOptions::greedy(20));
    let limit = *all.iter().max().unwrap();
    let within = model.generate(&[7], &GenerateOptions::greedy(20).within(limit as usize));
    assert!(within.len() == 20 && within.iter().all(|&id| id < limit), "{within:?}");
}

#[test]
fn generation_stops_before_the_stop_token() {
    let model = model(&Device::flex());
    let all = model.generate(&[7], &GenerateOptions::greedy(20));
    let stop = all[5];
    let first = all.iter().position(|&id| id == stop).unwrap();
    assert_eq!(model.generate(&[7], &GenerateOptions::greedy(20).stopping_at(stop)), all[..first]);
}

#[test]
fn ignored_positions_change_nothing() {
    let model = model(&Device::flex().autodiff());
    let value = |loss: Option<Tensor<1>>| loss.unwrap().into_scalar::<f32>();
    let one = value(model.loss(&[1, 2, 3], &[2, 3, 4], 1));
    let other = value(model.loss(&[5, 6, 7], &[-100, 7, -100], 1));
    let padded = value(model.loss(&[1, 2, 3, 5, 6, 7], &[2, 3, 4, -100, 7, -100], 2));
    assert!((padded - (3.0 * one + other) / 4.0).abs() < 1e-5, "the mean is over targets, not over rows");
    assert!(model.loss(&[1, 2], &[-100, -100], 1).is_none());
}

#[test]
fn initialisation_is_gpt2s() {
    let device = Device::flex();
    device.seed(5);
    let config = Gpt2Config { n_embd: 192, n_layer: 8, ..config() };
    let model = Gpt2::init(&config, &device);
    let std = |tensor: Tensor<2>| {
        let values = tensor.into_data().try_to_vec::<f32>().unwrap();
        (values.iter().map(|x| f64::from(x * x)).sum::<f64>() / values.len() as f64).sqrt()
    };
    for (got, want) in [
        (std(model.wte.weight.val()), 0.02),
        (std(model.wpe.weight.val()), 0.01),
        (std(model.h[0].attn.c_attn.weight.val()), 0.02),
        (std(model.h[0].attn.c_proj.weight.val()), 0.02 / 4.0),
        (std(model.h[7].mlp.c_proj.weight.val()), 0.02 / 4.0),
    ] {
        assert!((got / want - 1.0).abs() < 0.05, "{got} {want}");
    }
    assert_eq!(model.num_params(), config.parameters());
}

#[test]
#[should_panic(expected = "a sequence of 17 tokens in a context of 16")]
fn a_sequence_beyond_the_context_panics() {
    let _ = logits(&model(&Device::flex()), &[0; 17]);
}
