use std::collections::HashMap;

use gptune_run::Event;
use gptune_train::{DecayOn, Schedule};
use serde::Deserialize;

use crate::world;

/// `fixtures/reference.json`: what PyTorch computed.
#[derive(Deserialize)]
struct Reference {
    runs: HashMap<String, Run>,
}

#[derive(Deserialize)]
struct Run {
    initial: [f64; 2],
    loss: Vec<f64>,
    eval: Vec<[f64; 2]>,
    tokens_seen: Vec<usize>,
    samples: Vec<Vec<u32>>,
    /// Of all gradients together, before they were clipped; empty where they were not.
    norms: Vec<f64>,
}

/// Both sides compute in f32, in another order of additions: a relative difference of a few 1e-7
/// to begin with, which the steps carry on.
const TOLERANCE: f64 = 2e-5;

fn assert_close(what: &str, got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len(), "{what}: count");
    for (index, (got, want)) in got.iter().zip(want).enumerate() {
        assert!((got - want).abs() <= TOLERANCE * want.abs(), "{what} {index}: {got}, PyTorch has {want}");
    }
}

fn compare(name: &str, config: &world::Settings) {
    let reference: Reference = serde_json::from_str(include_str!("../fixtures/reference.json")).unwrap();
    let want = &reference.runs[name];
    let (_, recorder) = world::run(config, None);
    let events = &recorder.events;
    let series = |pick: fn(&Event) -> Vec<f64>| events.iter().flat_map(pick).collect::<Vec<_>>();
    let initial = series(|event| match event {
        Event::Initial { train_loss, val_loss } => vec![*train_loss, *val_loss],
        _ => vec![],
    });
    let loss = series(|event| if let Event::Step { loss, .. } = event { vec![*loss] } else { vec![] });
    let eval = series(|event| match event {
        Event::Eval { train_loss, val_loss, .. } => vec![*train_loss, *val_loss],
        _ => vec![],
    });
    assert_close("initial loss", &initial, &want.initial);
    let norms = series(|event| match event {
        Event::Step { grad_norm, .. } => grad_norm.iter().copied().collect(),
        _ => vec![],
    });
    assert_close("batch loss", &loss, &want.loss);
    assert_close("norm of the gradients", &norms, &want.norms);
    assert_close("evaluation", &eval, want.eval.as_flattened());
    let seen = |event: &Event| if let Event::Eval { tokens_seen, .. } = event { Some(*tokens_seen) } else { None };
    assert_eq!(events.iter().filter_map(seen).collect::<Vec<_>>(), want.tokens_seen);
    let sample = |event: &Event| if let Event::Sample { ids, .. } = event { Some(ids.clone()) } else { None };
    assert_eq!(events.iter().filter_map(sample).collect::<Vec<_>>(), want.samples);
}

#[test]
fn two_epochs_of_the_books_method_are_pytorchs() {
    compare("book", &world::config());
}

#[test]
fn masked_instructions_are_pytorchs() {
    compare(
        "masked",
        &world::config().with(|s| {
            s.data.mask_instructions = true;
            s.run.max_steps = 12;
        }),
    );
}

#[test]
fn a_tied_head_is_pytorchs() {
    compare(
        "tied",
        &world::config().with(|s| {
            s.tie_head = true;
            s.run.max_steps = 12;
        }),
    );
}

#[test]
fn clipped_gradients_are_pytorchs() {
    let reference: Reference = serde_json::from_str(include_str!("../fixtures/reference.json")).unwrap();
    let norms = &reference.runs["clipped"].norms;
    assert!(norms.iter().any(|norm| *norm > 1.0) && norms.iter().any(|norm| *norm < 1.0), "both matter: {norms:?}");
    compare(
        "clipped",
        &world::config().with(|s| {
            s.optim.max_grad_norm = 1.0;
            s.run.max_steps = 12;
        }),
    );
}

#[test]
fn groups_of_parameters_and_a_schedule_are_pytorchs() {
    let config = world::config().with(|s| {
        s.run.max_steps = 12;
        s.optim.weight_decay = 50.0;
        s.optim.weight_decay_on = DecayOn::Matrices;
        s.optim.schedule = Schedule::Cosine;
        s.optim.warmup = 3.0;
    });
    compare("groups", &config);
}

#[test]
fn frozen_parameters_are_pytorchs() {
    let patterns = |patterns: &[&str]| patterns.iter().map(|&pattern| pattern.to_owned()).collect::<Vec<_>>();
    compare(
        "frozen",
        &world::config().with(|s| {
            s.run.max_steps = 12;
            s.optim.weight_decay = 10.0;
            s.optim.train_only = patterns(&["h.*.mlp", "ln_f"]);
        }),
    );
    // The norm is over what is trained.
    compare(
        "frozen_embeddings",
        &world::config().with(|s| {
            s.run.max_steps = 12;
            s.optim.max_grad_norm = 1.0;
            s.optim.freeze = patterns(&["wte", "transformer.wpe.weight"]);
        }),
    );
}

#[test]
fn an_evaluation_of_all_batches_is_pytorchs() {
    // 23 batches of about 500 tokens, of which 4096 are computed at once.
    compare(
        "everything",
        &world::config().with(|s| {
            s.run.eval_batches = 0;
            s.run.max_steps = 1;
        }),
    );
}
