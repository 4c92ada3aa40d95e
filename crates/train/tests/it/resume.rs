use burn::tensor::Device;
use gptune_data::{Order, Tokenizer};
use gptune_run::Event;
use gptune_train::{DecayOn, PretrainConfig, Pretraining, Schedule, TextBlocks};

use crate::world;

#[test]
fn a_run_in_pieces_is_the_run_in_one() {
    let plain = world::config().with(|s| {
        s.run.max_steps = 40;
        s.run.eval_every = 3;
    });
    let configs = [
        plain.clone(),
        plain.clone().with(|s| {
            s.run.order = Order::Length;
            s.optim.max_grad_norm = 0.5;
        }),
        plain.clone().with(|s| {
            s.optim.train_only = vec!["h".to_owned()];
            s.optim.weight_decay_on = DecayOn::Matrices;
            s.optim.schedule = Schedule::Wsd;
            s.optim.warmup = 0.1;
        }),
        plain.with(|s| {
            s.run.order = Order::Shuffle;
            s.run.dropout = 0.1;
            s.data.batch_size = 4;
            s.optim.grad_accum = 2;
        }),
    ];
    for config in configs {
        let (events, best, weights) = world::run_in_pieces(&config, &[]);
        // After the first step; after one whose evaluation is due and not made; in the second epoch.
        let (pieces, same_best, same) = world::run_in_pieces(&config, &[0, 3, 7, 29]);
        assert_eq!(pieces.len(), events.len(), "{config:?}");
        for (piece, event) in pieces.iter().zip(&events) {
            assert_eq!(piece, event, "{config:?}");
        }
        assert_eq!(best, same_best);
        assert!(weights == same, "{config:?}");
    }
}

#[test]
fn training_from_scratch_in_pieces_is_that_in_one() {
    let tokenizer = Tokenizer::gpt2().unwrap();
    let text = "The cat sat on the mat. The dog sat on the log. The cow sat on a bow.\n\n".repeat(40);
    let text = TextBlocks::new("x", &text, 16, &tokenizer).unwrap().with_compact_vocabulary(&[], &tokenizer).unwrap();
    let config =
        PretrainConfig { batch_size: 4, steps: 40, lr: 1e-2, warmup: 3, eval_every: 7, ..PretrainConfig::default() };
    let sizes = world::model_config(true);
    let training = Pretraining::new(&sizes, &text, &config).unwrap();
    let in_pieces = |stops: &[usize]| {
        let device = Device::flex().autodiff();
        world::in_pieces(stops, |checkpoint, sink, keeper, stop| match checkpoint {
            None => training.run(&device, sink, keeper, stop).unwrap(),
            Some(checkpoint) => training.resume(checkpoint, &device, sink, keeper, stop).unwrap(),
        })
    };
    let (events, _, weights) = in_pieces(&[]);
    // The text has fewer blocks than these steps take, so that the second pass is among them.
    assert!(events.iter().any(|event| matches!(event, Event::Step { epoch: 2, .. })), "{events:?}");
    let (pieces, _, same) = in_pieces(&[0, 6, 7, 29]);
    assert_eq!(pieces, events);
    assert!(weights == same);
}

#[test]
fn a_run_in_pieces_is_as_patient_and_keeps_the_same_models() {
    // A learning rate that goes too far, and ends the run long before its last step.
    let config = world::config().with(|s| {
        s.optim.lr = 0.3;
        s.run.eval_every = 2;
        s.run.sample_tokens = 0;
        s.run.keep_best = true;
        s.run.patience = 3;
    });
    let (events, best, weights) = world::run_in_pieces(&config, &[]);
    let Some(Event::End { out_of_patience: true, .. }) = events.last() else { panic!("{:?}", events.last()) };
    let evaluations: Vec<usize> = events
        .iter()
        .filter_map(|event| if let Event::Eval { step, .. } = event { Some(*step) } else { None })
        .collect();
    // After the best model, after the first evaluation that is none, and before the one that ends the run.
    let last = evaluations[evaluations.len() - 1];
    let stops = [best[best.len() - 1].step, last - 4, last - 1];
    let (pieces, same_best, same) = world::run_in_pieces(&config, &stops);
    assert_eq!(pieces, events);
    assert_eq!(same_best, best);
    assert!(same == weights);
}
