use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use burn::module::Module;
use gptune_data::{Example, Part, PromptStyle, Tokenizer};
use gptune_model::{Gpt2, Gpt2Config};
use gptune_report::{LossPlot, svg_to_png};
use gptune_train::{
    Ending, Event, Observer, Outcome, Prepared, RunFolder, TrainConfig, TrainError, Trainer, is_finite, responses_json,
};
use gptune_weights::Precision;
use serde_json::{Map, Value, json};

use super::{convert::write_folder, doctor::guard, print_json, respond::answer_all, score::Report};
use crate::{
    args::TrainArgs,
    console::{self, Console, print_line},
    device, model_source, resolve,
    run_report::{self, Asked, Facts},
};

pub(crate) fn run(args: &TrainArgs) -> Result<()> {
    // Everything that can be wrong with the input is found out before anything is written.
    let mut config = resolve::train_config(args)?;
    if args.dry_run {
        return dry_run(&config, args.json);
    }
    let out = resolve::out_folder(args, &config);
    RunFolder::check(&out)?;
    let chosen = device::resolve(&config.device)?;
    config.device.clone_from(&chosen.name);
    let folder = model_source::open_model(&config.model)?;
    if config.tie_head && !folder.config.tie_word_embeddings {
        bail!(
            "'{}' has an output head of its own, which --tie-head would throw away; leave out --tie-head",
            config.model
        );
    }
    config.max_length = config.max_length.min(folder.config.n_positions);

    let console = Console::new(args.json);
    let tokenizer = Tokenizer::gpt2()?;
    let (dataset, bytes) = model_source::open_data_bytes(&config.data)?;
    let fingerprint = run_report::fingerprint(&bytes);
    drop(bytes);
    let bar = console::bar(dataset.examples.len() as u64, "examples");
    let data = Prepared::new(dataset, &tokenizer, &config, folder.config.n_positions, |n| bar.inc(n))?;
    bar.finish_and_clear();
    let trainer = Trainer::new(&config, &data, &tokenizer)?;

    device::check_size(&chosen, &folder.config)?;
    guard(&chosen, args.force, &console)?;
    device::set_precision(&chosen, config.precision)?;
    let device = chosen.device.clone().autodiff();
    device.seed(u64::from(config.seed)); // dropout is all that draws from it
    let (model, model_config) = folder.with_dropout(config.dropout).load(Some(config.tie_head), &device)?;
    if !is_finite(&model.valid()) {
        bail!("the model '{}' holds numbers that are not finite; give another one", config.model);
    }

    let run = RunFolder::create(&out, &config)?;
    let facts = Facts { started: jiff::ZonedDateTime::now(), data: &data, fingerprint, chosen: &chosen };
    tell_beginning(&console, &config, &data, &model_config, &trainer);
    let stop = stop_on_ctrl_c();
    let preview = &data.examples(Part::Test)[..config.preview.min(data.examples(Part::Test).len())];
    let answers = |model: &Gpt2, examples: &[Example]| {
        answer_all(model, &tokenizer, config.prompt_style, examples, config.response_tokens, &stop)
    };
    let before = answers(&model.valid(), preview)?;

    let mut keeper = Keeper {
        run,
        console,
        events: Vec::new(),
        model_config,
        style: config.prompt_style,
        tokenizer: &tokenizer,
        book_losses: book_losses(&config),
    };
    let Outcome { model, ending, steps } = trainer.run(model, &mut keeper, &stop)?;
    let Keeper { run, console, events, .. } = keeper;

    let mut files = write_plots(&run, &events)?;
    let mut asked: &[Example] = &[];
    let mut after = Vec::new();
    let mut answered = true;
    if ending == Ending::Completed {
        // The preview is the beginning of the test part, and is not answered twice.
        asked = if config.respond { data.examples(Part::Test) } else { preview };
        after = answers(&model, asked)?;
        answered = after.len() == asked.len();
        tell_answers(&console, preview, &before, &after);
    }
    let judged = Asked { examples: asked, before: &before, after: &after };
    if answered && config.respond && ending == Ending::Completed {
        files.extend(write_answers(&run, &judged)?);
    }
    // Part of the answers is no measure of the model.
    let scores = if answered { judged.scores()? } else { None };
    if let Some(scores) = &scores {
        files.push(("scores", run.write("scores.json", run_report::to_json(scores)?.as_bytes())?));
    }
    let page = run_report::page(&run, &config, &facts, &events, ending, &judged, scores.as_ref())?;
    files.push(("report", run.write("report.html", page.as_bytes())?));
    if let Ending::NotFinite { step } = ending {
        bail!(
            "the loss of step {step} is not a number, so training stopped there; the last good model is in {} and the \
             metrics are beside it; try a smaller --lr",
            run.join("model").display()
        );
    }
    files.push(("model", run.join("model")));
    if let Some(scores) = &scores {
        console.say(&format!("{}\n", run_report::summary(scores)));
    }
    for (what, path) in &files {
        console.say(&format!("{what:>10}  {}", path.display()));
    }
    console.say(&what_next(&run, &config, ending, answered, [steps, trainer.steps()]));
    if args.json {
        let completed = ending == Ending::Completed && answered;
        print_json(&summary_json(&run, steps, completed, events.last(), &files, scores.as_ref()))?;
    }
    Ok(())
}

