use anyhow::Result;
use gptune::{RunConfig, model, model::fitted, tell_left_out};
use gptune_data::{Batch, OrderStream, Template, Tokenizer};
use gptune_train::{ModelInput, Prepared};

use super::super::{batch_config, choose_data, open_data, print_json};
use crate::{
    args::BatchesArgs,
    console::{self, Plain, print_line},
};

pub(super) fn batches(args: &BatchesArgs) -> Result<()> {
    let opened = args.model.as_deref().map(|model| model::open_model(model, &Plain)).transpose()?;
    let given = args.text.prompt_style.as_deref();
    let (tokenizer, template, padding, mut config, context, fingerprint) = if let Some(opened) = opened {
        let template = opened.template(given, &Plain)?;
        let context = opened.folder.config.n_positions;
        let chosen = choose_data(Some(&args.data), &opened.about, &template, context, args.force)?;
        let config = batch_config(&args.batch, chosen.config, context)?;
        (opened.tokenizer, template, opened.special.pad, config, context, chosen.fingerprint)
    } else {
        let template = given.map(Template::find).transpose()?.unwrap_or_default();
        let mut config = RunConfig::default();
        config.source.data.clone_from(&args.data);
        let config = batch_config(&args.batch, config, usize::MAX)?;
        // There is no model: the context is that of every released one, or what was asked for.
        let context = config.data.max_length.max(1024);
        (Tokenizer::gpt2()?, template, None, config, context, None)
    };
    args.text.name_fields(&mut config.source);
    let tokenizer = fitted(tokenizer, &args.add_tokens, &template, &Plain)?;
    let (source, _) = open_data(&config, fingerprint.as_deref())?;
    let bar = console::bar(0, "examples");
    let reading = config.source.reading()?;
    let target = ModelInput { tokenizer: &tokenizer, template: &template, padding, context, reading };
    let data = Prepared::new(source, &target, &config.data, |n| bar.inc(n))?;
    bar.finish_and_clear();
    tell_left_out(&data.left_out, &Plain);
    let loader = data.loader(args.split)?;
    console::tell_cut(&loader, config.data.max_length);
    let mut order = OrderStream::new(config.run.order, config.run.seed);
    let batches: Vec<_> = loader.iter(&mut order).take(args.limit.unwrap_or(usize::MAX)).collect();
    if args.json {
        return print_json(&batches.iter().map(Batch::rectangle).collect::<Vec<_>>());
    }
    for (index, batch) in batches.iter().enumerate() {
        print_line(format_args!(
            "batch {index}: {} x {}, {} tokens of its own, {} targets",
            batch.sequences.len(),
            batch.width(),
            batch.tokens(),
            batch.target_tokens()
        ))?;
    }
    Ok(())
}
