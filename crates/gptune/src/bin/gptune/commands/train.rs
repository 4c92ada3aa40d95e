use std::path::Path;

use anyhow::Result;
use gptune::{
    Extension, Run, RunConfig, Trained, Voice,
    data::{self, data_flags},
    download::HubData,
    model::{self, BUILT_IN},
    summary,
    text::quoted,
};
use gptune_data::{Example, Part};
use gptune_run::Event;
use gptune_train::Ending;
use serde_json::{Map, Value, json};

use super::print_json;
use crate::{
    args::TrainArgs,
    console::{Console, Plain, print_line, program},
    interrupt,
    resolve::{self, Resolved},
};

pub(crate) fn run(args: &TrainArgs) -> Result<()> {
    let console = Console::new(args.json);
    let run = if let Some(path) = &args.resume {
        let more = Extension { epochs: args.epochs, max_steps: args.max_steps };
        match Run::resume(path, more, &console)? {
            Some(run) => run,
            None => return tell_complete(path, args.json),
        }
    } else {
        let Resolved { config, recipe, given } = resolve::train_config(args)?;
        if args.dry_run {
            return dry_run(&config, args.json);
        }
        let run = Run::new(config).given(given).recipe(recipe);
        let run = args.out.iter().fold(run, Run::out);
        args.name.iter().fold(run, Run::name)
    };
    let trained = run.force(args.force).start(&console, console.stop())?;
    if trained.ending == Ending::Interrupted || !trained.answered {
        interrupt::cut_short();
    }
    if let Some(scores) = &trained.scores {
        console.say(&format!("{}\n", summary(scores)));
    }
    for (what, path) in &trained.files {
        console.say(&format!("{what:>10}  {}", path.display()));
    }
    console.say(&next(&trained));
    if args.json { print_json(&summary_json(&trained)) } else { Ok(()) }
}

/// Says that there is nothing to go on with.
pub(super) fn tell_complete(path: &Path, json: bool) -> Result<()> {
    if json {
        return print_json(&json!({ "out": path.display().to_string(), "completed": true, "resumed": false }));
    }
    print_line(format_args!("{} is complete; there is nothing to go on with", path.display()))
}

/// Shows the settings of a run, and the requests for what is not on this machine.
fn dry_run(config: &RunConfig, json: bool) -> Result<()> {
    let (mut requests, mut places, mut outlines) = (Vec::new(), Vec::new(), Vec::new());
    let model = (config.source.model.as_str(), model::remote_model(&config.source.model, &Plain));
    let data = data::parts(&config.source).map(|data| (data, data::remote_data(data)));
    for name in data::parts(&config.source) {
        let Some(set) = (if data::is_here(name) { None } else { HubData::named(name)? }) else { continue };
        if let Some(path) = set.on_this_machine(&Plain)? {
            places.push((name, path));
        } else {
            requests.extend(set.requests()?);
            outlines.push(set.outline());
        }
    }
    for (name, remote) in std::iter::once(model).chain(data) {
        let Some(remote) = remote else { continue };
        if let Some(path) = remote.on_this_machine(&Plain)? {
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

/// The document of `--json`.
fn summary_json(trained: &Trained) -> Value {
    let Trained { folder, ending, answered, steps, events, files, scores, best, .. } = trained;
    let text = |path: &Path| json!(path.display().to_string());
    let paths: Map<_, _> = files.iter().map(|(what, path)| ((*what).to_owned(), text(path))).collect();
    json!({
        "out": text(folder),
        "steps": steps,
        "completed": ending.is_regular() && *answered,
        "out_of_patience": *ending == Ending::OutOfPatience,
        "last_event": events.last(),
        "initial": events.iter().find(|event| matches!(event, Event::Initial { .. })),
        "last_evaluation": events.iter().rfind(|event| matches!(event, Event::Eval { .. })),
        "best": best,
        "final": events.iter().find(|event| matches!(event, Event::Final { .. })),
        "files": paths,
        "scores": scores,
    })
}

/// What to type next.
fn next(trained: &Trained) -> String {
    let Trained { folder, config, base, ending, answered, steps, all_steps: all, .. } = trained;
    let (ending, answered) = (*ending, *answered);
    let program = program();
    // Where there was no room for a state, there is nothing to go on from.
    let begins_again = config.run.checkpoint && (*steps == 0 || steps == all);
    if (ending == Ending::Interrupted || !answered) && (begins_again || folder.join("checkpoint").is_dir()) {
        let what = if ending == Ending::Interrupted {
            format!("after {steps} of {all} steps")
        } else {
            "while answering".to_owned()
        };
        let run = quoted(&folder.display().to_string());
        return format!(
            "Stopped {what}; the model so far is complete. To go on as if nothing had happened:\n  {program} train --resume \
             {run}"
        );
    }
    let [model, recipe] = ["model", "config.toml"].map(|name| quoted(&folder.join(name).display().to_string()));
    if ending == Ending::Interrupted {
        // The configuration of a run is a recipe.
        return format!(
            "Stopped after {steps} of {all} steps; the model so far is complete. To go on from it with a fresh \
             optimizer:\n  {program} train --recipe {recipe} --model {model}"
        );
    }
    if !answered {
        return format!(
            "Stopped while answering; the model is complete. To answer the test part:\n  {program} respond --model {model} \
             --max-new-tokens {} --device {}",
            config.output.response_tokens, config.source.device
        );
    }
    let mut lines = Vec::new();
    if let (Ending::OutOfPatience, Some(best)) = (ending, trained.best) {
        lines.push(format!(
            "Ended after {steps} of {all} steps: the validation loss was lowest, {:.3}, after step {}, and has not been lower \
             since (--patience {})",
            best.val_loss, best.step, config.run.patience
        ));
    }
    lines.push(format!("Next, ask it something:  {program} ask --model {model} \"{}\"", question(trained)));
    if *base == BUILT_IN {
        let sample = config.source.data == "sample";
        let data = if sample { "--data FILE.json".to_owned() } else { data_flags(&config.source) };
        lines.push(format!("Train the real GPT-2:    {program} train --model gpt2 {data}"));
    } else {
        let has = |part| trained.data.count(part) > 0;
        let split = [(Part::Val, ""), (Part::Test, " --split test"), (Part::Train, " --split train")];
        // What is left without a part of its own is measured on what there is.
        let split = split.into_iter().find(|&(part, _)| has(part)).map_or("", |(_, flag)| flag);
        lines.push(format!("Measure it:              {program} evaluate --model {model}{split}"));
    }
    lines.join("\n")
}

/// An instruction of the test part that a shell takes as it is, and a reader at a glance.
fn question(trained: &Trained) -> String {
    let plain = |text: &str| text.len() < 60 && !text.contains(|c: char| c.is_control() || "\"$`\\!".contains(c));
    let is_plain = |example: &&Example| {
        let text = example.instruction();
        example.input().is_empty()
            && example.messages.len() == 2
            && plain(text)
            && trained.tokenizer.literal_added(text).is_none()
    };
    let examples = trained.data.examples(Part::Test, 100, &trained.tokenizer).unwrap_or_default();
    let question = examples.iter().find(is_plain);
    question.map_or_else(|| "...".to_owned(), |example| example.instruction().to_owned())
}
