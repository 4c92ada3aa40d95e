//! One module a command: parse is done, here it is resolved and acted on.

pub(crate) mod bench;
pub(crate) mod convert;
pub(crate) mod data;
pub(crate) mod devices;
pub(crate) mod doctor;
pub(crate) mod evaluate;
pub(crate) mod fetch;
pub(crate) mod generate;
pub(crate) mod init;
pub(crate) mod pretrain;
pub(crate) mod respond;
pub(crate) mod score;
pub(crate) mod tokens;
pub(crate) mod train;

use std::path::Path;

use anyhow::{Result, anyhow, bail};
use gptune_data::PromptStyle;
use gptune_train::TrainConfig;

use crate::{args::BatchArgs, console::print_line};

/// Prints the one JSON document of `--json`.
fn print_json(value: &impl serde::Serialize) -> Result<()> {
    print_line(serde_json::to_string(value)?)
}

/// Finds out whether a file can be written, before anything that takes long; leaves nothing behind.
fn check_writable(path: &Path) -> Result<()> {
    if path.is_dir() {
        bail!("cannot write {}: it is a folder; give the name of a file", path.display());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let probe = tempfile::Builder::new().prefix(".writing-").tempfile_in(folder);
    let fault = |problem: std::io::Error| {
        // The probe's own name would only confuse.
        let problem = problem.kind();
        anyhow!("cannot write {}: {problem}; check the folder and its permissions", path.display())
    };
    probe.map(drop).map_err(fault)
}

/// What batches depend on, as the part of a run's configuration that it is.
fn batch_config(args: &BatchArgs, prompt_style: PromptStyle, context: usize) -> Result<TrainConfig> {
    let config = TrainConfig {
        prompt_style,
        order: args.order,
        seed: args.seed,
        batch_size: args.batch_size,
        max_length: args.max_length.min(context),
        mask_instructions: args.mask_instructions,
        train_limit: args.train_limit,
        ..TrainConfig::default()
    };
    config.validate()?;
    Ok(config)
}
