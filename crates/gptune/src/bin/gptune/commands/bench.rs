//! How fast this machine is at what gptune does.

use std::{sync::atomic::AtomicBool, time::Instant};

use anyhow::{Context, Result};
use burn::tensor::Device;
use gptune::{RunConfig, data, device, model};
use gptune_data::{Order, OrderStream, Part, Template, Tokenizer};
use gptune_kernels::slices::{Matrix, MatrixMut, Onto, matmul, matmul_totals};
use gptune_model::{GenerateOptions, Gpt2, Gpt2Config};
use gptune_run::{Event, RunError, Sink, peak_memory_bytes};
use gptune_train::{LoopConfig, Measure, ModelInput, Prepared, TrainError, Trainer, evaluate};
use serde::Serialize;
use serde_json::json;

use super::print_json;
use crate::{
    args::{BenchArgs, BenchTask},
    console::{Plain, print_line},
};

/// Batches of one evaluation, as in the book.
const EVAL_BATCHES: usize = 5;

/// One measurement.
#[derive(Debug, Clone, Copy, Serialize)]
struct Sample {
    seconds: f64,
    /// The examples' own tokens, or the new tokens of generation.
    tokens: usize,
    /// Time spent in matrix products.
    product_seconds: f64,
    /// Additions and multiplications in them.
    product_operations: u64,
}

pub(crate) fn run(args: &BenchArgs) -> Result<()> {
    gptune_kernels::set_fused(!args.plain_burn);
    let mut config = RunConfig::default();
    config.data.batch_size = args.batch_size.get();
    config.run = LoopConfig {
        max_steps: args.warmup + args.steps.get(),
        epochs: usize::MAX,
        eval: false,
        sample_tokens: 0,
        packing: !args.plain_burn,
        prefix_sharing: !args.plain_burn,
        ..config.run
    };
    let (folder, rest) = model::open_model(&args.model, &Plain)?.apart();
    if args.task == BenchTask::Products {
        return products(args, &folder.config);
    }
    let context = folder.config.n_positions;
    config.data.max_length = context;
    config.source.data.clone_from(&args.data);
    let tokenizer = rest.tokenizer;
    let template = Template::default();
    let reading = config.source.reading()?;
    let target = ModelInput { tokenizer: &tokenizer, template: &template, padding: rest.special.pad, context, reading };
    let data =
        Prepared::new(data::open(&config.source, &Plain)?.0, &target, &config.data, |_| ()).map_err(without_remedy)?;
    let device = device::resolve(&args.device)?.device;
    // Untied, as in fine-tuning.
    let load = |device: &Device| folder.load(Some(false), device).map(|(model, _)| model);
    let samples = match args.task {
        BenchTask::Train => train(&config, &data, &tokenizer, load(&device.autodiff())?)?,
        BenchTask::Evaluate => evaluations(&config.run, &data, &load(&device)?, args.warmup + args.steps.get())?,
        BenchTask::Generate => generate(args, &data, &tokenizer, &load(&device)?)?,
        BenchTask::Prompts | BenchTask::Products => return print_json(&prompts(args, &data, &tokenizer)?),
    };
    report(args, samples.get(args.warmup..).unwrap_or_default())
}

fn report(args: &BenchArgs, samples: &[Sample]) -> Result<()> {
    if args.json {
        return print_json(&json!({ "samples": samples, "peak_memory_bytes": peak_memory_bytes() }));
    }
    let mut speeds: Vec<f64> = samples.iter().map(|sample| sample.tokens as f64 / sample.seconds).collect();
    speeds.sort_by(f64::total_cmp);
    let median = speeds.get(speeds.len() / 2).context("nothing was measured; give --steps")?;
    let sum = |f: fn(&Sample) -> f64| samples.iter().map(f).sum::<f64>();
    let (seconds, product_seconds) = (sum(|sample| sample.seconds), sum(|sample| sample.product_seconds));
    let operations = sum(|sample| sample.product_operations as f64);
    print_line(format_args!(
        "{median:.1} tokens/s (median of {}), {:.1} % outside matrix products, these at {:.0} GFLOP/s, peak {:.2} GB",
        samples.len(),
        100.0 * (1.0 - product_seconds / seconds),
        operations / product_seconds / 1e9,
        peak_memory_bytes().map_or(f64::NAN, |bytes| bytes as f64 / 1e9),
    ))
}

/// Bad entries, for a command that leaves none out.
fn without_remedy(error: TrainError) -> TrainError {
    if let TrainError::Data(error) = error { error.without_remedy().into() } else { error }
}

/// Runs what is measured, which says how many tokens it worked on.
fn measure(work: impl FnOnce() -> Result<usize>) -> Result<Sample> {
    let (products, operations) = matmul_totals();
    let started = Instant::now();
    let tokens = work()?;
    let seconds = started.elapsed().as_secs_f64();
    let (products_after, operations_after) = matmul_totals();
    Ok(Sample {
        seconds,
        tokens,
        product_seconds: products_after.saturating_sub(products).as_secs_f64(),
        product_operations: operations_after - operations,
    })
}

