use anyhow::Result;
use gptune_data::{OrderStream, Tokenizer};
use gptune_train::Prepared;

use super::{batch_config, print_json};
use crate::{
    args::{BatchesArgs, DataArgs, DataCommand},
    console::{self, print_line},
    model_source,
};

pub(crate) fn run(args: &DataArgs) -> Result<()> {
    match &args.command {
        DataCommand::Batches(args) => batches(args),
    }
}

fn batches(args: &BatchesArgs) -> Result<()> {
    let config = batch_config(&args.batch, args.prompt_style, usize::MAX)?;
    let dataset = model_source::open_data(&args.data)?;
    let bar = console::bar(dataset.examples.len() as u64, "examples");
    // There is no model: the context is that of every released one, or what was asked for.
    let context = config.max_length.max(1024);
    let data = Prepared::new(dataset, &Tokenizer::gpt2()?, &config, context, |n| bar.inc(n))?;
    bar.finish_and_clear();
    let loader = data.loader(args.split)?;
    let mut order = OrderStream::new(config.order, config.seed);
    let batches: Vec<_> = loader.iter(&mut order).take(args.limit.unwrap_or(usize::MAX)).collect();
    if args.json {
        return print_json(&batches);
    }
    for (index, batch) in batches.iter().enumerate() {
        print_line(format_args!(
            "batch {index}: {} x {}, {} tokens of its own, {} targets",
            batch.rows,
            batch.width,
            batch.tokens,
            batch.target_tokens()
        ))?;
    }
    Ok(())
}
