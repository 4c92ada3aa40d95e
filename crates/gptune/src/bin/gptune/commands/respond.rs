//! Answers to many instructions, kept as they come.

use std::{
    fs::{self, File, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

use anyhow::{Context, Result, bail};
use gptune::{DataConfig, RunConfig, SourceConfig, about, data, device, model, tell_left_out};
use gptune_data::{Example, Part, TooLong};
use gptune_run::ANSWERS;
use gptune_train::{ModelInput, Prepared, Respondent, Source, respond, responses_json};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{check_writable, choose_data, open_data, print_json};
use crate::{
    args::RespondArgs,
    console::{self, Plain, print_line},
    interrupt,
};

pub(crate) fn run(args: &RespondArgs) -> Result<()> {
    let opened = model::open_model(&args.model, &Plain)?;
    let template = opened.template(args.text.prompt_style.as_deref(), &Plain)?;
    let context = opened.folder.config.n_positions;
    let chosen = choose_data(args.data.as_deref(), &opened.about, &template, context, args.force)?;
    let mut config = chosen.config.clone();
    config.data.skip_bad |= args.skip_bad;
    config.data.special_tokens = args.special_tokens.unwrap_or(config.data.special_tokens);
    args.text.name_fields(&mut config.source);
    config.data.too_long = args.too_long.unwrap_or(config.data.too_long);
    if args.limit == Some(0) {
        bail!("--limit 0 leaves nothing to answer; give at least 1, or leave it out");
    }
    let split = args.split.unwrap_or_else(|| chosen.part(Part::Test));
    // Of the data of the training, the entries that were trained on and no more.
    let (source, fingerprint) = open_data(&config, chosen.fingerprint.as_deref())?;
    // A run that left out what is too long has a test part without it; elsewhere only the prompt has to fit.
    let prompts_only = !(chosen.of_training && config.data.too_long == TooLong::Skip);
    let mut reading = config.source.reading()?;
    (reading.questions, reading.prompts_only) = (!chosen.of_training, prompts_only);
    let target =
        ModelInput { tokenizer: &opened.tokenizer, template: &template, padding: opened.special.pad, context, reading };
    let examples = examples_of(source, split, args.limit, &target, &config)?;
    let out = args.out.clone().unwrap_or_else(|| opened.run().unwrap_or_default().join(ANSWERS));
    let real = |path: &Path| path.canonicalize().ok();
    if real(&out)
        .is_some_and(|out| data::parts(&config.source).iter().any(|data| real(Path::new(data)).as_ref() == Some(&out)))
    {
        bail!("{} are the data themselves; give another --out", out.display());
    }
    if out.exists() && !args.overwrite && !out.is_dir() {
        bail!("{} is there already; give another --out, or --overwrite", out.display());
    }
    check_writable(&out)?;
    let header = Header {
        model: match &opened.path {
            Some(path) => identity(path, &out)?,
            None => vec![format!("nano of gptune {}", env!("CARGO_PKG_VERSION"))],
        },
        data: fingerprint,
        part: split.name().to_owned(),
        source: config.source.clone(),
        settings: config.data.clone(),
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
        template: &template,
        special_tokens: config.data.special_tokens,
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
    target: &ModelInput<'_>,
    config: &RunConfig,
) -> Result<Vec<Example>> {
    let data = Prepared::new(source, target, &config.data, |_| ())?;
    tell_left_out(&data.left_out, &Plain);
    let examples = data.examples(split, limit.unwrap_or(usize::MAX), target.tokenizer)?;
    if examples.is_empty() {
        bail!("the {split} part of {} has no examples; choose another --split", data.origin);
    }
    Ok(examples)
}

/// Files beside the weights that decide what a model answers.
const BESIDE: [&str; 8] = [
    about::FILE,
    "config.json",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
];

/// What tells a model from another at the same place, without reading its weights: of each of its files, the length and
/// the time of the last change. What is written to `out` is none of them.
fn identity(path: &Path, out: &Path) -> Result<Vec<String>> {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    let is_index = path.extension().is_some_and(|ending| ["json", "index"].iter().any(|index| ending == *index));
    let mut files: Vec<PathBuf> = if path.is_dir() || is_index {
        // Its parts, however they are called.
        let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let entries = fs::read_dir(here).with_context(|| format!("cannot read {}", here.display()))?;
        entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?
    } else {
        let beside = BESIDE.map(|name| folder.join(name));
        [path.to_owned(), about::beside(path)].into_iter().chain(beside).collect()
    };
    files.sort();
    let out = out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    files.retain(|file| !file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&out)));
    let of = |file: PathBuf| {
        let metadata = fs::metadata(&file).ok().filter(fs::Metadata::is_file)?;
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        let (length, path) = (metadata.len(), file.canonicalize().unwrap_or(file));
        Some(format!("{}, {length} bytes, {}", path.display(), modified.unwrap_or_default().as_nanos()))
    };
    Ok(files.into_iter().filter_map(of).collect())
}

/// What answers depend on: only those of the same are gone on with.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Header {
    model: Vec<String>,
    data: String,
    part: String,
    /// What the prompts depend on, and which examples there are.
    source: SourceConfig,
    settings: DataConfig,
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
        let mut file =
            File::options().create(true).truncate(false).read(true).write(true).open(&path).with_context(context)?;
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            bail!("{} is being written by another process; wait for that, or give another --out", path.display());
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).with_context(|| format!("cannot read {}", path.display()))?;
        // A line that was being written when the program ended is not there.
        bytes.truncate(bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1));
        for (number, line) in (1..).zip(bytes.split_inclusive(|&byte| byte == b'\n')) {
            if number == 1 {
                if serde_json::from_slice::<Header>(line).ok().as_ref() != Some(header) {
                    bail!(
                        "{} holds answers of another model, of other data or of other settings; remove it, or give another \
                         --out",
                        path.display()
                    );
                }
                continue;
            }
            let Line { place, response } = serde_json::from_slice(line).with_context(|| {
                format!("{}, line {number} is no answer; remove that line, or the file", path.display())
            })?;
            let Some(answer) = answers.get_mut(place) else {
                bail!(
                    "{} holds an answer to example {place} of the part, which --limit {} would drop; give no --limit to go \
                     on from there, or another --out",
                    path.display(),
                    examples.len()
                );
            };
            *answer = Some(response);
        }
        file.set_len(bytes.len() as u64).with_context(context)?;
        file.seek(SeekFrom::End(0)).with_context(context)?;
        if bytes.is_empty() {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn header(model: Vec<String>) -> Header {
        let RunConfig { source, data: settings, .. } = RunConfig::default();
        Header { model, data: "sha256:0".to_owned(), part: "test".to_owned(), source, settings, max_new_tokens: 3 }
    }

    #[test]
    fn kept_answers_are_gone_on_with_and_never_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("a.json");
        let examples = vec![Example::new("a", "", "b"); 4];
        let open = |header: &Header, count: usize| Kept::open(&out, header, &examples[..count]);
        let same = header(vec!["m".to_owned()]);
        let mut kept = open(&same, 4).unwrap();
        for place in 0..3 {
            kept.add(place, format!("answer {place}")).unwrap();
        }
        drop(kept);
        let kept = open(&same, 4).unwrap();
        assert_eq!(kept.answers.iter().flatten().collect::<Vec<_>>(), ["answer 0", "answer 1", "answer 2"]);
        drop(kept);
        let path = out.with_added_extension("partial");
        let before = fs::read(&path).unwrap();
        let error = open(&same, 2).err().unwrap().to_string();
        assert!(error.contains("an answer to example 2") && error.contains("--limit 2 would drop"), "{error}");
        let mut other = header(vec!["m".to_owned()]);
        other.settings.skip_bad = true;
        for header in [header(vec!["n".to_owned()]), other] {
            let error = open(&header, 4).err().unwrap().to_string();
            assert!(error.contains("of another model, of other data or of other settings"), "{error}");
        }
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_model_is_another_when_one_of_its_files_is() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["config.json", "model.safetensors", "vocab.json"] {
            fs::write(folder.path().join(name), "{}").unwrap();
        }
        let identity = |path: &Path| identity(path, Path::new("a.json")).unwrap();
        let before = identity(folder.path());
        assert_eq!(before.len(), 3);
        assert_eq!(identity(folder.path()), before);
        for (name, text) in [("config.json", "{ }"), ("vocab.json", "{  }"), ("tokenizer.json", "{}")] {
            let before = identity(folder.path());
            fs::write(folder.path().join(name), text).unwrap();
            assert_ne!(identity(folder.path()), before, "{name}");
        }
        let one = folder.path().join("model.safetensors");
        assert_eq!(identity(&one), identity(folder.path()));
        // Of formats that it knows nothing of, and without what it writes itself.
        fs::write(folder.path().join("model.ckpt.data-00000-of-00001"), "x").unwrap();
        fs::write(folder.path().join("a.json.partial"), "x").unwrap();
        assert_eq!(identity(folder.path()).len(), 5);
    }

    #[test]
    fn damaged_answers_are_told_and_not_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("a.json");
        let path = out.with_added_extension("partial");
        let examples = vec![Example::new("a", "", "b"); 4];
        let same = header(vec!["m".to_owned()]);
        let mut kept = Kept::open(&out, &same, &examples).unwrap();
        kept.add(0, "é".to_owned()).unwrap();
        let error = Kept::open(&out, &same, &examples).err().unwrap().to_string();
        assert!(error.contains("is being written by another process"), "{error}");
        drop(kept);
        // Cut within a character: what is whole stays.
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [&whole[..], b"{\"place\":1,\"response\":\"\xc3"].concat()).unwrap();
        let kept = Kept::open(&out, &same, &examples).unwrap();
        assert_eq!(kept.answers[0].as_deref(), Some("é"));
        drop(kept);
        fs::write(&path, [&whole[..], b"oops\n{\"place\":1,\"response\":\"x\"}\n"].concat()).unwrap();
        let error = Kept::open(&out, &same, &examples).err().unwrap().to_string();
        assert!(error.contains("line 3 is no answer"), "{error}");
    }
}