/// Shows the settings of a run, and the requests for what is not on this machine.
fn dry_run(config: &TrainConfig, json: bool) -> Result<()> {
    let mut requests = Vec::new();
    let mut places = Vec::new();
    for (name, remote) in [
        (&config.model, model_source::remote_model(&config.model)),
        (&config.data, model_source::remote_data(&config.data)),
    ] {
        let Some(remote) = remote else { continue };
        match remote.on_this_machine()? {
            Some(path) => places.push((name, path)),
            None => requests.extend(remote.requests()?),
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
    print_line(format_args!("\nRequests:\n{}", requests.join("\n")))
}

/// What the book prints before training, where a run is its chapter 7 to the letter.
fn book_losses(config: &TrainConfig) -> Option<[f64; 2]> {
    let book = TrainConfig { model: config.model.clone(), data: config.data.clone(), ..TrainConfig::default() };
    let medium = ["gpt2-medium", "355M", "openai-community/gpt2-medium"].contains(&config.model.as_str());
    let same = config.data == "book"
        && (config.seed, config.order, config.prompt_style) == (book.seed, book.order, book.prompt_style)
        && (config.batch_size, config.max_length, config.eval_batches)
            == (book.batch_size, book.max_length, book.eval_batches)
        && (config.train_limit, config.mask_instructions) == (book.train_limit, book.mask_instructions);
    (medium && same).then_some([3.826, 3.762])
}

/// Takes note of events in the run folder and on the console, and keeps models.
struct Keeper<'a> {
    run: RunFolder,
    console: Console,
    events: Vec<Event>,
    model_config: Gpt2Config,
    style: PromptStyle,
    tokenizer: &'a Tokenizer,
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
        write_folder(model, &config, self.style, self.tokenizer, &self.run.join("model"), Precision::F32)
            .map_err(|error| TrainError::Observer(error.into()))
    }
}

/// A flag that Ctrl-C sets; pressed again, it ends the program at once.
pub(super) fn stop_on_ctrl_c() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    let mut first: Option<Instant> = None;
    let installed = ctrlc::set_handler(move || {
        // One press can arrive twice, from the terminal and from whoever started us.
        if first.is_some_and(|first| first.elapsed() > Duration::from_millis(300)) {
            std::process::exit(130);
        }
        first.get_or_insert_with(Instant::now);
        if !flag.swap(true, Ordering::Relaxed) {
            eprintln!("\nstopping after this step; press Ctrl-C again to stop at once");
        }
    });
    if let Err(error) = installed {
        eprintln!("warning: Ctrl-C will end the program at once ({error})");
    }
    stop
}

fn write_plots(run: &RunFolder, events: &[Event]) -> Result<Vec<(&'static str, PathBuf)>> {
    let Some(plot) = LossPlot::from_events(events) else { return Ok(Vec::new()) };
    let svg = plot.to_svg();
    let png = svg_to_png(&svg, 2.0).context("cannot draw the loss plot")?;
    run.write("loss-plot.png", &png)?;
    Ok(vec![("plot", run.write("loss-plot.svg", svg.as_bytes())?)])
}

/// The document of `--json`.
fn summary_json(
    run: &RunFolder,
    steps: usize,
    completed: bool,
    last: Option<&Event>,
    files: &[(&str, PathBuf)],
    scores: Option<&Report>,
) -> Value {
    let text = |path: &Path| json!(path.display().to_string());
    let paths: Map<_, _> = files.iter().map(|(what, path)| ((*what).to_owned(), text(path))).collect();
    json!({
        "out": text(run.path()),
        "steps": steps,
        "completed": completed,
        "last_event": last,
        "files": paths,
        "scores": scores,
    })
}

