use std::path::Path;

use anyhow::Result;
use gptune_data::{PromptStyle, Tokenizer};
use gptune_model::{Gpt2, Gpt2Config};
use gptune_train::RunFolder;
use gptune_weights::{Precision, SaveOptions, save_model};
use serde_json::{Map, Value};

use crate::{
    args::{ExportArgs, ImportArgs, Layout, StoredType},
    console::print_line,
    device, model_source,
};

pub(crate) fn import(args: &ImportArgs) -> Result<()> {
    convert(&args.source, &args.folder, Precision::F32)
}

pub(crate) fn export(args: &ExportArgs) -> Result<()> {
    match args.format {
        Layout::Hf => convert(&args.folder, &args.destination, args.dtype.into()),
    }
}

fn convert(source: &str, destination: &Path, precision: Precision) -> Result<()> {
    RunFolder::check(destination)?;
    let style = model_source::prompt_style(source, None)?;
    let device = device::host()?.device;
    let (model, config) = model_source::open_model(source)?.load(None, &device)?;
    write_folder(&model, &config, style, &Tokenizer::gpt2()?, destination, precision)?;
    print_line(format_args!("{source} is now in {}", destination.display()))
}

/// Writes a complete model folder: weights, configuration, tokenizer and prompt style.
pub(crate) fn write_folder(
    model: &Gpt2,
    config: &Gpt2Config,
    style: PromptStyle,
    tokenizer: &Tokenizer,
    folder: &Path,
    precision: Precision,
) -> Result<()> {
    save_model(model, config, folder, SaveOptions { precision })?;
    let extra = [
        ("chat_template", Value::from(style.chat_template())),
        (model_source::STYLE_KEY, Value::from(style.to_string())),
        ("model_max_length", Value::from(config.n_positions)),
    ];
    tokenizer.save(folder, extra.map(|(key, value)| (key.to_owned(), value)).into_iter().collect::<Map<_, _>>())?;
    Ok(())
}

impl From<StoredType> for Precision {
    fn from(stored: StoredType) -> Self {
        match stored {
            StoredType::F32 => Self::F32,
            StoredType::F16 => Self::F16,
            StoredType::Bf16 => Self::BF16,
        }
    }
}
