//! Writes a model in three formats, reads each back, and says how far its logits moved.
//!
//! Usage: `convert [MODEL]`; without, the built-in model of the repository.

use std::{error::Error, fs, path::Path};

use burn::tensor::Device;
use gptune_data::Tokenizer;
use gptune_model::{Gpt2, Packed};
use gptune_weights::{
    GgufModel, GgufPrecision, GgufSizes, ModelFolder, Precision, SaveOptions, save_book, save_gguf, save_model,
};

fn main() -> Result<(), Box<dyn Error>> {
    let built_in = concat!(env!("CARGO_MANIFEST_DIR"), "/../gptune/assets/nano");
    let source = std::env::args().nth(1).unwrap_or_else(|| built_in.to_owned());
    let (device, tokenizer) = (Device::flex(), Tokenizer::gpt2()?);
    let (model, config) = ModelFolder::open(Path::new(&source))?.load(None, &device)?;
    let prompt = tokenizer.encode("The teacher asked the class")?;
    let logits = |model: &Gpt2| model.logits(&Packed::new(&[&prompt], false));
    let wanted = logits(&model);

    let folder = tempfile::tempdir()?;
    let [bf16, book, gguf] = ["bf16", "bf16/book.pth", "q8_0.gguf"].map(|name| folder.path().join(name));
    save_model(&model, &config, &bf16, SaveOptions { precision: Precision::BF16, ..SaveOptions::default() })?;
    // Beside a config.json, because the book's format does not tell the number of heads.
    save_book(&model, &book)?;
    let about = GgufModel {
        name: "converted",
        sizes: GgufSizes::from(&config),
        tokens: &tokenizer.tokens(),
        merges: tokenizer.merges(),
        end_of_text: tokenizer.end_of_text(),
        added: &[],
        padding: None,
        chat_template: None,
        prompt_style: None,
        template: None,
        special_tokens: false,
    };
    save_gguf(&model, &gguf, &about, GgufPrecision::Q8_0)?;

    for (path, file) in [(&bf16, bf16.join("model.safetensors")), (&book, book.clone()), (&gguf, gguf.clone())] {
        let (read, _) = ModelFolder::open(path)?.load(None, &device)?;
        let moved = (logits(&read) - wanted.clone()).abs().max().into_scalar::<f32>();
        let (name, bytes) = (file.file_name().unwrap_or_default().display(), fs::metadata(&file)?.len());
        println!("{name:<20} {bytes:>10} bytes, logits at most {moved:.4} apart");
    }
    Ok(())
}
