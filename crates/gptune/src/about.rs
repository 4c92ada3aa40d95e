//! What a model's own files tell of its training, and what further work with it starts from.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use gptune_data::{Fractions, Order, Template, TooLong};

use gptune_weights::open_if_gguf;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::RunConfig;

/// The file beside a model that gptune wrote.
pub const FILE: &str = "gptune.json";

/// The key of `tokenizer_config.json` that remembers the prompt style, for folders without [`FILE`].
pub const STYLE_KEY: &str = "gptune_prompt_style";

/// What is known of a model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// How conversations become texts, if the model was trained on some.
    #[serde(rename = "prompt_style", skip_serializing_if = "Option::is_none")]
    pub template: Option<Template>,
    /// Whether text that reads like a special token became that token then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub special_tokens: bool,
    /// The training that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub training: Option<Training>,
    /// The chat template that stands beside it, whoever made it.
    #[serde(skip)]
    pub chat_template: Option<String>,
}

/// A training, as far as measuring and going on need it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// The model that the first of all trainings started from, by name or path.
    pub base: String,
    /// As in the settings, made to mean the same from every folder; so are the next three.
    pub data: String,
    /// As in the settings.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub train_data: String,
    /// As in the settings.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub val_data: String,
    /// As in the settings.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub test_data: String,
    /// Of the data's bytes, with the name of the method before it.
    pub fingerprint: String,
    /// As in the settings.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fields: String,
    /// As in the settings.
    #[serde(default)]
    pub split: Fractions,
    /// As in the settings.
    #[serde(default)]
    pub split_seed: u32,
    /// As in the settings.
    #[serde(default)]
    pub skip_bad: bool,
    /// As in the settings.
    #[serde(default)]
    pub too_long: TooLong,
    /// As in the settings.
    #[serde(default)]
    pub train_limit: usize,
    /// As in the settings.
    pub mask_instructions: bool,
    /// As in the settings.
    pub max_length: usize,
    /// As in the settings.
    pub batch_size: usize,
    /// As in the settings.
    pub order: Order,
    /// As in the settings.
    pub seed: u32,
    /// As in the settings.
    pub lr: f64,
}

impl Training {
    /// The training of a run with these settings, on data of this fingerprint.
    #[must_use]
    pub fn new(base: &str, config: &RunConfig, fingerprint: &str) -> Self {
        let RunConfig { source, data, optim, run, .. } = config.clone();
        Self {
            base: base.to_owned(),
            data: source.data,
            train_data: source.train_data,
            val_data: source.val_data,
            test_data: source.test_data,
            fingerprint: fingerprint.to_owned(),
            fields: source.fields,
            split: data.split,
            split_seed: data.split_seed,
            skip_bad: data.skip_bad,
            too_long: data.too_long,
            train_limit: data.train_limit,
            mask_instructions: data.mask_instructions,
            max_length: data.max_length,
            batch_size: data.batch_size,
            order: run.order,
            seed: run.seed,
            lr: optim.lr,
        }
    }

    /// Whether `data` is what was trained on, by its path or name.
    #[must_use]
    pub fn is_of(&self, data: &str) -> bool {
        let own = if self.train_data.is_empty() { &self.data } else { &self.train_data };
        own == data || absolute(data) == *own
    }
}

