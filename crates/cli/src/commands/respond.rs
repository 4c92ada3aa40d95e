//! Answers to many instructions, kept as they come.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::{Context, Result, bail};
use gptune_data::{Example, Part};
use gptune_train::{Prepared, Respondent, Source, TrainConfig, respond, responses_json};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{check_writable, choose_data, print_json};
use crate::{
    args::RespondArgs,
    console::{self, print_line},
    data_source, device, interrupt, model_source,
};

/// The book's name of the file with answers.
pub(crate) const ANSWERS: &str = "instruction-data-with-response.json";

pub(crate) fn run(args: &RespondArgs) -> Result<()> {
    let opened = model_source::open_model(&args.model)?;
    let style = opened.style(args.prompt_style);
    let context = opened.folder.config.n_positions;
    let chosen = choose_data(args.data.as_deref(), opened.about.training.as_ref(), style, context, args.force)?;
    let mut config = chosen.config;
    config.skip_bad |= args.skip_bad;
    config.special_tokens |= args.special_tokens;
    if args.limit == Some(0) {
        bail!("--limit 0 leaves nothing to answer; give at least 1, or leave it out");
    }
    let split = args.split.unwrap_or(if chosen.of_training { Part::Test } else { Part::All });
    let (source, fingerprint) = data_source::open(&config, true)?;
    let examples = examples_of(source, split, args.limit, &opened, &config)?;
    let out = args.out.clone().unwrap_or_else(|| opened.run().unwrap_or_default().join(ANSWERS));
    if out.exists() && !args.overwrite && !out.is_dir() {
        bail!("{} is there already; give another --out, or --overwrite", out.display());
    }
    check_writable(&out)?;
    let header = Header {
        model: opened.path.as_deref().map_or_else(|| "nano".to_owned(), identity),
        data: fingerprint,
        part: split.name().to_owned(),
        prompt_style: style.to_string(),
        special_tokens: config.special_tokens,
        max_new_tokens: args.max_new_tokens,
    };
    let mut kept = Kept::open(&out, &header, &examples)?;
    let device = device::resolve(&args.device)?.device;
    let tokenizer = &opened.tokenizer;
    let (model, _) = opened.folder.load(None, &device)?;
    let stop = interrupt::listen();
    let respondent = Respondent {
        model: &model,
        tokenizer,
        style,
        special_tokens: config.special_tokens,
        max_new_tokens: args.max_new_tokens,
    };
    let left: Vec<Example> = examples
        .iter()
        .zip(&kept.answers)
        .filter(|(_, answer)| answer.is_none())
        .map(|(example, _)| example.clone())
        .collect();
    let places: Vec<usize> =
        kept.answers.iter().enumerate().filter(|(_, answer)| answer.is_none()).map(|(place, _)| place).collect();
    let bar = console::bar(examples.len() as u64, "responses");
    bar.inc((examples.len() - left.len()) as u64);
    respond(&respondent, &left, |index, answer| kept.add(places[index], answer.text), || bar.inc(1), &|| {
        !stop.load(Ordering::Relaxed)
    })?;
    bar.finish_and_clear();
    let answered = kept.answers.iter().flatten().count();
    if answered < examples.len() {
        interrupt::cut_short();
        console::note(&format!(
            "{answered} of {} answers are in {}; the same command goes on from there",
            examples.len(),
            kept.path.display()
        ));
        if args.json {
            return print_json(&json!({ "responses": answered, "out": null, "kept": kept.path.display().to_string() }));
        }
        return Ok(());
    }
    let answers: Vec<&str> = kept.answers.iter().flatten().map(String::as_str).collect();
    let text = responses_json(examples.iter().zip(answers.iter().copied()));
    gptune_files::write(&out, text.as_bytes()).with_context(|| format!("cannot write {}", out.display()))?;
    kept.remove();
    if args.json {
        return print_json(&json!({ "responses": answered, "out": out.display().to_string() }));
    }
    print_line(format_args!("{answered} responses in {}", out.display()))
}

