//! The built-in model, from nothing.

use std::{fs, process::Command};

use anyhow::{Context, Result};

use crate::{cargo, world};

/// The flags of `gptune pretrain` that `crates/gptune/assets/nano` was made with.
const SETTINGS: &str = "--n-layer 6 --n-head 4 --n-embd 128 --n-positions 512 --compact-vocabulary --block-size 128 \
                        --batch-size 8 --steps 10000 --lr 3e-3 --warmup 150 --seed 123 --dtype f16";

/// Writes the corpus, pretrains on it and puts the model's two files into `crates/gptune/assets/nano`.
pub(crate) fn run() -> Result<()> {
    let gptune = cargo::build_gptune("flex")?;
    let work = cargo::root().join("target/pretrain-nano");
    if work.exists() {
        fs::remove_dir_all(&work).with_context(|| format!("cannot empty {}", work.display()))?;
    }
    fs::create_dir_all(&work).with_context(|| format!("cannot create {}", work.display()))?;
    let (text, model) = (work.join("corpus.txt"), work.join("model"));
    fs::write(&text, world::corpus()?).with_context(|| format!("cannot write {}", text.display()))?;
    cargo::run(
        Command::new(gptune)
            .arg("pretrain")
            .arg("--text")
            .arg(&text)
            .arg("--out")
            .arg(&model)
            .arg("--also")
            .arg(cargo::root().join("crates/gptune/assets/sample-data.json"))
            .args(SETTINGS.split_whitespace()),
    )?;
    let nano = cargo::root().join("crates/gptune/assets/nano");
    fs::create_dir_all(&nano).with_context(|| format!("cannot create {}", nano.display()))?;
    for file in ["config.json", "model.safetensors"] {
        fs::copy(model.join(file), nano.join(file))
            .with_context(|| format!("cannot write {file} into crates/gptune/assets/nano"))?;
    }
    println!("crates/gptune/assets/nano is new; build again to have it in the program");
    Ok(())
}
