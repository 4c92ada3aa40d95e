//! The folder of a model.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use gptune_data::Tokenizer;
use gptune_files::NewFolder;
use gptune_model::{Gpt2, Gpt2Config};
use gptune_weights::{Precision, SaveOptions, SpecialTokens, save_model};
use serde_json::{Map, Value};

use crate::about::{self, About, STYLE_KEY};

/// What a model has beside its weights.
#[derive(Debug, Clone, Copy)]
pub struct Belongings<'a> {
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// The tokens that its configuration names.
    pub special: SpecialTokens,
    /// What is known of it.
    pub about: &'a About,
}

/// Writes a complete model folder that is not there yet, or nothing.
///
/// # Errors
///
/// If something is there, or it cannot be written.
pub fn write_new_folder(
    model: &Gpt2,
    config: &Gpt2Config,
    kept: Belongings<'_>,
    path: &Path,
    precision: Precision,
) -> Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let folder = NewFolder::create(path).with_context(cannot)?;
    write_folder(model, config, kept, folder.path(), precision).map_err(|error| {
        // The name that it has until it is whole would only confuse.
        let [until, then] = [folder.path(), path].map(|path| path.display().to_string());
        anyhow!(format!("{error:#}").replace(&until, &then))
    })?;
    folder.commit().with_context(cannot)
}

/// Writes a complete model folder: weights, configuration, tokenizer and what is known of the model.
///
/// # Errors
///
/// If it cannot be written.
pub fn write_folder(
    model: &Gpt2,
    config: &Gpt2Config,
    Belongings { tokenizer, special, about }: Belongings<'_>,
    folder: &Path,
    precision: Precision,
) -> Result<()> {
    save_model(model, config, folder, SaveOptions { precision, special, ..SaveOptions::default() })?;
    let template = about.own_template();
    let mut extra = vec![
        ("chat_template", about.foreign_template().map_or_else(|| template.chat_template(), str::to_owned).into()),
        ("model_max_length", Value::from(config.n_positions)),
    ];
    if let Some(template) = &about.template {
        extra.push((STYLE_KEY, Value::from(template.name())));
    }
    let extra = extra.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>();
    tokenizer.save(folder, extra)?;
    if about.is_unknown() { Ok(()) } else { about.write(&folder.join(about::FILE)) }
}