/// The examples of a part that are to be answered.
fn examples_of(
    source: Source,
    split: Part,
    limit: Option<usize>,
    opened: &model_source::Opened,
    config: &TrainConfig,
) -> Result<Vec<Example>> {
    let target = gptune_train::ModelInput {
        tokenizer: &opened.tokenizer,
        padding: opened.special.pad,
        context: opened.folder.config.n_positions,
    };
    let data = Prepared::new(source, target, config, |_| ())?;
    console::tell_left_out(&data.left_out);
    let mut examples = data.examples(split).to_vec();
    if examples.is_empty() {
        bail!("the {split} part of {} has no examples; choose another --split", data.origin);
    }
    examples.truncate(limit.unwrap_or(usize::MAX));
    Ok(examples)
}

/// What tells a model from another at the same place, without reading its weights.
fn identity(path: &Path) -> String {
    let weights = gptune_weights::WEIGHT_FILES.iter().map(|name| path.join(name)).find(|file| file.is_file());
    let file = weights.unwrap_or_else(|| path.to_owned());
    let metadata = fs::metadata(&file).ok();
    let modified = metadata.as_ref().and_then(|file| file.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok());
    let length = metadata.map_or(0, |file| file.len());
    let path = file.canonicalize().unwrap_or(file);
    format!("{}, {length} bytes, {}", path.display(), modified.unwrap_or_default().as_nanos())
}

/// What answers depend on: only those of the same are gone on with.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Header {
    model: String,
    data: String,
    part: String,
    prompt_style: String,
    special_tokens: bool,
    max_new_tokens: usize,
}

/// An answer that is kept until all are there.
#[derive(Serialize, Deserialize)]
struct Line {
    /// Place of the example in its part.
    place: usize,
    response: String,
}

/// The answers so far, in a file beside the one that they will be in.
struct Kept {
    path: PathBuf,
    file: File,
    answers: Vec<Option<String>>,
}

impl Kept {
    /// Goes on with what an earlier command left, or begins.
    fn open(out: &Path, header: &Header, examples: &[Example]) -> Result<Self> {
        let path = out.with_added_extension("partial");
        let mut answers = vec![None; examples.len()];
        let context = || format!("cannot write {}", path.display());
        let text = fs::read_to_string(&path).unwrap_or_default();
        let mut lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        // A line that was being written when the program ended is not there.
        let mut length = 0;
        if let Some(first) = lines.next() {
            if serde_json::from_str::<Header>(first).ok().as_ref() != Some(header) {
                bail!(
                    "{} holds answers of another model, of other data or of other settings; remove it, or give another --out",
                    path.display()
                );
            }
            length = first.len();
            for line in lines {
                let Ok(Line { place, response }) = serde_json::from_str(line) else { break };
                length += line.len();
                if let Some(answer) = answers.get_mut(place) {
                    *answer = Some(response);
                }
            }
        }
        let mut file = File::options().create(true).truncate(false).write(true).open(&path).with_context(context)?;
        file.set_len(length as u64).with_context(context)?;
        std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0)).with_context(context)?;
        if length == 0 {
            writeln!(file, "{}", serde_json::to_string(header)?).with_context(context)?;
        }
        Ok(Self { path, file, answers })
    }

    fn add(&mut self, place: usize, response: String) -> Result<()> {
        let line = serde_json::to_string(&Line { place, response: response.clone() })? + "\n";
        self.file.write_all(line.as_bytes()).with_context(|| format!("cannot write {}", self.path.display()))?;
        self.answers[place] = Some(response);
        Ok(())
    }

    fn remove(self) {
        drop(self.file);
        // What is left of it would only be gone on with.
        let _ = fs::remove_file(&self.path);
    }
}

/// Answers examples, with a bar; fewer of them if `stop` is set.
///
/// # Errors
///
/// As [`respond`].
pub(crate) fn answer_all(respondent: &Respondent<'_>, examples: &[Example], stop: &AtomicBool) -> Result<Vec<String>> {
    let bar = console::bar(examples.len() as u64, "responses");
    let mut answers = Vec::with_capacity(examples.len());
    let answered = |index: usize, answer: gptune_train::Response| -> Result<()> {
        // Those of a group that was broken off have gaps, and only the first ones count.
        if index == answers.len() {
            answers.push(answer.text);
        }
        Ok(())
    };
    respond(respondent, examples, answered, || bar.inc(1), &|| !stop.load(Ordering::Relaxed))?;
    bar.finish_and_clear();
    Ok(answers)
}
