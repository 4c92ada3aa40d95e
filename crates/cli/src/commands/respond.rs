use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use gptune_data::{Example, PromptStyle, Split, Tokenizer};
use gptune_model::Gpt2;
use gptune_train::{respond, responses_json};
use serde_json::json;

use super::{check_writable, print_json};
use crate::{
    args::RespondArgs,
    console::{self, print_line},
    device, model_source,
};

pub(crate) fn run(args: &RespondArgs) -> Result<()> {
    let style = model_source::prompt_style(&args.model, args.prompt_style)?;
    let run = model_source::run_of(&args.model);
    let Some(data) = args.data.clone().or(run.map(|config| config.data)) else {
        bail!("which data? give --data; only a model in a run folder remembers what it was trained on");
    };
    let folder = model_source::open_model(&args.model)?;
    let dataset = model_source::open_data(&data)?;
    let part = Split::new(dataset.examples.len()).part(args.split);
    let part = part.start..part.end.min(part.start + args.limit.unwrap_or(usize::MAX).min(part.len()));
    let examples = &dataset.examples[part];
    if args.limit == Some(0) {
        bail!("--limit 0 leaves nothing to answer; give at least 1, or leave it out");
    }
    if examples.is_empty() {
        bail!("the {} part of {} has no examples; choose another --split", args.split, dataset.origin);
    }
    check_writable(&args.out)?;
    let device = device::resolve(&args.device)?.device;
    let tokenizer = Tokenizer::gpt2()?;
    let (model, _) = folder.load(None, &device)?;
    let answers = answer_all(&model, &tokenizer, style, examples, args.max_new_tokens, &AtomicBool::new(false))?;
    let text = responses_json(examples.iter().zip(answers.iter().map(String::as_str)));
    gptune_files::write(&args.out, text.as_bytes()).with_context(|| format!("cannot write {}", args.out.display()))?;
    if args.json {
        return print_json(&json!({ "responses": answers.len(), "out": args.out.display().to_string() }));
    }
    print_line(format_args!("{} responses in {}", answers.len(), args.out.display()))
}

/// Answers examples, with a bar; fewer of them if `stop` is set.
pub(crate) fn answer_all(
    model: &Gpt2,
    tokenizer: &Tokenizer,
    style: PromptStyle,
    examples: &[Example],
    max_new_tokens: usize,
    stop: &AtomicBool,
) -> Result<Vec<String>> {
    let bar = console::bar(examples.len() as u64, "responses");
    let answers = respond(model, tokenizer, style, examples, max_new_tokens, || {
        bar.inc(1);
        !stop.load(Ordering::Relaxed)
    });
    bar.finish_and_clear();
    Ok(answers.context("no responses")?.into_iter().map(|answer| answer.text).collect())
}