/// Steps of the real loop.
fn train(config: &RunConfig, data: &Prepared, tokenizer: &Tokenizer, model: Gpt2) -> Result<Vec<Sample>> {
    struct Steps(Vec<Sample>, (std::time::Duration, u64));
    impl Sink for Steps {
        fn event(&mut self, event: &Event) -> Result<(), RunError> {
            if let Event::Step { seconds, tokens, .. } = event {
                let totals = matmul_totals();
                self.0.push(Sample {
                    seconds: *seconds,
                    tokens: *tokens,
                    product_seconds: totals.0.saturating_sub(self.1.0).as_secs_f64(),
                    product_operations: totals.1 - self.1.1,
                });
                self.1 = totals;
            }
            Ok(())
        }
    }
    let mut steps = Steps(Vec::new(), matmul_totals());
    let trainer = Trainer::new(&config.optim, &config.run, data, tokenizer)?;
    trainer.run(model, &mut steps, &mut (), &AtomicBool::new(false))?;
    Ok(steps.0)
}

/// Evaluations, each of the next five batches of the training part.
fn evaluations(config: &LoopConfig, data: &Prepared, model: &Gpt2, count: usize) -> Result<Vec<Sample>> {
    let loader = data.loader(Part::Train)?;
    let packing = config.packing();
    (0..count)
        .map(|index| {
            let seed = config.seed + u32::try_from(index).unwrap_or(0);
            let tokens = loader.iter(&mut OrderStream::new(Order::Torch, seed)).take(EVAL_BATCHES);
            let tokens = tokens.map(|batch| batch.tokens()).sum();
            measure(|| {
                let measure = Measure { batches: EVAL_BATCHES, packing, sequences: false };
                let _ = evaluate(model, &loader, &mut OrderStream::new(Order::Torch, seed), measure, || true);
                Ok(tokens)
            })
        })
        .collect()
}

/// Answers to the first instructions of the test part, none of which ends early.
fn generate(args: &BenchArgs, data: &Prepared, tokenizer: &Tokenizer, model: &Gpt2) -> Result<Vec<Sample>> {
    let prompts = prompts(args, data, tokenizer)?;
    let prompts: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
    let options = GenerateOptions::greedy(args.new_tokens.get()).within(tokenizer.vocab_size());
    (0..args.warmup + args.steps.get())
        .map(|_| {
            measure(|| {
                let mut tokens = 0;
                model.generate_batch(&prompts, &options, &|| true, |_, ids| tokens += ids.len());
                Ok(tokens)
            })
        })
        .collect()
}

/// The first instructions of the test part as prompts.
fn prompts(args: &BenchArgs, data: &Prepared, tokenizer: &Tokenizer) -> Result<Vec<Vec<u32>>> {
    let examples = data.examples(Part::Test, args.batch_size.get(), tokenizer)?;
    let encoder = data.config().encoder(tokenizer, data.template());
    Ok(examples.iter().map(|example| encoder.prompt(example)).collect::<Result<_, _>>()?)
}

/// The products of a training step on 283 rows, which is what the book's batches have on average when
/// their prefix is shared.
fn products(args: &BenchArgs, config: &Gpt2Config) -> Result<()> {
    const ROWS: usize = 283;
    let c = config.n_embd;
    let layers = [("attn.c_attn", c, 3 * c), ("attn.c_proj", c, c), ("mlp.c_fc", c, 4 * c), ("mlp.c_proj", 4 * c, c)];
    let mut results = Vec::new();
    let mut time = |name: String, [m, n, k]: [usize; 3], transposed: [bool; 2]| {
        let (left, right) = (vec![0.5_f32; m * k], vec![0.25_f32; k * n]);
        let view = |data, rows, columns, transposed| {
            if transposed { Matrix::new(data, columns, rows).transposed() } else { Matrix::new(data, rows, columns) }
        };
        let mut out = vec![0.0; m * n];
        let mut seconds: Vec<f64> = (0..args.warmup + args.steps.get())
            .map(|_| {
                let started = Instant::now();
                let (left, right) = (view(&left, m, k, transposed[0]), view(&right, k, n, transposed[1]));
                matmul(MatrixMut::new(&mut out, m, n), left, right, Onto::Zero);
                started.elapsed().as_secs_f64()
            })
            .skip(args.warmup)
            .collect();
        seconds.sort_by(f64::total_cmp);
        let speed = (2 * m * n * k) as f64 / seconds[seconds.len() / 2] / 1e9;
        results.push(json!({ "name": name, "m": m, "n": n, "k": k, "gflops": speed }));
    };
    for (name, d_in, d_out) in layers {
        time(format!("{name} forward"), [ROWS, d_out, d_in], [false, false]);
        // As `linear` computes it: with the weight on the left where that is faster.
        if d_in <= d_out {
            time(format!("{name} d input"), [d_in, ROWS, d_out], [false, true]);
        } else {
            time(format!("{name} d input"), [ROWS, d_in, d_out], [false, true]);
        }
        time(format!("{name} d weight"), [d_in, d_out, ROWS], [true, false]);
    }
    let v = config.vocab_size;
    time("head forward".to_owned(), [ROWS, v, c], [false, true]);
    time("head d input".to_owned(), [ROWS, c, v], [false, false]);
    time("head d weight".to_owned(), [v, c, ROWS], [true, false]);
    if args.json {
        return print_json(&json!({ "products": results }));
    }
    for product in results {
        let name = product["name"].as_str().unwrap_or_default();
        print_line(format_args!(
            "{name:24} {:>6} x {:>6} x {:>6}: {:6.1} GFLOP/s",
            product["m"],
            product["n"],
            product["k"],
            product["gflops"].as_f64().unwrap_or(f64::NAN)
        ))?;
    }
    Ok(())
}
