use std::path::Path;

use anyhow::{Context, Result, bail};
use gptune::{
    about, device,
    folder::{Belongings, write_new_folder},
    model::{self, Rest},
};
use gptune_model::{Gpt2, Gpt2Config};
use gptune_run::RunFolder;
use gptune_weights::{GgufModel, GgufPrecision, GgufSizes, Precision, save_book, save_gguf};

use crate::{
    args::{ExportArgs, ImportArgs, Layout, StoredType},
    console::{self, Plain, print_line},
    interrupt,
};

pub(crate) fn import(args: &ImportArgs) -> Result<()> {
    to_folder(&args.source, &args.folder, Precision::F32, args.allow_nonfinite)
}

pub(crate) fn export(args: &ExportArgs) -> Result<()> {
    let (model, destination) = (&args.folder, &args.destination);
    match args.format {
        Layout::Hf => {
            let own = destination.extension().unwrap_or_default().to_ascii_lowercase();
            if let Some(ending) = ["gguf", "pth", "pt", "safetensors", "bin"].into_iter().find(|ending| own == *ending)
            {
                let format = match ending {
                    "gguf" => "; --format gguf writes one",
                    "pth" | "pt" => "; --format pth writes one",
                    _ => "",
                };
                bail!("{} is the name of a file, and Hugging Face's layout is a folder{format}", destination.display());
            }
            to_folder(model, destination, precision(args.dtype)?, args.allow_nonfinite)
        }
        Layout::Pth => {
            check_ending(destination, &["pth", "pt"])?;
            let beside = about::beside(destination);
            if beside.exists() {
                bail!(
                    "{} exists, which would be taken for the new file's; remove it, or give a new name",
                    beside.display()
                );
            }
            if args.dtype != StoredType::F32 {
                bail!("the book's model is in f32; leave out --dtype");
            }
            to_file(args, |opened, model, _| {
                if !opened.tokenizer.is_gpt2() {
                    bail!(
                        "{} has a tokenizer of its own, for which the book's format has no place; use --format hf or gguf",
                        args.folder
                    );
                }
                save_book(model, destination)?;
                // A file of weights has no place for what else is known of a model.
                if opened.about.is_unknown() { Ok(()) } else { opened.about.write(&beside) }
            })
        }
        Layout::Gguf => {
            check_ending(destination, &["gguf"])?;
            let precision = match args.dtype {
                StoredType::F32 => GgufPrecision::F32,
                StoredType::F16 => GgufPrecision::F16,
                StoredType::Q8_0 => GgufPrecision::Q8_0,
                StoredType::Bf16 => bail!("GGUF files are written in f32, f16 or q8_0; choose one of them for --dtype"),
            };
            let modelfile = destination.with_extension("Modelfile");
            if modelfile.exists() {
                bail!(
                    "{} exists, which is written beside a GGUF file for Ollama; give a new name",
                    modelfile.display()
                );
            }
            to_file(args, |opened, model, config| to_gguf(opened, model, config, args, precision))?;
            print_line(format_args!("for Ollama: ollama create NAME -f {}", modelfile.display()))
        }
    }
}

/// Programs tell the kind of a file by its ending, this one too.
fn check_ending(path: &Path, endings: &[&str]) -> Result<()> {
    if path.extension().is_none_or(|ending| endings.iter().all(|known| !ending.eq_ignore_ascii_case(known))) {
        bail!("{} is a name of another kind of file; let it end in .{}", path.display(), endings.join(" or ."));
    }
    Ok(())
}

/// Writes a GGUF file, and beside it what Ollama has to know.
fn to_gguf(
    opened: &Rest,
    model: &Gpt2,
    config: &Gpt2Config,
    args: &ExportArgs,
    precision: GgufPrecision,
) -> Result<()> {
    let Rest { tokenizer, about, special } = opened;
    if !tokenizer.cuts_like_gpt2() {
        bail!(
            "the tokenizer of {} cuts texts in another way than GPT-2's, which GGUF has no name for; the file would make \
             other tokens than the model was trained with",
            tokenizer.origin()
        );
    }
    let looking = tokenizer.added_by_surroundings();
    if !looking.is_empty() {
        console::note(&format!(
            "beside these tokens blanks or letters decide what a text's tokens are, which GGUF has no place for: {}; \
             programs that read the file take no notice of them",
            looking.join(", ")
        ));
    }
    let own = about.own_template();
    let foreign = about.foreign_template();
    let template = foreign.map_or_else(|| own.chat_template(), str::to_owned);
    let name = model::title(&args.folder);
    let added: Vec<(u32, bool)> = if tokenizer.is_gpt2() {
        Vec::new()
    } else {
        tokenizer.added().iter().map(|token| (token.id, token.special)).collect()
    };
    let source = about.template.as_ref().filter(|template| !template.is_built_in()).map(gptune_data::Template::source);
    let gguf = GgufModel {
        name: &name,
        sizes: GgufSizes::from(config),
        tokens: &tokenizer.tokens(),
        merges: tokenizer.merges(),
        end_of_text: tokenizer.end_of_text(),
        added: &added,
        padding: special.pad.filter(|&pad| pad != tokenizer.end_of_text()),
        chat_template: Some(&template),
        prompt_style: about.template.as_ref().map(gptune_data::Template::name),
        template: source.as_deref(),
        special_tokens: about.special_tokens,
    };
    save_gguf(model, &args.destination, &gguf, precision)?;
    let file = args.destination.file_name().unwrap_or_default().to_string_lossy();
    let end = tokenizer.tokens().get(tokenizer.end_of_text() as usize).cloned().unwrap_or_default();
    let path = args.destination.with_extension("Modelfile");
    let modelfile = match foreign {
        None => own.modelfile(&file, &end),
        // Ollama takes the template from the file, where it knows it.
        Some(_) => {
            format!("# Made by gptune.\n#   ollama create NAME -f THIS_FILE\nFROM ./{file}\nPARAMETER stop \"{end}\"\n")
        }
    };
    gptune_files::write(&path, modelfile.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

/// Any model to a folder in Hugging Face's layout.
fn to_folder(source: &str, destination: &Path, precision: Precision, allow_nonfinite: bool) -> Result<()> {
    RunFolder::check(destination)?;
    interrupt::end_cleanly();
    let device = device::host()?.device;
    let opened = model::open_model(source, &Plain)?;
    let spinner = console::spinner(source);
    let (model, config) = opened.folder.allowing_nonfinite(allow_nonfinite).load(None, &device)?;
    let kept = Belongings { tokenizer: &opened.tokenizer, special: opened.special, about: &opened.about };
    write_new_folder(&model, &config, kept, destination, precision)?;
    spinner.finish_and_clear();
    print_line(format_args!("{source} is now in {}", destination.display()))
}

/// Any model to a new file.
fn to_file(args: &ExportArgs, save: impl FnOnce(&Rest, &Gpt2, &Gpt2Config) -> Result<()>) -> Result<()> {
    let (source, destination) = (&args.folder, &args.destination);
    if destination.exists() {
        bail!("{} exists; give a new file", destination.display());
    }
    interrupt::end_cleanly();
    let device = device::host()?.device;
    let (folder, opened) = model::open_model(source, &Plain)?.apart();
    let spinner = console::spinner(source);
    let (model, config) = folder.allowing_nonfinite(args.allow_nonfinite).load(None, &device)?;
    save(&opened, &model, &config)?;
    spinner.finish_and_clear();
    print_line(format_args!("{source} is now in {}", destination.display()))
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
