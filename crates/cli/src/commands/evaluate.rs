use anyhow::{Result, bail};
use gptune_data::{OrderStream, Tokenizer};
use gptune_train::{Packing, Prepared, evaluate};
use serde_json::json;

use super::{batch_config, print_json};
use crate::{
    args::EvaluateArgs,
    console::{self, print_line},
    device, model_source,
};

pub(crate) fn run(args: &EvaluateArgs) -> Result<()> {
    let style = model_source::prompt_style(&args.model, args.prompt_style)?;
    let folder = model_source::open_model(&args.model)?;
    let config = batch_config(&args.batch, style, folder.config.n_positions)?;
    let device = device::resolve(&args.device)?.device;
    let dataset = model_source::open_data(&args.data)?;
    let bar = console::bar(dataset.examples.len() as u64, "examples");
    let data = Prepared::new(dataset, &Tokenizer::gpt2()?, &config, folder.config.n_positions, |n| bar.inc(n))?;
    bar.finish_and_clear();
    let loader = data.loader(args.split)?;
    let (model, _) = folder.load(None, &device)?;
    let batches = if args.batches == 0 { loader.len() } else { args.batches.min(loader.len()) };
    let bar = console::bar(batches as u64, "batches");
    let mut order = OrderStream::new(config.order, config.seed);
    let packing = Packing { rows: !args.no_packing, prefix: !args.no_prefix_sharing };
    let result = evaluate(&model, &loader, &mut order, args.batches, packing, || bar.inc(1));
    bar.finish_and_clear();
    if !result.loss.is_finite() {
        bail!("the loss of '{}' on this data is not a finite number; its weights are damaged", args.model);
    }
    if args.json {
        return print_json(&json!({
            "split": args.split.name(),
            "loss": result.loss,
            "batches": result.batches,
            "target_tokens": result.target_tokens,
        }));
    }
    print_line(format_args!(
        "{} loss {:.4} (perplexity {:.2}) over {} batches with {} targets",
        args.split,
        result.loss,
        result.loss.exp(),
        result.batches,
        result.target_tokens
    ))
}
