//! Names of models and data.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use gptune_data::{DataError, Dataset, PromptStyle, VOCAB_SIZE};
use gptune_fetch::GPT2_NAMES;
use gptune_train::TrainConfig;
use gptune_weights::ModelFolder;
use serde_json::Value;

use crate::{
    assets,
    download::{self, Remote},
};

/// The name of the model in the program, which goes before a folder of that name.
pub(crate) const BUILT_IN: &str = "nano";

/// Opens the model that a name, folder or file stands for, after a download if it is not on this machine.
///
/// # Errors
///
/// If there is none, or it is damaged, or its vocabulary is not GPT-2's.
pub(crate) fn open_model(model: &str) -> Result<ModelFolder> {
    let folder = if model == BUILT_IN {
        ModelFolder::from_bytes("the built-in model nano", assets::NANO_CONFIG, assets::NANO_WEIGHTS)?
    } else if let Some(remote) = remote_model(model) {
        ModelFolder::open(&here_or_fetched(&remote, model)?)?
    } else if Path::new(model).exists() || model.contains(['/', '\\', '.']) {
        ModelFolder::open(Path::new(model))?
    } else {
        bail!(
            "unknown model '{model}': there is no such file or folder, and the known names are nano, {}, and OWNER/NAME \
             of the Hugging Face Hub",
            GPT2_NAMES.map(|(name, _)| name).join(", ")
        );
    };
    let vocabulary = folder.config.vocab_size;
    if vocabulary < VOCAB_SIZE {
        bail!(
            "the model '{model}' knows {vocabulary} tokens and GPT-2's tokenizer has {VOCAB_SIZE}; give a model with GPT-2's vocabulary"
        );
    }
    Ok(folder)
}

/// What a model or data are called in names of runs and files: without folders, and without the ending of a file. A dot
/// in the name of a folder or repository is no ending.
pub(crate) fn title(source: &str) -> String {
    let path = Path::new(source);
    let title = if path.is_file() { path.file_stem() } else { path.file_name() };
    title.map_or_else(|| source.to_owned(), |title| title.to_string_lossy().into_owned())
}

/// What a name of a model stands for, if it is not a path on this machine. A short name such as `gpt2` goes before a
/// folder of that name where the model is in the cache.
pub(crate) fn remote_model(model: &str) -> Option<Remote> {
    let remote = Remote::model(model)?;
    let cached = || !model.contains('/') && remote.on_this_machine().is_ok_and(|path| path.is_some());
    let local = Path::new(model).exists() && !cached();
    (!local).then_some(remote)
}

/// What a name of data stands for, if it is neither built in nor a path on this machine.
pub(crate) fn remote_data(data: &str) -> Option<Remote> {
    Remote::data(data, None).filter(|_| !Path::new(data).exists())
}

fn here_or_fetched(remote: &Remote, name: &str) -> Result<PathBuf> {
    if let Some(path) = remote.on_this_machine()? {
        return Ok(path);
    }
    download::announce(remote, name);
    // What has the form of a repository's name may have been meant as a path.
    let nowhere = || format!("there is no file or folder '{name}', and");
    if name.contains('/') { remote.fetch().with_context(nowhere) } else { remote.fetch() }
}

/// Reads the dataset that a name or file stands for, after a download if it is not on this machine.
///
/// # Errors
///
/// If there is none, or it is damaged.
pub(crate) fn open_data(data: &str) -> Result<Dataset> {
    Ok(open_data_bytes(data)?.0)
}

/// The same, and the bytes that were read.
///
/// # Errors
///
/// As [`open_data`].
pub(crate) fn open_data_bytes(data: &str) -> Result<(Dataset, Cow<'static, [u8]>)> {
    if data == "sample" {
        let dataset = Dataset::parse("the built-in sample data", assets::SAMPLE_DATA)?;
        return Ok((dataset, assets::SAMPLE_DATA.into()));
    }
    if let Some(remote) = remote_data(data) {
        // Not built in, because its licence is not this project's.
        return read_data(&here_or_fetched(&remote, data)?);
    }
    if !Path::new(data).exists() && !data.contains(['/', '\\', '.']) {
        bail!("unknown data '{data}': there is no such file, and the known names are sample, book, alpaca");
    }
    read_data(Path::new(data))
}

fn read_data(path: &Path) -> Result<(Dataset, Cow<'static, [u8]>)> {
    let bytes = std::fs::read(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    Ok((Dataset::parse(&path.display().to_string(), &bytes)?, bytes.into()))
}

/// The configuration of the run that a model folder belongs to, if it lies in a run folder.
#[must_use]
pub(crate) fn run_of(model: &str) -> Option<TrainConfig> {
    if model == BUILT_IN {
        return None;
    }
    let run = Path::new(model).canonicalize().ok()?.parent()?.to_owned();
    let text = std::fs::read_to_string(run.join("config.toml")).ok()?;
    TrainConfig::from_toml("config.toml", &text).ok()
}

/// The key of `tokenizer_config.json` that remembers the prompt style.
pub(crate) const STYLE_KEY: &str = "gptune_prompt_style";

/// The prompt style that a model folder says it was trained with; the book's if it says nothing.
///
/// # Errors
///
/// If it names a style that does not exist.
pub(crate) fn prompt_style(model: &str, given: Option<PromptStyle>) -> Result<PromptStyle> {
    if let Some(style) = given {
        return Ok(style);
    }
    if model == BUILT_IN {
        return Ok(PromptStyle::default());
    }
    let path = match remote_model(model) {
        Some(remote) => here_or_fetched(&remote, model)?,
        None => PathBuf::from(model),
    };
    if !path.exists() {
        return Ok(PromptStyle::default());
    }
    let folder = if path.is_dir() { path.as_path() } else { path.parent().unwrap_or(Path::new("")) };
    let path = folder.join("tokenizer_config.json");
    let Ok(text) = std::fs::read(&path) else { return Ok(PromptStyle::default()) };
    let config: Value = serde_json::from_slice(&text).with_context(|| format!("{} is not JSON", path.display()))?;
    match config.get(STYLE_KEY).and_then(Value::as_str) {
        Some(style) => style.parse().with_context(|| format!("{}, key {STYLE_KEY}", path.display())),
        None => Ok(PromptStyle::default()),
    }
}
