//! The model of the lowest validation loss, and patience.

use gptune_run::Event;
use gptune_train::Ending;

use crate::world::{self, Settings};

/// Validation losses, with the step that each followed.
fn evaluations(events: &[Event]) -> Vec<(usize, f64)> {
    let loss = |event: &Event| match event {
        Event::Eval { step, val_loss, .. } => Some((*step, *val_loss)),
        _ => None,
    };
    events.iter().filter_map(loss).collect()
}

/// A learning rate that goes too far after a while.
fn unsteady() -> Settings {
    world::config().with(|s| {
        s.optim.lr = 0.3;
        s.run.eval_every = 2;
        s.run.max_steps = 46;
        s.run.sample_tokens = 0;
    })
}

#[test]
fn the_model_of_each_new_lowest_loss_is_kept() {
    let (outcome, recorder) = world::run(&unsteady().with(|s| s.run.keep_best = true), None);
    let (mut lowest, mut wanted) = (f64::INFINITY, Vec::new());
    for (step, loss) in evaluations(&recorder.events) {
        if loss < lowest {
            lowest = loss;
            wanted.push((step, loss));
        }
    }
    let kept: Vec<(usize, f64)> = recorder.best.iter().map(|best| (best.step, best.val_loss)).collect();
    assert_eq!(kept, wanted);
    assert!(kept.len() > 1 && kept.len() < evaluations(&recorder.events).len(), "some are, some are not: {kept:?}");
    assert_eq!(outcome.best.map(|best| (best.step, best.val_loss)), kept.last().copied());
    let (_, without) = world::run(&unsteady(), None);
    assert!(without.best.is_empty());
    assert_eq!(evaluations(&without.events), evaluations(&recorder.events), "keeping changes nothing");
}

#[test]
fn patience_ends_a_run_as_if_it_were_over() {
    let (_, whole) = world::run(&unsteady(), None);
    let losses = evaluations(&whole.events);
    let patience = 3;
    // The first evaluation that has as many before it without a new lowest.
    let (mut lowest, mut waited) = (f64::INFINITY, 0);
    let end = losses.iter().position(|&(_, loss)| {
        waited = if loss < lowest { 0 } else { waited + 1 };
        lowest = lowest.min(loss);
        waited == patience
    });
    let end = end.expect("this learning rate goes too far");
    assert!(end + 1 < losses.len(), "before the run would be over");
    let (outcome, recorder) = world::run(&unsteady().with(|s| s.run.patience = patience), None);
    assert_eq!(outcome.ending, Ending::OutOfPatience);
    assert_eq!(evaluations(&recorder.events), losses[..=end]);
    let [.., Event::Final { step, .. }, Event::End { out_of_patience: true, interrupted: false, .. }] =
        &recorder.events[..]
    else {
        panic!("{:?}", recorder.events.last())
    };
    assert_eq!((*step, outcome.steps), (losses[end].0, losses[end].0 + 1));
}
