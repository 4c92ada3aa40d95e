use gptune_data::Order;
use gptune_run::Event;
use gptune_train::{Ending, NotFinite};

use crate::world;

fn count(events: &[Event], pick: fn(&Event) -> bool) -> usize {
    events.iter().filter(|event| pick(event)).count()
}

#[test]
fn a_request_to_stop_finishes_the_step_and_keeps_the_model() {
    let (outcome, recorder) = world::run(&world::config(), Some(3));
    assert_eq!((outcome.ending, outcome.steps), (Ending::Interrupted, 4));
    assert_eq!(count(&recorder.events, |event| matches!(event, Event::Step { .. })), 4);
    assert_eq!(recorder.kept, [(0, true), (4, true)]);
    assert!(matches!(recorder.events.last(), Some(Event::End { .. })));
}

#[test]
fn every_epoch_keeps_its_model() {
    let config = world::config().with(|s| {
        s.run.eval = false;
        s.run.sample_tokens = 0;
        s.data.train_limit = 24;
    });
    let (outcome, recorder) = world::run(&config, None);
    assert_eq!((outcome.ending, outcome.steps), (Ending::Completed, 6));
    assert_eq!(recorder.kept, [(0, true), (3, true), (6, true)]);
    assert_eq!(count(&recorder.events, |event| matches!(event, Event::Eval { .. } | Event::Initial { .. })), 0);
}

#[test]
fn a_loss_that_is_not_a_number_stops_the_run_and_keeps_the_last_good_model() {
    // A step this large leaves no finite activation. It shows in the evaluation after it or, without
    // one, in the next step.
    for (eval, what) in [(true, NotFinite::Evaluation(0)), (false, NotFinite::Step(1))] {
        let config = world::config().with(|s| {
            s.optim.lr = 1e30;
            s.run.eval = eval;
        });
        let (outcome, recorder) = world::run(&config, None);
        assert_eq!(outcome.ending, Ending::NotFinite(what));
        assert_eq!(recorder.kept, [(0, true)], "the model before the step that broke it");
        let is_eval = |event: &Event| matches!(event, Event::Eval { val_loss, .. } if val_loss.is_nan());
        assert_eq!(count(&recorder.events, is_eval), usize::from(eval), "the losses that ended it are told");
        assert_eq!(count(&recorder.events, |event| matches!(event, Event::Sample { .. } | Event::Final { .. })), 0);
    }
}

#[test]
fn an_update_that_breaks_the_model_is_found_even_if_no_loss_follows() {
    // Parameters that are enormous, and parameters that are infinite; the run's last step, and the
    // last step of an epoch.
    for lr in [1e30, 1e38] {
        for (max_steps, epochs, train_limit) in [(1, 1, 0), (0, 2, 8)] {
            let config = world::config().with(|s| {
                s.optim.lr = lr;
                s.run.eval = false;
                s.run.sample_tokens = 0;
                s.run.max_steps = max_steps;
                s.run.epochs = epochs;
                s.data.train_limit = train_limit;
            });
            let (outcome, recorder) = world::run(&config, None);
            assert_eq!(outcome.ending, Ending::NotFinite(NotFinite::Model(0)));
            assert_eq!(recorder.kept, [(0, true)]);
        }
    }
}

#[test]
fn the_shuffled_order_does_not_depend_on_evaluations() {
    let losses = |eval| {
        let config = world::config().with(|s| {
            s.run.eval = eval;
            s.run.order = Order::Shuffle;
            s.run.max_steps = 30;
            s.run.sample_tokens = 0;
        });
        let (_, recorder) = world::run(&config, None);
        let loss = |event: &Event| if let Event::Step { loss, .. } = event { Some(loss.to_bits()) } else { None };
        recorder.events.iter().filter_map(loss).collect::<Vec<_>>()
    };
    let with = losses(true);
    assert_eq!((with.len(), &with), (30, &losses(false)), "30 steps reach into the second epoch");
}

