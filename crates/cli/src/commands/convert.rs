use std::path::Path;

use anyhow::{Result, bail};
use gptune_data::{END_OF_TEXT_ID, PromptStyle, Tokenizer};
use gptune_model::{Gpt2, Gpt2Config};
use gptune_train::RunFolder;
use gptune_weights::{GgufModel, GgufPrecision, GgufSizes, Precision, SaveOptions, save_book, save_gguf, save_model};
use serde_json::{Map, Value};

use crate::{
    args::{ExportArgs, ImportArgs, Layout, StoredType},
    console::{self, print_line},
    device, model_source,
};

pub(crate) fn import(args: &ImportArgs) -> Result<()> {
    to_folder(&args.source, &args.folder, Precision::F32)
}

pub(crate) fn export(args: &ExportArgs) -> Result<()> {
    let (model, destination) = (&args.folder, &args.destination);
    match args.format {
        Layout::Hf => to_folder(model, destination, precision(args.dtype)?),
        Layout::Pth => {
            if args.dtype != StoredType::F32 {
                bail!("the book's model is in f32; leave out --dtype");
            }
            to_file(model, destination, |model, _| Ok(save_book(model, destination)?))
        }
        Layout::Gguf => {
            let precision = match args.dtype {
                StoredType::F32 => GgufPrecision::F32,
                StoredType::F16 => GgufPrecision::F16,
                StoredType::Q8_0 => GgufPrecision::Q8_0,
                StoredType::Bf16 => bail!("GGUF files are written in f32, f16 or q8_0; choose one of them for --dtype"),
            };
            let template = model_source::prompt_style(model, None)?.chat_template();
            let tokenizer = Tokenizer::gpt2()?;
            let name = model_source::title(model);
            to_file(model, destination, |model, config| {
                let about = GgufModel {
                    name: &name,
                    sizes: GgufSizes::from(config),
                    tokens: &tokenizer.tokens(),
                    merges: tokenizer.merges(),
                    end_of_text: END_OF_TEXT_ID,
                    chat_template: Some(&template),
                };
                Ok(save_gguf(model, destination, &about, precision)?)
            })
        }
    }
}

/// Any model to a folder in Hugging Face's layout.
fn to_folder(source: &str, destination: &Path, precision: Precision) -> Result<()> {
    RunFolder::check(destination)?;
    let style = model_source::prompt_style(source, None)?;
    let device = device::host()?.device;
    let folder = model_source::open_model(source)?;
    let spinner = console::spinner(source);
    let (model, config) = folder.load(None, &device)?;
    write_folder(&model, &config, style, &Tokenizer::gpt2()?, destination, precision)?;
    spinner.finish_and_clear();
    print_line(format_args!("{source} is now in {}", destination.display()))
}

/// Any model to a new file.
fn to_file(source: &str, destination: &Path, save: impl FnOnce(&Gpt2, &Gpt2Config) -> Result<()>) -> Result<()> {
    if destination.exists() {
        bail!("{} exists; give a new file", destination.display());
    }
    let folder = model_source::open_model(source)?;
    let spinner = console::spinner(source);
    let (model, config) = folder.load(None, &device::host()?.device)?;
    save(&model, &config)?;
    spinner.finish_and_clear();
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
    save_model(model, config, folder, SaveOptions { precision, ..SaveOptions::default() })?;
    let extra = [
        ("chat_template", Value::from(style.chat_template())),
        (model_source::STYLE_KEY, Value::from(style.to_string())),
        ("model_max_length", Value::from(config.n_positions)),
    ];
    tokenizer.save(folder, extra.map(|(key, value)| (key.to_owned(), value)).into_iter().collect::<Map<_, _>>())?;
    Ok(())
}

/// The type that a folder's weights are stored in.
///
/// # Errors
///
/// For a type that only GGUF has.
pub(super) fn precision(stored: StoredType) -> Result<Precision> {
    Ok(match stored {
        StoredType::F32 => Precision::F32,
        StoredType::F16 => Precision::F16,
        StoredType::Bf16 => Precision::BF16,
        StoredType::Q8_0 => bail!("q8_0 is for GGUF files; give --format gguf, or f32, f16 or bf16 for --dtype"),
    })
}
