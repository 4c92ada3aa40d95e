mod end;
mod notes;
mod resume;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use burn::module::Module;
use gptune_data::{Example, Part};
use gptune_model::{Gpt2, Gpt2Config};
use gptune_run::{Checkpoint, Event, RunFolder, read_events};
use gptune_train::{ModelInput, Observer, Prepared, Respondent, Source, TrainConfig, TrainError, TrainState, Trainer};
use gptune_weights::Precision;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::end::{End, Next};
use super::{
    convert::{Belongings, write_folder},
    doctor::guard,
    print_json,
    respond::answer_all,
};
use crate::{
    about::{About, Training},
    args::TrainArgs,
    console::{self, Console, print_line},
    data_source,
    device::{self, Chosen},
    interrupt,
    model_source::{self, BUILT_IN, Opened, Rest},
    resolve::{self, Given, Resolved},
    run_report::Facts,
};

pub(crate) fn run(args: &TrainArgs) -> Result<()> {
    // Everything that can be wrong with the input is found out before anything is written.
    if let Some(path) = &args.resume {
        return match resume::plan(path, args)? {
            Some(plan) => carry_out(plan, args),
            None => Ok(()),
        };
    }
    let Resolved { mut config, recipe, given } = resolve::train_config(args)?;
    if args.dry_run {
        return dry_run(&config, args.json);
    }
    if let Some(out) = &args.out {
        RunFolder::check(out)?;
    }
    let chosen = device::resolve(&config.device)?;
    config.device.clone_from(&chosen.name);
    let opened = model_source::open_model(&config.model)?;
    let console = Console::new(args.json);
    follow_training(&mut config, &opened.about, given, &console);
    let base = opened.base(&config.model);
    config.max_length = config.max_length.min(opened.folder.config.n_positions);
    resolve::anchor(&mut config);
    carry_out(Plan { config, recipe, base, chosen, opened, console, beginning: Beginning::New }, args)
}

/// A run, before anything of it is done.
struct Plan {
    config: TrainConfig,
    /// Which recipe was taken, as the user should be told.
    recipe: Option<String>,
    /// The model that the first of all trainings started from.
    base: String,
    chosen: Chosen,
    opened: Opened,
    console: Console,
    beginning: Beginning,
}

/// Where a run begins.
enum Beginning {
    /// In a folder of its own.
    New,
    /// In the folder of one that was broken off before anything was stored.
    Again(PathBuf),
    /// In the folder of one that was broken off, with what was stored.
    Resumed(PathBuf, Box<Checkpoint>, Remembered),
}

/// What a stored state remembers beside the state of the training.
#[derive(Serialize, Deserialize)]
struct Remembered {
    /// The configuration, as `config.toml`.
    config: String,
    /// Of the data.
    fingerprint: String,
    /// The model that the first of all trainings started from.
    base: String,
    /// Answers to the preview before training.
    before: Vec<String>,
}

