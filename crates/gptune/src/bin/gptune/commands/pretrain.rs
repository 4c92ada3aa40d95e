use anyhow::{Context, Result, anyhow, bail};
use gptune::{
    Voice,
    about::About,
    device,
    folder::{Belongings, write_folder},
    self_check::guard,
};
use gptune_data::{DataError, Dataset, END_OF_TEXT_ID, PromptStyle, Tokenizer};
use gptune_model::{Gpt2, Gpt2Config};
use gptune_run::{Event, RunError, RunFolder, Sink};
use gptune_train::{Ending, Keeper, PretrainConfig, TextBlocks, TrainError, pretrain};
use gptune_weights::SpecialTokens;
use serde_json::json;

use super::{init::model_config, print_json};
use crate::{
    args::PretrainArgs,
    console::{self, Console},
    interrupt,
};

pub(crate) fn run(args: &PretrainArgs) -> Result<()> {
    RunFolder::check(&args.out)?;
    let model_config = model_config(&args.sizes)?;
    if args.block_size > model_config.n_positions {
        bail!("--block-size {} has to be between 1 and --n-positions {}", args.block_size, model_config.n_positions);
    }
    let chosen = device::resolve(&args.device)?;
    let console = Console::new(args.json);
    guard(&chosen, args.force, &console)?;
    let tokenizer = Tokenizer::gpt2()?;
    let mut text = String::new();
    for path in &args.text {
        text += &std::fs::read_to_string(path)
            .map_err(|error| anyhow!("cannot read {}: {error}; --text takes files of plain text", path.display()))?;
        text += "\n\n";
    }
    let names: Vec<String> = args.text.iter().map(|path| path.display().to_string()).collect();
    let spinner = console::spinner("encoding the text");
    let mut text = TextBlocks::new(&names.join(" and "), &text, args.block_size, &tokenizer)?;
    spinner.finish_and_clear();
    if args.compact_vocabulary {
        let mut also = Vec::new();
        for path in &args.also {
            let dataset = Dataset::read(path).map_err(DataError::without_remedy)?;
            also.extend(dataset.examples.iter().map(|example| PromptStyle::Book.training_text(example)));
        }
        text = text.with_compact_vocabulary(&also, &tokenizer)?;
    }
    let config = PretrainConfig {
        batch_size: args.batch_size,
        steps: args.steps,
        lr: args.lr,
        warmup: args.warmup,
        weight_decay: args.weight_decay,
        seed: args.sizes.seed,
        eval_every: 100,
    };
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot write {}", args.out.display()))?;
    console.say(&format!(
        "{:.1} million parameters, {} tokens of text, {} tokens a step",
        model_config.parameters() as f64 / 1e6,
        text.train_tokens(),
        args.batch_size * args.block_size
    ));
    if let Some(vocabulary) = text.compact_vocabulary() {
        console.say(&format!("Training with {} tokens of the vocabulary", vocabulary.len()));
    }
    let mut shown = Shown { console: &console, last: None };
    let mut written = Written { args, model_config: &model_config, tokenizer: &tokenizer };
    let stop = interrupt::listen();
    let outcome = pretrain(&model_config, &text, &config, &chosen.device.autodiff(), &mut shown, &mut written, &stop)?;
    if let Ending::NotFinite(what) = outcome.ending {
        bail!("{what}, so nothing was written; try a smaller --lr");
    }
    if outcome.ending == Ending::Interrupted {
        interrupt::cut_short();
    }
    // A sample shows more than a loss.
    let ids = outcome.model.generate(&[END_OF_TEXT_ID], &gptune_model::GenerateOptions::greedy(60));
    console.say(&format!("Sample: {}", tokenizer.decode(&ids)?.replace('\n', " ")));
    console.say(&format!("The model is in {}", args.out.display()));
    if args.json {
        print_json(
            &json!({ "out": args.out.display().to_string(), "steps": outcome.steps, "last_evaluation": shown.last }),
        )?;
    }
    Ok(())
}

/// Shows what happens, and remembers the last evaluation.
struct Shown<'a> {
    console: &'a Console,
    last: Option<Event>,
}

impl Sink for Shown<'_> {
    fn event(&mut self, event: &Event) -> Result<(), RunError> {
        self.console.event(event);
        if matches!(event, Event::Eval { .. }) {
            self.last = Some(event.clone());
        }
        Ok(())
    }
}

/// Writes the model.
struct Written<'a> {
    args: &'a PretrainArgs,
    model_config: &'a Gpt2Config,
    tokenizer: &'a Tokenizer,
}

impl Keeper for Written<'_> {
    fn keep(&mut self, model: &Gpt2, _steps: usize) -> Result<(), TrainError> {
        let (out, precision) = (&self.args.out, self.args.sizes.dtype.into());
        let special = SpecialTokens::all(END_OF_TEXT_ID);
        let kept = Belongings { tokenizer: self.tokenizer, special, about: &About::default() };
        write_folder(model, self.model_config, kept, out, precision).map_err(|error| TrainError::Keeper(error.into()))
    }
}
