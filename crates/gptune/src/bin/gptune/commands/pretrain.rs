use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use gptune::{
    Voice,
    about::{About, absolute},
    data::fingerprint,
    device,
    folder::{Belongings, write_folder},
    self_check::guard,
    text::quoted,
};
use gptune_data::{DataError, Dataset, END_OF_TEXT, END_OF_TEXT_ID, Template, Tokenizer};
use gptune_model::{GenerateOptions, Gpt2, Gpt2Config};
use gptune_run::{Checkpoint, Csv, Event, RunError, RunFolder, RunState, RunSummary, Sink, read_events};
use gptune_train::{Ending, Keeper, PretrainConfig, Pretraining, TextBlocks, TrainError, TrainState};
use gptune_weights::{Precision, SpecialTokens};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{init::model_config, print_json, train::tell_complete};
use crate::{
    args::PretrainArgs,
    console::{self, Console, program},
    interrupt,
};

pub(crate) fn run(args: &PretrainArgs) -> Result<()> {
    let console = Console::new(args.json);
    if let Some(path) = &args.resume {
        return resume(path, args, &console);
    }
    let out = args.out.as_deref().context("--out names the new folder")?;
    RunFolder::check(out)?;
    let mut args = args.clone();
    args.device = device::resolve(&args.device)?.name;
    let task = prepare(&args, &console)?;
    let run = RunFolder::create(out, &settings(&args)?)?;
    train(&args, &task, &run, None, &console)
}

/// Goes on with a training that was broken off.
fn resume(path: &Path, given: &PretrainArgs, console: &Console) -> Result<()> {
    let summary = RunSummary::read(path)?;
    if summary.settings.get("text").is_none() {
        bail!("{} is no training from scratch; `{} train --resume` goes on with others", path.display(), program());
    }
    match summary.state {
        RunState::Complete => return tell_complete(path, given.json),
        RunState::Running => return Err(RunError::Busy { path: path.to_owned() }.into()),
        RunState::Failed(problem) => {
            bail!(
                "{} ended because {problem}, and would end there again; begin anew with a smaller --lr",
                path.display()
            )
        }
        RunState::Interrupted { .. } | RunState::Damaged(_) => {}
    }
    let settings = path.join("config.toml");
    let text = std::fs::read_to_string(&settings).with_context(|| format!("cannot read {}", settings.display()))?;
    let mut args: PretrainArgs =
        toml::from_str(&text).with_context(|| format!("{} is not what pretraining wrote", settings.display()))?;
    (args.force, args.json) = (given.force, given.json);
    let run = RunFolder::reopen(path)?;
    let checkpoint = Checkpoint::open(path)?.with_context(|| {
        format!("{} was broken off before anything was stored; begin anew, in another folder", path.display())
    })?;
    let remembered = checkpoint.program();
    if remembered["settings"] != self::settings(&args)? {
        bail!("{} says something else than the training was begun with; nothing of it may change", settings.display());
    }
    let task = prepare(&args, console)?;
    if remembered["fingerprint"] != task.fingerprint.as_str() {
        bail!("the text is not what {} is trained on; give it as it was", path.display());
    }
    console.say(&format!("Going on with {} after {} steps", path.display(), checkpoint.progress().step));
    run.cut_back(checkpoint.metrics_bytes())?;
    train(&args, &task, &run, Some(&checkpoint), console)
}

/// The settings as `config.toml`, with paths that mean the same from every folder.
fn settings(args: &PretrainArgs) -> Result<String> {
    let mut table = toml::Table::try_from(args).context("the settings have no form as TOML")?;
    for key in ["text", "also"] {
        for path in table.get_mut(key).and_then(toml::Value::as_array_mut).into_iter().flatten() {
            *path = absolute(path.as_str().unwrap_or_default()).into();
        }
    }
    Ok(table.to_string())
}

/// What is trained on what.
struct Task {
    text: TextBlocks,
    fingerprint: String,
    tokenizer: Tokenizer,
    sizes: Gpt2Config,
}

/// Reads the text, and makes sure that the model and the device can do with it.
fn prepare(args: &PretrainArgs, console: &Console) -> Result<Task> {
    let sizes = model_config(&args.sizes)?;
    if args.block_size > sizes.n_positions {
        bail!("--block-size {} has to be between 1 and --n-positions {}", args.block_size, sizes.n_positions);
    }
    guard(&device::resolve(&args.device)?, args.force, console)?;
    let tokenizer = Tokenizer::gpt2()?;
    let mut text = String::new();
    for path in &args.text {
        text += &std::fs::read_to_string(path)
            .map_err(|error| anyhow!("cannot read {}: {error}; --text takes files of plain text", path.display()))?;
        text += "\n\n";
    }
    let mut digest = Sha256::new_with_prefix(&text);
    let names: Vec<String> = args.text.iter().map(|path| path.display().to_string()).collect();
    let spinner = console::spinner("encoding the text");
    let mut text = TextBlocks::new(&names.join(" and "), &text, args.block_size, &tokenizer)?;
    spinner.finish_and_clear();
    if args.compact_vocabulary {
        let mut also = Vec::new();
        for path in &args.also {
            let dataset = Dataset::read(path).map_err(DataError::without_remedy)?;
            for example in &dataset.examples {
                let text = Template::default().training_text(example, &tokenizer)?;
                // The token that ends it is in every vocabulary; its letters need not be.
                also.push(text.strip_suffix(END_OF_TEXT).unwrap_or(&text).to_owned());
            }
        }
        for text in &also {
            digest.update(text);
        }
        text = text.with_compact_vocabulary(&also, &tokenizer)?;
    }
    let fingerprint = fingerprint(&digest.finalize());
    Ok(Task { text, fingerprint, tokenizer, sizes })
}

