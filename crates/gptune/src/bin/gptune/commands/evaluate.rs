use anyhow::{Result, bail};
use gptune::{device, model, tell_left_out};
use gptune_data::{OrderStream, Part};
use gptune_score::ratio_interval;
use gptune_train::{Measure, ModelInput, Packing, Prepared, evaluate};
use serde_json::json;

use super::{batch_config, choose_data, open_data, print_json};
use crate::{
    args::EvaluateArgs,
    console::{self, Plain, print_line},
};

pub(crate) fn run(args: &EvaluateArgs) -> Result<()> {
    let opened = model::open_model(&args.model, &Plain)?;
    let template = opened.template(args.text.prompt_style.as_deref(), &Plain)?;
    let context = opened.folder.config.n_positions;
    let chosen = choose_data(args.data.as_deref(), &opened.about, &template, context, args.force)?;
    let split = args.split.unwrap_or_else(|| chosen.part(Part::Val));
    let mut config = batch_config(&args.batch, chosen.config, context)?;
    args.text.name_fields(&mut config.source);
    let device = device::resolve(&args.device)?.device;
    let (source, _) = open_data(&config, chosen.fingerprint.as_deref())?;
    let bar = console::bar(0, "examples");
    let reading = config.source.reading()?;
    let target =
        ModelInput { tokenizer: &opened.tokenizer, template: &template, padding: opened.special.pad, context, reading };
    let data = Prepared::new(source, &target, &config.data, |n| bar.inc(n))?;
    bar.finish_and_clear();
    tell_left_out(&data.left_out, &Plain);
    let loader = data.loader(split)?;
    console::tell_cut(&loader, config.data.max_length);
    let (model, _) = opened.folder.load(None, &device)?;
    let batches = if args.batches == 0 { loader.len() } else { args.batches.min(loader.len()) };
    let bar = console::bar(batches as u64, "batches");
    let mut order = OrderStream::new(config.run.order, config.run.seed);
    let packing = Packing { rows: !args.no_packing, prefix: !args.no_prefix_sharing };
    let measure = Measure { batches: args.batches, packing, sequences: true };
    let result = evaluate(&model, &loader, &mut order, measure, || {
        bar.inc(1);
        true
    });
    bar.finish_and_clear();
    let Some(result) = result.filter(|result| result.loss.is_finite()) else {
        bail!("the loss of '{}' on this data is not a finite number; its weights are damaged", args.model);
    };
    let token_loss = result.token_loss();
    let sums: Vec<(f64, f64)> = result.sequences.iter().map(|&(loss, count)| (loss, count as f64)).collect();
    let (low, high) = ratio_interval(&sums);
    if args.json {
        return print_json(&json!({
            "split": split.name(),
            "loss": result.loss,
            "batches": result.batches,
            "target_tokens": result.target_tokens,
            "token_loss": token_loss,
            "token_loss_low": low,
            "token_loss_high": high,
            "perplexity": token_loss.exp(),
            "perplexity_low": low.exp(),
            "perplexity_high": high.exp(),
        }));
    }
    print_line(format_args!(
        "{split} loss {:.4}, the mean over {} batches of {}, as in training",
        result.loss, result.batches, config.data.batch_size
    ))?;
    print_line(format_args!(
        "{split} loss {token_loss:.4} ({low:.4} to {high:.4}) a token, perplexity {:.2} ({:.2} to {:.2}), over {} targets, \
         with 95 % intervals",
        token_loss.exp(),
        low.exp(),
        high.exp(),
        result.target_tokens
    ))
}
