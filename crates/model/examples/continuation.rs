//! Logits, loss and continuations of a small GPT-2 with random weights: what it says means nothing.

use std::{error::Error, time::Instant};

use burn::tensor::Device;
use gptune_model::{GenerateOptions, Gpt2, Gpt2Config, Packed, Supervised};

fn main() -> Result<(), Box<dyn Error>> {
    let released = Gpt2Config::named("124M").ok_or("no such size")?;
    let config = Gpt2Config { n_layer: 4, n_head: 4, n_embd: 128, n_positions: 256, vocab_size: 1000, ..released };
    config.validate()?;
    let device = Device::flex();
    device.seed(123);
    let model = Gpt2::init(&config, &device);
    println!("{} blocks, {} wide, {} parameters", config.n_layer, config.n_embd, config.parameters());

    // A row a token; what all prompts begin with is there once.
    let prompts: [&[u32]; 3] = [&[10, 20, 30, 40, 1], &[10, 20, 30, 40, 2, 3], &[10, 20, 30, 40, 4]];
    let packed = Packed::new(&prompts, true);
    let tokens: usize = prompts.iter().map(|prompt| prompt.len()).sum();
    println!("{tokens} tokens of {} prompts: logits of {:?}", prompts.len(), model.logits(&packed).dims());

    // Each position predicts the next token, and the last one none.
    let targets: Vec<Vec<i64>> =
        prompts.iter().map(|ids| ids[1..].iter().map(|&id| id.into()).chain([-100]).collect()).collect();
    let sequences: Vec<_> = prompts.iter().zip(&targets).map(|(ids, targets)| (*ids, targets.as_slice())).collect();
    let batch = Supervised::mean(&sequences, true).ok_or("no target")?;
    let (loss, chance) = (model.loss(&batch).into_scalar::<f32>(), (config.vocab_size as f64).ln());
    println!("loss {loss:.3}, where guessing has {chance:.3}");

    let options = GenerateOptions { temperature: 0.8, top_k: Some(50), seed: 7, ..GenerateOptions::greedy(8) };
    model.generate_batch(&prompts, &options, &|| true, |prompt, new| println!("prompt {prompt}: {new:?}"));

    let started = Instant::now();
    let new = model.generate(prompts[0], &GenerateOptions { max_new_tokens: 200, ..options });
    println!("{} tokens more, {:.0} a second", new.len(), new.len() as f64 / started.elapsed().as_secs_f64());
    Ok(())
}
