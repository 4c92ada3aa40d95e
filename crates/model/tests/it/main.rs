//! Properties of the model that hold for any weights.
// A helper that unwraps fails its test, as it should.
#![allow(clippy::unwrap_used)]

use burn::{
    module::{Module, ModuleVisitor, Param},
    optim::GradientsParams,
    tensor::{Device, Tensor},
};
use gptune_model::{GenerateOptions, Gpt2, Gpt2Config, Packed, Sequence, Supervised};

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
    model.logits(&Packed::new(&[ids], false)).into_data().try_to_vec().unwrap()
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
fn new_tokens_are_the_mean_of_the_known_ones() {
    let model = model(&Device::flex());
    let old: Vec<f32> = model.wte.weight.val().into_data().try_to_vec().unwrap();
    let [rows, width] = model.wte.weight.val().dims();
    for (known, tokens) in [(rows, rows + 2), (rows - 3, rows - 1)] {
        let grown = model.clone().with_new_tokens(known, tokens);
        let new: Vec<f32> = grown.wte.weight.val().into_data().try_to_vec().unwrap();
        assert_eq!(new.len(), tokens.max(rows) * width);
        assert_eq!(new[..known * width], old[..known * width]);
        assert_eq!(new[tokens * width..], old[(tokens * width).min(old.len())..]);
        for at in 0..width {
            let mean = (0..known).map(|row| old[row * width + at]).sum::<f32>() / known as f32;
            for row in known..tokens {
                assert!((new[row * width + at] - mean).abs() < 1e-6);
            }
        }
        assert_eq!(grown.head_weight().dims()[0], tokens.max(rows));
    }
}

#[test]
fn ignored_positions_change_nothing() {
    let model = model(&Device::flex().autodiff());
    let value =
        |sequences: &[Sequence<'_>]| model.loss(&Supervised::mean(sequences, false).unwrap()).into_scalar::<f32>();
    let one = value(&[(&[1, 2, 3], &[2, 3, 4])]);
    let other = value(&[(&[5, 6, 7], &[-100, 7, -100])]);
    let both = value(&[(&[1, 2, 3], &[2, 3, 4]), (&[5, 6, 7], &[-100, 7, -100])]);
    assert!((both - (3.0 * one + other) / 4.0).abs() < 1e-5, "the mean is over targets, not over rows");
}

/// Loss and the gradient of every parameter.
fn loss_and_gradients(model: &Gpt2, batch: &Supervised) -> Vec<Vec<f32>> {
    struct Collect<'a>(&'a GradientsParams, Vec<Vec<f32>>);
    impl ModuleVisitor for Collect<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.1.push(self.0.get::<D>(param.id).unwrap().into_data().try_to_vec().unwrap());
        }
    }
    let loss = model.loss(batch);
    let value = loss.clone().into_scalar::<f32>();
    let gradients = GradientsParams::from_grads(loss.backward(), model);
    let mut collect = Collect(&gradients, vec![vec![value]]);
    model.visit(&mut collect);
    collect.1
}

#[test]
fn packing_and_prefix_sharing_change_no_loss_and_no_gradient() {
    let device = Device::flex().autodiff();
    device.seed(3);
    let model = Gpt2::init(&config(), &device);
    let mut state = 1_u32;
    let mut random = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % below
    };
    for round in 0..12 {
        // A common beginning, then tails of their own, padded to one width; some targets masked,
        // in some rounds all of a row's.
        let (prefix, rows) = ([0, 1, 4, 7][round % 4], 1 + random(4) as usize);
        let start: Vec<u32> = (0..prefix).map(|_| random(53)).collect();
        let tail = |random: &mut dyn FnMut(u32) -> u32| if round == 5 { 0 } else { random(7) };
        let mut sequences: Vec<(Vec<u32>, Vec<i64>)> = Vec::new();
        for row in 0..rows {
            let length = tail(&mut random);
            let ids: Vec<u32> =
                start.iter().copied().chain((0..length.max(u32::from(prefix == 0))).map(|_| random(53))).collect();
            let masked = |row: usize| row > 0 && round % 3 == 2;
            let targets = ids.iter().map(|_| if masked(row) || random(4) == 0 { -100 } else { i64::from(random(53)) });
            let mut targets: Vec<i64> = targets.collect();
            if row == 0 {
                targets[0] = 5;
            }
            sequences.push((ids, targets));
        }
        let width = sequences.iter().map(|(ids, _)| ids.len()).max().unwrap();
        let padded: Vec<(Vec<u32>, Vec<i64>)> = sequences
            .iter()
            .map(|(ids, targets)| {
                let padding = width - ids.len();
                ([ids.clone(), vec![52; padding]].concat(), [targets.clone(), vec![-100; padding]].concat())
            })
            .collect();
        let run = |sequences: &[(Vec<u32>, Vec<i64>)], share| {
            let sequences: Vec<Sequence<'_>> =
                sequences.iter().map(|(ids, targets)| (ids.as_slice(), targets.as_slice())).collect();
            loss_and_gradients(&model, &Supervised::mean(&sequences, share).unwrap())
        };
        let want = run(&padded, false);
        for (name, got) in [
            ("packed", run(&sequences, false)),
            ("shared", run(&padded, true)),
            ("packed and shared", run(&sequences, true)),
        ] {
            for (index, (got, want)) in got.iter().zip(&want).enumerate() {
                let norm = want.iter().map(|x| f64::from(x * x)).sum::<f64>().sqrt().max(1e-6);
                let difference = got.iter().zip(want).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
                assert!(difference <= 1e-5 * norm, "round {round}, {name}, tensor {index}: {}", difference / norm);
            }
        }
    }
}

#[test]
fn a_batch_of_prompts_is_continued_as_each_alone() {
    let model = model(&Device::flex());
    let prompts: [&[u32]; 7] =
        [&[7], &[1, 2, 3, 4, 5], &[1, 2, 3], &[1, 2, 3, 4, 5, 6, 7, 8, 9], &[9; 16], &[4; 21], &[1, 2, 3]];
    let shared: [&[u32]; 4] = [&[1, 2, 3, 4], &[1, 2, 3], &[1, 2, 3, 9, 9, 9], &[1, 2, 3, 5]];
    let alone = model.generate(&[7], &GenerateOptions::greedy(20));
    for prompts in [&prompts[..], &shared] {
        for options in [
            GenerateOptions::greedy(1),
            GenerateOptions::greedy(20),
            GenerateOptions::greedy(20).stopping_at(alone[5]),
            GenerateOptions { temperature: 1.0, top_k: Some(9), seed: 3, ..GenerateOptions::greedy(12) },
        ] {
            let mut got = vec![None; prompts.len()];
            model.generate_batch(prompts, &options, &|| true, |index, ids| {
                assert!(got[index].replace(ids).is_none(), "reported once");
            });
            for (prompt, got) in prompts.iter().zip(got) {
                assert_eq!(got.unwrap(), model.generate(prompt, &options), "{prompt:?} {options:?}");
            }
        }
    }
    let mut reported = 0;
    let left = std::cell::Cell::new(3);
    let go_on = || {
        left.set(left.get() - 1);
        left.get() > 0
    };
    model.generate_batch(&prompts, &GenerateOptions::greedy(3), &go_on, |_, _| reported += 1);
    assert_eq!(reported, 0, "stopped before the third token");
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