fn carry_out(plan: Plan, args: &TrainArgs) -> Result<()> {
    let Plan { config, recipe, base, chosen, opened, console, beginning } = plan;
    if config.tie_head && !opened.folder.config.tie_word_embeddings {
        bail!(
            "'{}' has an output head of its own, which --tie-head would throw away; leave out --tie-head",
            config.model
        );
    }
    let context = opened.folder.config.n_positions;
    let (source, fingerprint) = data_source::open(&config, false)?;
    if let Beginning::Resumed(path, _, remembered) = &beginning
        && remembered.fingerprint != fingerprint
    {
        bail!(
            "the data are not what {} is trained on (their digest was {}, and is {fingerprint}); give them as they were",
            path.display(),
            remembered.fingerprint
        );
    }
    let (folder, rest) = opened.apart();
    let Rest { tokenizer, special, about: _ } = rest;
    let target = ModelInput { tokenizer: &tokenizer, padding: special.pad, context, prompts_only: false };
    let bar = console::bar(0, "examples");
    let preferences = matches!(&source, Source::Whole(dataset) if dataset.looks_like_preferences());
    let data = Prepared::new(source, target, &config, |n| bar.inc(n))?;
    bar.finish_and_clear();
    let trainer = Trainer::new(&config, &data, &tokenizer)?;

    device::check_size(&chosen, &folder.config)?;
    guard(&chosen, args.force, &console)?;
    device::set_precision(&chosen, config.precision)?;
    let device = chosen.device.clone().autodiff();
    device.seed(u64::from(config.seed)); // dropout is all that draws from it
    let folder = folder.with_dropout(config.dropout);
    let (model, model_config) = match &beginning {
        // What was stored fills it.
        Beginning::Resumed(..) => (Gpt2::init(&folder.config, &device), folder.config.clone()),
        _ => folder.load(Some(config.tie_head), &device)?,
    };

    let text = config.to_toml()?;
    let run = open_run(&beginning, args, || resolve::run_name(args, &base, &config), &text)?;
    if !data.left_out.is_empty() {
        let lines: Vec<String> = data.left_out.iter().map(|left| left.entry.to_json(&left.origin) + "\n").collect();
        run.write(LEFT_OUT, lines.concat().as_bytes())?;
    }
    let facts =
        Facts { started: jiff::ZonedDateTime::now(), data: &data, fingerprint: fingerprint.clone(), chosen: &chosen };
    notes::beginning(&console, &config, &data, &model_config, &trainer);
    notes::choices(&console, &config, recipe.as_deref(), preferences, &data);
    let resumed = matches!(beginning, Beginning::Resumed(..));
    if base == BUILT_IN && config.data != "sample" && !resumed {
        notes::unknown_words(&console, &model.valid(), &tokenizer, &data, &config);
    }
    console.say("");
    let stop = interrupt::listen();
    let preview = &data.examples(Part::Test)[..config.preview.min(data.examples(Part::Test).len())];
    let answers = |model: &Gpt2, examples: &[Example]| {
        let respondent = Respondent {
            model,
            tokenizer: &tokenizer,
            style: config.prompt_style,
            special_tokens: config.special_tokens,
            max_new_tokens: config.response_tokens,
        };
        answer_all(&respondent, examples, &stop)
    };
    let events = if resumed { read_events(&run.join("metrics.jsonl"))? } else { Vec::new() };
    let (checkpoint, before) = match beginning {
        Beginning::Resumed(_, checkpoint, remembered) => (Some(checkpoint), remembered.before),
        _ => (None, answers(&model.valid(), preview)?),
    };

    let about = About {
        prompt_style: Some(config.prompt_style),
        special_tokens: config.special_tokens,
        training: Some(Training::new(&base, &config, &fingerprint)),
        chat_template: None,
    };
    let mut keeper = Keeper {
        run,
        console,
        events,
        program: serde_json::to_value(Remembered {
            config: text,
            fingerprint: fingerprint.clone(),
            base: base.clone(),
            before: before.clone(),
        })?,
        model_config,
        kept: Belongings { tokenizer: &tokenizer, special, about: &about },
        book_losses: book_losses(&config),
    };
    let outcome = match checkpoint {
        Some(checkpoint) => trainer.resume(&checkpoint, model, &mut keeper, &stop)?,
        None => trainer.run(model, &mut keeper, &stop)?,
    };
    let Keeper { run, console, events, .. } = keeper;
    let next = Next { run: &run, config: &config, base: &base, tokenizer: &tokenizer, data: &data };
    let end =
        End { console: &console, events: &events, facts: &facts, preview, before: &before, next, json: args.json };
    end.conclude(outcome, trainer.steps(), &answers)
}

/// The folder of a run: a new one, or one whose metrics are cut back to where the run goes on.
fn open_run(beginning: &Beginning, args: &TrainArgs, name: impl Fn() -> String, config: &str) -> Result<RunFolder> {
    let run = match (beginning, &args.out) {
        (Beginning::New, Some(out)) => return Ok(RunFolder::create(out, config)?),
        (Beginning::New, None) => return Ok(RunFolder::create_named(Path::new("runs"), &name(), config)?),
        (Beginning::Again(path), _) => RunFolder::reopen(path, 0)?,
        (Beginning::Resumed(path, checkpoint, _), _) => RunFolder::reopen(path, checkpoint.metrics_bytes())?,
    };
    // What extends a run is part of it from here on.
    run.write("config.toml", config.as_bytes())?;
    Ok(run)
}

/// The file of a run with the entries of the data that were not trained on.
const LEFT_OUT: &str = "left-out.jsonl";

