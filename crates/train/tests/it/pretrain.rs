use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use gptune_data::Tokenizer;
use gptune_model::Gpt2;
use gptune_run::{Event, RunError, Sink};
use gptune_train::{Ending, Keeper, PretrainConfig, Pretraining, TextBlocks, TrainError};

use crate::world;

struct Losses(Vec<f64>);

impl Sink for Losses {
    fn event(&mut self, event: &Event) -> Result<(), RunError> {
        if let Event::Step { loss, .. } = event {
            self.0.push(*loss);
        }
        Ok(())
    }
}

/// Steps of the model that was kept last.
struct Steps(usize);

impl Keeper for Steps {
    fn keep(&mut self, _: &Gpt2, steps: usize) -> Result<(), TrainError> {
        self.0 = steps;
        Ok(())
    }
}

#[test]
fn a_model_learns_a_repetitive_text_from_nothing() {
    let tokenizer = Tokenizer::gpt2().unwrap();
    let text = "The cat sat on the mat. The dog sat on the log.\n\n".repeat(40);
    let text = TextBlocks::new("x", &text, 16, &tokenizer).unwrap();
    let config = PretrainConfig {
        batch_size: 4,
        steps: 30,
        lr: 1e-2,
        warmup: 3,
        weight_decay: 0.0,
        seed: 1,
        eval_every: 10,
        ..PretrainConfig::default()
    };
    let mut losses = Losses(Vec::new());
    let mut steps = Steps(0);
    let device = Device::flex().autodiff();
    let (stop, sizes) = (AtomicBool::new(false), world::model_config(true));
    let outcome =
        Pretraining::new(&sizes, &text, &config).unwrap().run(&device, &mut losses, &mut steps, &stop).unwrap();
    assert_eq!((outcome.ending, outcome.steps, steps.0), (Ending::Completed, 30, 30));
    let losses = losses.0;
    // About ln(50257) = 10.8 at first.
    assert!((losses[0] - 10.8).abs() < 0.1, "{}", losses[0]);
    assert!(losses[29] < losses[0] - 3.0, "{losses:?}");
}

/// Adam's first step moves a parameter by the learning rate, whatever its gradient (Kingma and Ba, 2015, section 2.1).
#[test]
fn the_first_step_moves_parameters_by_its_learning_rate() {
    let tokenizer = Tokenizer::gpt2().unwrap();
    let text = "The cat sat on the mat. The dog sat on the log.\n\n".repeat(40);
    let text = TextBlocks::new("x", &text, 16, &tokenizer).unwrap();
    for (warmup, lr) in [(10, 1e-3), (1, 1e-2)] {
        let config = PretrainConfig {
            batch_size: 4,
            steps: 1,
            lr: 1e-2,
            warmup,
            weight_decay: 0.0,
            seed: 1,
            eval_every: 10,
            ..PretrainConfig::default()
        };
        assert!((config.learning_rate(0) - lr).abs() < 1e-12);
        let device = Device::flex().autodiff();
        let (stop, sizes) = (AtomicBool::new(false), world::model_config(true));
        let outcome =
            Pretraining::new(&sizes, &text, &config).unwrap().run(&device, &mut Vec::new(), &mut (), &stop).unwrap();
        assert_eq!(outcome.steps, 1);
        // The biases are zeros before.
        let bias = outcome.model.h[0].mlp.c_fc.bias.val().into_data().try_to_vec::<f32>().unwrap();
        let largest = bias.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
        assert!((f64::from(largest) - lr).abs() < 1e-3 * lr, "warm-up {warmup}: {largest}");
    }
}
