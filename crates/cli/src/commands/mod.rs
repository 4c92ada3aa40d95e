//! One module a command: parse is done, here it is resolved and acted on.

pub(crate) mod ask;
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
use gptune_data::{Part, PromptStyle};
use gptune_train::{Source, TrainConfig};

use crate::{
    about::{About, Training, absolute},
    args::BatchArgs,
    console::print_line,
    data_source,
};

/// Prints the one JSON document of `--json`.
fn print_json(value: &impl serde::Serialize) -> Result<()> {
    print_line(serde_json::to_string(value)?)
}

/// Finds out whether a file can be written, before anything that takes long; leaves nothing behind.
fn check_writable(path: &Path) -> Result<()> {
    if path.is_dir() {
        bail!("cannot write {}: it is a folder; give the name of a file", path.display());
    }
    // What is not committed is gone again.
    let fault = |problem: std::io::Error| {
        // The probe's own name would only confuse.
        let problem = problem.kind();
        anyhow!("cannot write {}: {problem}; check the folder and its permissions", path.display())
    };
    gptune_files::NewFile::create(path).map(drop).map_err(fault)
}

/// The data that a command is to use: what the user names, else what the model was trained on.
struct Chosen {
    /// Data, split and whatever else batches depend on.
    config: TrainConfig,
    /// Whether these are the data that the model was trained on.
    of_training: bool,
    /// Whether it is the file that has the training part alone which was named.
    is_training_part: bool,
    /// Their fingerprint then, if they have to be what they were.
    fingerprint: Option<String>,
}

impl Chosen {
    /// The part to take where the user names none: the `usual` one of what was trained on, and all of other data.
    fn part(&self, usual: Part) -> Part {
        match (self.of_training, self.is_training_part) {
            (true, true) => Part::Train,
            (true, false) => usual,
            (false, _) => Part::All,
        }
    }
}

/// Reads data, with their fingerprint.
///
/// # Errors
///
/// If they cannot be read, or have not the fingerprint that they have to have.
fn open_data(config: &TrainConfig, questions: bool, fingerprint: Option<&str>) -> Result<(Source, String)> {
    let (source, now) = data_source::open(config, questions)?;
    if let Some(then) = fingerprint.filter(|then| *then != now) {
        let what = if config.train_data.is_empty() { &config.data } else { &config.train_data };
        bail!(
            "the data {what} are not what the model was trained on any more (their digest was {then}, and is {now}), so that \
             the parts would be others; give the data as they were, or --force to go on with these"
        );
    }
    Ok((source, now))
}

/// What batches depend on, as the part of a run's configuration that it is: as the user says, else as in the training of
/// the model, else as in the book.
///
/// # Errors
///
/// If there are no data to use.
fn choose_data(data: Option<&str>, about: &About, style: PromptStyle, context: usize, force: bool) -> Result<Chosen> {
    let default = TrainConfig::default();
    let mut config = TrainConfig {
        prompt_style: style,
        special_tokens: about.special_tokens,
        max_length: context.min(default.max_length),
        ..default
    };
    let training = about.training.as_ref();
    if let Some(training) = training {
        let training = training.clone();
        config.mask_instructions = training.mask_instructions;
        config.max_length = training.max_length.min(context);
        config.batch_size = training.batch_size;
        config.too_long = training.too_long;
        config.skip_bad = training.skip_bad;
        config.order = training.order;
        config.seed = training.seed;
    }
    let Some(training) =
        training.filter(|training| data.is_none_or(|data| training.is_of(data) || same(training, data)))
    else {
        let Some(data) = data else {
            bail!("which data? give --data; only the folder of a model that gptune trained remembers what that was");
        };
        data.clone_into(&mut config.data);
        return Ok(Chosen { config, of_training: false, is_training_part: false, fingerprint: None });
    };
    config.data.clone_from(&training.data);
    config.train_data.clone_from(&training.train_data);
    config.val_data.clone_from(&training.val_data);
    config.test_data.clone_from(&training.test_data);
    config.split = training.split;
    config.split_seed = training.split_seed;
    config.train_limit = training.train_limit;
    if let Some(data) = data.filter(|_| training.train_data.is_empty()) {
        data.clone_into(&mut config.data);
    }
    let fingerprint = (!force).then(|| training.fingerprint.clone());
    let is_training_part = data.is_some() && !training.train_data.is_empty();
    Ok(Chosen { config, of_training: true, is_training_part, fingerprint })
}

/// Whether data under another name are those of the training, byte by byte.
fn same(training: &Training, data: &str) -> bool {
    training.train_data.is_empty()
        && absolute(data) != training.data
        && data_source::fingerprint_of(data).is_ok_and(|now| now == training.fingerprint)
}

/// Puts flags over what was chosen.
fn batch_config(args: &BatchArgs, mut config: TrainConfig, context: usize) -> Result<TrainConfig> {
    config.order = args.order.unwrap_or(config.order);
    config.seed = args.seed.unwrap_or(config.seed);
    config.batch_size = args.batch_size.unwrap_or(config.batch_size);
    config.max_length = args.max_length.unwrap_or(config.max_length).min(context);
    config.mask_instructions = args.mask_instructions.unwrap_or(config.mask_instructions);
    config.train_limit = args.train_limit.unwrap_or(config.train_limit);
    config.too_long = args.too_long.unwrap_or(config.too_long);
    config.skip_bad |= args.skip_bad;
    config.special_tokens = args.special_tokens.unwrap_or(config.special_tokens);
    config.validate()?;
    Ok(config)
}