#[test]
fn two_runs_are_equal_bit_by_bit() {
    let config = world::config().with(|s| s.run.max_steps = 6);
    let losses = || {
        let (_, recorder) = world::run(&config, None);
        let loss = |event: &Event| match event {
            Event::Step { loss, .. } => vec![loss.to_bits()],
            Event::Eval { train_loss, val_loss, .. } => vec![train_loss.to_bits(), val_loss.to_bits()],
            _ => vec![],
        };
        recorder.events.iter().flat_map(loss).collect::<Vec<_>>()
    };
    assert_eq!(losses(), losses());
}

/// Losses of the steps of a run.
fn step_losses(config: &world::Settings) -> Vec<f64> {
    let (_, recorder) = world::run(config, None);
    let loss = |event: &Event| if let Event::Step { loss, .. } = event { Some(*loss) } else { None };
    recorder.events.iter().filter_map(loss).collect()
}

#[test]
fn two_batches_of_four_train_as_one_of_eight() {
    let whole = world::config().with(|s| {
        s.run.max_steps = 6;
        s.run.eval = false;
    });
    let halves = whole.clone().with(|s| {
        s.data.batch_size = whole.data.batch_size / 2;
        s.optim.grad_accum = 2;
    });
    let (whole, halves) = (step_losses(&whole), step_losses(&halves));
    assert_eq!(whole.len(), 6);
    for (a, b) in whole.iter().zip(&halves) {
        assert!((a - b).abs() < 1e-5 * a, "{whole:?} {halves:?}");
    }
}

#[test]
fn clipping_matters_only_when_gradients_are_long() {
    let config = world::config().with(|s| {
        s.run.max_steps = 6;
        s.run.eval = false;
    });
    let free = step_losses(&config);
    let loose = step_losses(&config.clone().with(|s| s.optim.max_grad_norm = 1e6));
    assert_eq!(free, loose);
    // AdamW does not see a constant factor, but one that changes from step to step.
    let tight = step_losses(&config.with(|s| s.optim.max_grad_norm = 1e-3));
    assert_ne!(free, tight);
    assert_eq!(free[0], tight[0]);
}

#[test]
fn dropout_is_drawn_for_each_sequence_whatever_they_share() {
    let losses = |prefix_sharing, dropout| {
        let config = world::config().with(|s| {
            s.run.max_steps = 3;
            s.run.eval = false;
            s.run.dropout = dropout;
            s.run.prefix_sharing = prefix_sharing;
        });
        let bits = |loss: f64| loss.to_bits();
        world::device().autodiff().seed(7);
        step_losses_with_dropout(&config).into_iter().map(bits).collect::<Vec<_>>()
    };
    // With shared prefixes the sequences would share their dropout, and other numbers would be drawn.
    assert_eq!(losses(true, 0.3), losses(false, 0.3));
    assert_ne!(losses(true, 0.3), losses(true, 0.0));
}

/// Losses of the steps of a run whose model drops out.
fn step_losses_with_dropout(config: &world::Settings) -> Vec<f64> {
    let (_, recorder) = world::run_dropping(config);
    let loss = |event: &Event| if let Event::Step { loss, .. } = event { Some(*loss) } else { None };
    recorder.events.iter().filter_map(loss).collect()
}

#[test]
fn the_evaluation_after_the_last_step_shifts_nothing() {
    let config = world::config().with(|s| s.run.max_steps = 7);
    let (_, recorder) = world::run(&config, None);
    let last: Vec<&Event> = recorder.events.iter().filter(|event| matches!(event, Event::Final { .. })).collect();
    let [Event::Final { step: 6, train_loss, val_loss, val_token_loss, val_perplexity }] = last[..] else {
        panic!("{last:?}")
    };
    assert!(train_loss.is_finite() && (val_token_loss.exp() - val_perplexity).abs() < 1e-12);
    // The mean of batch means and the mean over tokens are near each other, and not the same.
    assert!((val_loss - val_token_loss).abs() < 0.2 && val_loss != val_token_loss);
    let place = recorder.events.iter().position(|event| matches!(event, Event::Final { .. })).unwrap();
    assert!(matches!(recorder.events[place + 1..], [Event::End { interrupted: false, .. }]));
}