impl About {
    /// What stands beside the model at a path: a folder, or a file of weights.
    ///
    /// # Errors
    ///
    /// If a file is damaged, or two of them name different styles.
    pub fn read(path: &Path) -> Result<Self> {
        if let Some(file) = open_if_gguf(path)? {
            let named = file.prompt_style().map(|name| match file.template() {
                Some(text) => Template::parse(&name, &text),
                None => name.parse(),
            });
            let template = named.transpose().with_context(|| format!("{}, key gptune.prompt_style", path.display()))?;
            let chat_template = file.chat_template();
            return Ok(Self { template, special_tokens: file.special_tokens(), training: None, chat_template });
        }
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
        let own = if path.is_dir() { folder.join(FILE) } else { beside(path) };
        let own = if own.is_file() { own } else { folder.join(FILE) };
        let mut about = match std::fs::read(&own) {
            Ok(text) => serde_json::from_slice(&text)
                .with_context(|| format!("{} is not what gptune writes; remove or mend it", own.display()))?,
            Err(error) if error.kind() == ErrorKind::NotFound => Self::default(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", own.display())),
        };
        about.chat_template = std::fs::read_to_string(folder.join("chat_template.jinja")).ok();
        let tokenizer = folder.join("tokenizer_config.json");
        let text = match std::fs::read(&tokenizer) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(about),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", tokenizer.display())),
        };
        let config: Value =
            serde_json::from_slice(&text).with_context(|| format!("{} is not JSON", tokenizer.display()))?;
        let template = config.get("chat_template").and_then(Value::as_str);
        about.chat_template = about.chat_template.or_else(|| template.map(str::to_owned));
        let Some(named) = config.get(STYLE_KEY).and_then(Value::as_str) else { return Ok(about) };
        match &about.template {
            Some(own) if own.name() == named => {}
            Some(_) => {
                bail!("{} and {} name different templates; make them say the same", own.display(), tokenizer.display());
            }
            None => {
                let template = Template::named(named).with_context(|| {
                    format!(
                        "{}, key {STYLE_KEY}: the text of the template {named} is in no {FILE} beside it; put that there",
                        tokenizer.display()
                    )
                })?;
                about.template = Some(template);
            }
        }
        Ok(about)
    }

    /// Writes it into a model folder.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).context("cannot write what is known of the model")? + "\n";
        gptune_files::write(path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Whether there is nothing to remember.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.template.is_none() && !self.special_tokens && self.training.is_none()
    }

    /// A chat template that is none of gptune's styles.
    #[must_use]
    pub fn foreign_template(&self) -> Option<&str> {
        let foreign = |text: &&str| {
            Template::NAMES.iter().filter_map(|name| Template::named(name)).all(|known| known.chat_template() != *text)
        };
        self.chat_template.as_deref().filter(|_| self.template.is_none()).filter(foreign)
    }

    /// The template of a name or a file; the model's own goes before others of its name.
    ///
    /// # Errors
    ///
    /// If there is none, or it is not one.
    pub fn template(&self, given: &str) -> Result<Template> {
        match &self.template {
            Some(own) if own.name() == given => Ok(own.clone()),
            _ => Ok(Template::find(given)?),
        }
    }

    /// The template to use where the user names none: the model's, else the book's.
    #[must_use]
    pub fn own_template(&self) -> Template {
        self.template.clone().unwrap_or_default()
    }
}

/// The file beside a single file of weights: `model.gptune.json` beside `model.pth`.
#[must_use]
pub fn beside(path: &Path) -> PathBuf {
    path.with_extension(FILE)
}

/// A path that means the same from everywhere; what is no path on this machine stays as it is.
#[must_use]
pub fn absolute(name: &str) -> String {
    match Path::new(name).canonicalize() {
        Ok(path) => path.display().to_string(),
        Err(_) => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_disagree_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(About::read(folder.path()).unwrap(), About::default());
        let tokenizer = folder.path().join("tokenizer_config.json");
        std::fs::write(&tokenizer, r#"{"gptune_prompt_style": "phi3"}"#).unwrap();
        assert_eq!(About::read(folder.path()).unwrap().own_template().name(), "phi3");
        let about = About { template: Template::named("alpaca"), ..About::default() };
        about.write(&folder.path().join(FILE)).unwrap();
        let error = About::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("gptune.json") && error.contains("different templates"), "{error}");
        std::fs::remove_file(&tokenizer).unwrap();
        assert_eq!(About::read(folder.path()).unwrap(), about);
    }
}