/// Lets texts become ids as they did for the model so far where nobody says otherwise; says so of a change.
fn follow_training(config: &mut TrainConfig, about: &About, given: Given, console: &Console) {
    let Some(own) = about.prompt_style else {
        if about.foreign_template().is_some() {
            console.say(&format!(
                "Note: the model has a chat template of its own, which is not used here; it is trained with the prompt style \
                 {} from here on",
                config.prompt_style
            ));
        }
        return;
    };
    if !given.prompt_style {
        config.prompt_style = own;
    } else if config.prompt_style != own {
        console.say(&format!(
            "Note: the model was trained with the prompt style {own}, and is trained with {} from here on",
            config.prompt_style
        ));
    }
    if !given.special_tokens {
        config.special_tokens = about.special_tokens;
    } else if config.special_tokens != about.special_tokens {
        let became = |taken| if taken { "as that token" } else { "as letters" };
        console.say(&format!(
            "Note: the model was trained with text that reads like a special token taken {}, and is trained with it taken \
             {} from here on",
            became(about.special_tokens),
            became(config.special_tokens)
        ));
    }
}

/// Shows the settings of a run, and the requests for what is not on this machine.
fn dry_run(config: &TrainConfig, json: bool) -> Result<()> {
    let (mut requests, mut places, mut outlines) = (Vec::new(), Vec::new(), Vec::new());
    let model = (config.model.as_str(), model_source::remote_model(&config.model));
    let data = data_source::parts(config).map(|data| (data, data_source::remote_data(data)));
    for (name, remote) in std::iter::once(model).chain(data) {
        let Some(remote) = remote else { continue };
        if let Some(path) = remote.on_this_machine()? {
            places.push((name, path));
        } else {
            requests.extend(remote.requests()?);
            outlines.extend(remote.outline());
        }
    }
    if json {
        return print_json(&json!({ "config": config, "requests": requests }));
    }
    print_line(config.to_toml()?.trim_end())?;
    for (name, path) in places {
        print_line(format_args!("\n{name} is in {}", path.display()))?;
    }
    if requests.is_empty() {
        return print_line("\nNothing to download.");
    }
    print_line(format_args!("\nRequests:\n{}", requests.join("\n")))?;
    outlines.iter().try_for_each(|outline| print_line(format_args!("\n{outline}")))
}

/// What the book prints before training, where a run is its chapter 7 to the letter.
fn book_losses(config: &TrainConfig) -> Option<[f64; 2]> {
    let book = TrainConfig { model: config.model.clone(), data: config.data.clone(), ..TrainConfig::default() };
    let medium = ["gpt2-medium", "355M", "openai-community/gpt2-medium"].contains(&config.model.as_str());
    let same = config.data == "book"
        && (config.seed, config.order, config.prompt_style) == (book.seed, book.order, book.prompt_style)
        && (config.batch_size, config.max_length, config.eval_batches)
            == (book.batch_size, book.max_length, book.eval_batches)
        && (config.train_limit, config.mask_instructions) == (book.train_limit, book.mask_instructions)
        && (config.split, config.split_seed, config.too_long) == (book.split, book.split_seed, book.too_long);
    (medium && same).then_some([3.826, 3.762])
}

/// Takes note of events in the run folder and on the console, and keeps models.
struct Keeper<'a> {
    run: RunFolder,
    console: Console,
    events: Vec<Event>,
    /// What is stored beside the state of the training.
    program: Value,
    model_config: Gpt2Config,
    kept: Belongings<'a>,
    book_losses: Option<[f64; 2]>,
}

impl Observer for Keeper<'_> {
    fn event(&mut self, event: &Event) -> Result<(), TrainError> {
        self.run.append(event)?;
        self.console.event(event);
        if let (Event::Initial { .. }, Some([train, val])) = (event, self.book_losses) {
            self.console.say(&format!("The book's PyTorch prints: Train loss {train:.3}, Val loss {val:.3}\n"));
        }
        self.events.push(event.clone());
        Ok(())
    }

    fn keep(&mut self, model: &Gpt2, _steps: usize) -> Result<(), TrainError> {
        // Dropout belongs to the run, not to the model that comes out of it.
        let config = Gpt2Config { dropout: 0.0, ..self.model_config.clone() };
        write_folder(model, &config, self.kept, &self.run.join("model"), Precision::F32)
            .map_err(|error| TrainError::Observer(error.into()))
    }

    fn store(&mut self, state: &TrainState) -> Result<(), TrainError> {
        if let Err(error) = self.run.store(&state.progress(), &self.program, state.tensors()) {
            console::note(&format!("Note: {error}; the run goes on, and what was stored before stays"));
        }
        Ok(())
    }
}