fn train(
    args: &PretrainArgs,
    task: &Task,
    run: &RunFolder,
    checkpoint: Option<&Checkpoint>,
    console: &Console,
) -> Result<()> {
    let Task { text, fingerprint, tokenizer, sizes } = task;
    let config = PretrainConfig {
        batch_size: args.batch_size,
        steps: args.steps,
        lr: args.lr,
        warmup: args.warmup,
        weight_decay: args.weight_decay,
        seed: args.sizes.seed,
        eval_every: 100,
        checkpoint: !args.no_checkpoint,
        checkpoint_every: args.checkpoint_every,
        checkpoint_minutes: args.checkpoint_minutes,
    };
    let training = Pretraining::new(sizes, text, &config)?;
    console.say(&format!(
        "{:.1} million parameters, {} tokens of text, {} tokens a step",
        sizes.parameters() as f64 / 1e6,
        text.train_tokens(),
        args.batch_size * args.block_size
    ));
    if let Some(vocabulary) = text.compact_vocabulary() {
        console.say(&format!("Training with {} tokens of the vocabulary", vocabulary.len()));
    }
    let past = if checkpoint.is_some() { read_events(&run.join("metrics.jsonl"))? } else { Vec::new() };
    let mut shown = Shown { run, csv: Csv::create(&run.join("metrics.csv"), &past)?, console, last: None };
    let mut written = Written {
        run,
        console,
        program: json!({ "settings": settings(args)?, "fingerprint": fingerprint }),
        sizes,
        tokenizer,
        precision: args.sizes.dtype.into(),
    };
    let stop = interrupt::listen();
    let device = device::resolve(&args.device)?.device.autodiff();
    let outcome = match checkpoint {
        None => training.run(&device, &mut shown, &mut written, &stop)?,
        Some(checkpoint) => training.resume(checkpoint, &device, &mut shown, &mut written, &stop)?,
    };
    let out = run.path().display();
    if let Ending::NotFinite(what) = outcome.ending {
        bail!(
            "{what}, so training stopped there; {out} holds what was written before, if anything was; try a smaller --lr"
        );
    }
    let interrupted = outcome.ending == Ending::Interrupted;
    if interrupted {
        interrupt::cut_short();
    } else {
        run.forget()?;
    }
    // A sample shows more than a loss.
    let ids = outcome.model.generate(&[END_OF_TEXT_ID], &GenerateOptions::greedy(60));
    console.say(&format!("Sample: {}", tokenizer.decode(&ids)?.replace('\n', " ")));
    console.say(&format!("The model is in {out}"));
    if interrupted && run.join("checkpoint").is_dir() {
        let run = quoted(&out.to_string());
        console.say(&format!(
            "Stopped after {} of {} steps. To go on as if nothing had happened:\n  {} pretrain --resume {run}",
            outcome.steps,
            args.steps,
            program()
        ));
    }
    if args.json {
        let (steps, completed) = (outcome.steps, !interrupted);
        print_json(&json!({
            "out": out.to_string(), "steps": steps, "completed": completed, "last_evaluation": shown.last,
        }))?;
    }
    Ok(())
}

/// Takes note of what happens, and remembers the last evaluation.
struct Shown<'a> {
    run: &'a RunFolder,
    csv: Csv,
    console: &'a Console,
    last: Option<Event>,
}

impl Sink for Shown<'_> {
    fn event(&mut self, event: &Event) -> Result<(), RunError> {
        self.run.append(event)?;
        self.csv.event(event)?;
        self.console.event(event);
        if matches!(event, Event::Eval { .. }) {
            self.last = Some(event.clone());
        }
        Ok(())
    }
}

/// Writes models and states.
struct Written<'a> {
    run: &'a RunFolder,
    console: &'a Console,
    /// What is stored beside the state of the training.
    program: Value,
    sizes: &'a Gpt2Config,
    tokenizer: &'a Tokenizer,
    precision: Precision,
}

impl Keeper for Written<'_> {
    fn keep(&mut self, model: &Gpt2, _steps: usize) -> Result<(), TrainError> {
        let special = SpecialTokens::all(END_OF_TEXT_ID);
        let kept = Belongings { tokenizer: self.tokenizer, special, about: &About::default() };
        write_folder(model, self.sizes, kept, self.run.path(), self.precision)
            .map_err(|error| TrainError::Keeper(error.into()))
    }

    fn store(&mut self, state: &TrainState) -> Result<(), TrainError> {
        if let Err(error) = self.run.store(&state.progress(), &self.program, state.tensors()) {
            self.console.note(&format!("Note: {error}; the run goes on, and what was stored before stays"));
        }
        Ok(())
    }
}
