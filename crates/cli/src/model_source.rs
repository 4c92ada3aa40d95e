//! Names of models and data.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use gptune_data::{Dataset, PromptStyle, VOCAB_SIZE};
use gptune_train::TrainConfig;
use gptune_weights::{HUB_NAMES, ModelFolder, cached_folder};
use serde_json::Value;

use crate::assets;

/// Opens the model that a name, folder or file stands for.
///
/// # Errors
///
/// If there is none, or it is damaged, or its vocabulary is not GPT-2's.
pub(crate) fn open_model(model: &str) -> Result<ModelFolder> {
    let folder = if model == "nano" {
        ModelFolder::from_bytes("the built-in model nano", assets::NANO_CONFIG, assets::NANO_WEIGHTS)?
    } else if let Some((_, repository)) = HUB_NAMES.into_iter().find(|(name, _)| *name == model) {
        // Where the Hub's tools put it under its present or its old name; then a folder of that name.
        let cached = cached_folder(repository).or_else(|| cached_folder(model));
        let Some(folder) = cached.or_else(|| Some(PathBuf::from(model)).filter(|folder| folder.exists())) else {
            bail!(
                "'{model}' is not on this machine; put config.json and model.safetensors of {repository} into a folder and \
                 give that as --model, or fetch it into Hugging Face's cache with 'hf download {repository}'"
            );
        };
        ModelFolder::open(&folder)?
    } else if Path::new(model).exists() || model.contains(['/', '\\', '.']) {
        ModelFolder::open(Path::new(model))?
    } else {
        bail!(
            "unknown model '{model}': there is no such file or folder, and the known names are nano, {}",
            HUB_NAMES.map(|(name, _)| name).join(", ")
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

/// Reads the dataset that a name or file stands for.
///
/// # Errors
///
/// If there is none, or it is damaged.
pub(crate) fn open_data(data: &str) -> Result<Dataset> {
    match data {
        "sample" => Ok(Dataset::parse("the built-in sample data", assets::SAMPLE_DATA)?),
        "book" | "alpaca" if !Path::new(data).exists() => bail!(
            "'{data}' is not built in, because its licence is not this project's; download {} and give the file as --data",
            if data == "book" {
                "instruction-data.json of the LLMs-from-scratch repository (chapter 7)"
            } else {
                "alpaca_data.json of the stanford_alpaca repository"
            }
        ),
        name if !Path::new(name).exists() && !name.contains(['/', '\\', '.']) => {
            bail!("unknown data '{name}': there is no such file, and the known names are sample, book, alpaca")
        }
        path => Ok(Dataset::read(Path::new(path))?),
    }
}

/// The configuration of the run that a model folder belongs to, if it lies in a run folder.
#[must_use]
pub(crate) fn run_of(model: &str) -> Option<TrainConfig> {
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
    if !Path::new(model).exists() {
        return Ok(PromptStyle::default());
    }
    let folder =
        if Path::new(model).is_dir() { Path::new(model) } else { Path::new(model).parent().unwrap_or(Path::new("")) };
    let path = folder.join("tokenizer_config.json");
    let Ok(text) = std::fs::read(&path) else { return Ok(PromptStyle::default()) };
    let config: Value = serde_json::from_slice(&text).with_context(|| format!("{} is not JSON", path.display()))?;
    match config.get(STYLE_KEY).and_then(Value::as_str) {
        Some(style) => style.parse().with_context(|| format!("{}, key {STYLE_KEY}", path.display())),
        None => Ok(PromptStyle::default()),
    }
}
