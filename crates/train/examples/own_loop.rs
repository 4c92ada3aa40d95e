//! A loop of one's own around a step: a schedule, weight decay on matrices, AdamW by names.

use burn::{module::Module, optim::GradientsParams, tensor::Device};
use gptune_model::{GenerateOptions, Gpt2, Gpt2Config, Supervised};
use gptune_train::{AdamW, OptimConfig, Optimizer, Rates, Schedule, formula_weights};

fn main() {
    let config = Gpt2Config {
        n_layer: 2,
        n_head: 2,
        n_embd: 32,
        n_positions: 16,
        vocab_size: 50,
        tie_word_embeddings: true,
        layer_norm_epsilon: 1e-5,
        dropout: 0.0,
    };
    let mut model = formula_weights(Gpt2::init(&config, &Device::flex().autodiff()));
    let mut optimizer = Optimizer::new(AdamW::default());
    // To count on by threes.
    let ids: Vec<u32> = (0..12).map(|at| 3 * at % 50).collect();
    let targets: Vec<i64> = ids[1..].iter().map(|&id| i64::from(id)).collect();
    let Some(batch) = Supervised::mean(&[(&ids[..11], &targets)], true) else { unreachable!("it has targets") };

    let steps = 60;
    let settings = OptimConfig { lr: 1e-2, schedule: Schedule::Cosine, warmup: 5.0, ..OptimConfig::default() };
    let schedule = settings.learning_rate(steps);
    for step in 0..steps {
        let loss = model.loss(&batch);
        if step % 10 == 0 {
            println!(
                "step {step:2}: loss {:.4}, learning rate {:.5}",
                loss.clone().into_scalar::<f32>(),
                schedule.at(step)
            );
        }
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        let rates = |_name: &str, dimensions: usize| Rates {
            lr: schedule.at(step),
            weight_decay: if dimensions > 1 { settings.weight_decay } else { 0.0 },
        };
        model = optimizer.apply(model, gradients, &rates, 1.0);
    }
    println!("after 0 3 6: {:?}", model.valid().generate(&[0, 3, 6], &GenerateOptions::greedy(6)));
}