/// Writes the book's responses file, and the same of the model before training if it was asked everything.
fn write_answers(run: &RunFolder, asked: &Asked<'_>) -> Result<Vec<(&'static str, PathBuf)>> {
    let write = |what, name, answers: &[String]| -> Result<_> {
        let text = responses_json(asked.examples.iter().zip(answers.iter().map(String::as_str)));
        Ok((what, run.write(name, text.as_bytes())?))
    };
    let mut files = vec![write("responses", ANSWERS, asked.after)?];
    if asked.before.len() == asked.after.len() {
        files.push(write("before", "instruction-data-before-training.json", asked.before)?);
    }
    Ok(files)
}

fn tell_beginning(console: &Console, config: &TrainConfig, data: &Prepared, model: &Gpt2Config, trainer: &Trainer<'_>) {
    let part = |part| data.examples(part).len();
    console.say(&format!(
        "Model {}: {} blocks, {} wide, {:.1} million parameters, on {}",
        config.model,
        model.n_layer,
        model.n_embd,
        model.parameters() as f64 / 1e6,
        config.device
    ));
    console.say(&format!(
        "Data {}: {} training, {} test, {} validation examples; {} steps of batch {}",
        data.dataset.origin,
        part(Part::Train),
        part(Part::Test),
        part(Part::Val),
        trainer.steps(),
        config.batch_size
    ));
    if !data.preflight.leaks.is_empty() {
        console.say(&format!(
            "Note: {} test or validation examples repeat an instruction and input of the training part (entries {}{})",
            data.preflight.leaks.len(),
            data.preflight.leaks.iter().take(10).map(usize::to_string).collect::<Vec<_>>().join(", "),
            if data.preflight.leaks.len() > 10 { ", …" } else { "" }
        ));
    }
    if data.preflight.cut > 0 {
        console.say(&format!(
            "Note: {} training examples are longer than {} tokens and lose their end, so that they do not teach to stop",
            data.preflight.cut, config.max_length
        ));
    }
}

/// Answers that the console shows; the report shows all of them.
const SHOWN: usize = 3;

fn tell_answers(console: &Console, examples: &[Example], before: &[String], after: &[String]) {
    let line = |text: &str| text.replace('\n', " ");
    for ((example, before), after) in examples.iter().zip(before).zip(after).take(SHOWN) {
        let input = if example.input.is_empty() { String::new() } else { format!(" | {}", line(&example.input)) };
        console.say(&format!("\n{}{input}", line(&example.instruction)));
        console.say(&format!("  wanted: {}", line(&example.output)));
        console.say(&format!("  before: {}", shortened(&line(before))));
        console.say(&format!("  after:  {}", shortened(&line(after))));
    }
    if !examples.is_empty() {
        console.say("");
    }
}

/// At most 100 characters of a line, and something to see where there are none.
fn shortened(line: &str) -> String {
    match line.char_indices().nth(100) {
        _ if line.is_empty() => "(nothing)".to_owned(),
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// The file of a run with the answers on the test part.
const ANSWERS: &str = "instruction-data-with-response.json";

/// What to type next.
fn what_next(
    run: &RunFolder,
    config: &TrainConfig,
    ending: Ending,
    answered: bool,
    [steps, all]: [usize; 2],
) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "gptune".to_owned());
    let (model, recipe) = (run.join("model"), run.join("config.toml"));
    let (model, recipe) = (model.display(), recipe.display());
    if ending == Ending::Interrupted {
        // The configuration of a run is a recipe.
        format!(
            "Stopped after {steps} of {all} steps; the model so far is complete. To go on from it with a fresh optimizer:\n  \
             {program} train --recipe \"{recipe}\" --model \"{model}\""
        )
    } else if !answered {
        format!(
            "Stopped while answering; the model is complete. To answer the test part:\n  {program} respond --model \
             \"{model}\" --max-new-tokens {} --device {} --out \"{}\"",
            config.response_tokens,
            config.device,
            run.join(ANSWERS).display()
        )
    } else {
        format!(
            "Next, continue a text:   {program} generate --model \"{model}\" --stop-at-eot --prompt \"...\"\n\
             Train on your own data:  {program} train --data FILE.json\n\
             Train the real GPT-2:    {program} train --recipe gpt2-small"
        )
    }
}
