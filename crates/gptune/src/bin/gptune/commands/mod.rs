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
pub(crate) mod runs;
pub(crate) mod score;
pub(crate) mod tokens;
pub(crate) mod train;

use std::path::Path;

use anyhow::{Result, anyhow, bail};
use gptune::{
    RunConfig,
    about::{About, Training, absolute},
    data::{self as data_source},
};
use gptune_data::{Part, Template};
use gptune_train::Source;

use crate::{
    args::BatchArgs,
    console::{Plain, print_line},
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
    config: RunConfig,
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
fn open_data(config: &RunConfig, fingerprint: Option<&str>) -> Result<(Source, String)> {
    let (source, now) = data_source::open(&config.source, &Plain)?;
    if let Some(then) = fingerprint.filter(|then| *then != now) {
        let what = if config.source.train_data.is_empty() { &config.source.data } else { &config.source.train_data };
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
fn choose_data(data: Option<&str>, about: &About, template: &Template, context: usize, force: bool) -> Result<Chosen> {
    let mut config = RunConfig::default();
    template.name().clone_into(&mut config.source.prompt_style);
    config.data.special_tokens = about.special_tokens;
    config.data.max_length = context.min(config.data.max_length);
    let training = about.training.as_ref();
    if let Some(training) = training {
        let training = training.clone();
        config.data.mask_instructions = training.mask_instructions;
        config.data.max_length = training.max_length.min(context);
        config.data.batch_size = training.batch_size;
        config.data.too_long = training.too_long;
        config.data.skip_bad = training.skip_bad;
        config.run.order = training.order;
        config.run.seed = training.seed;
    }
    let Some(training) =
        training.filter(|training| data.is_none_or(|data| training.is_of(data) || same(training, data)))
    else {
        let Some(data) = data else {
            bail!("which data? give --data; only the folder of a model that gptune trained remembers what that was");
        };
        data.clone_into(&mut config.source.data);
        return Ok(Chosen { config, of_training: false, is_training_part: false, fingerprint: None });
    };
    config.source.data.clone_from(&training.data);
    config.source.train_data.clone_from(&training.train_data);
    config.source.val_data.clone_from(&training.val_data);
    config.source.test_data.clone_from(&training.test_data);
    config.source.fields.clone_from(&training.fields);
    config.data.split = training.split;
    config.data.split_seed = training.split_seed;
    config.data.train_limit = training.train_limit;
    if let Some(data) = data.filter(|_| training.train_data.is_empty()) {
        data.clone_into(&mut config.source.data);
    }
    let fingerprint = (!force).then(|| training.fingerprint.clone());
    let is_training_part = data.is_some() && !training.train_data.is_empty();
    Ok(Chosen { config, of_training: true, is_training_part, fingerprint })
}

/// Whether data under another name are those of the training, byte by byte.
fn same(training: &Training, data: &str) -> bool {
    training.train_data.is_empty()
        && absolute(data) != training.data
        && data_source::fingerprint_of(data, &Plain).is_ok_and(|now| now == training.fingerprint)
}

/// Puts flags over what was chosen.
fn batch_config(args: &BatchArgs, mut config: RunConfig, context: usize) -> Result<RunConfig> {
    config.run.order = args.order.unwrap_or(config.run.order);
    config.run.seed = args.seed.unwrap_or(config.run.seed);
    config.data.batch_size = args.batch_size.unwrap_or(config.data.batch_size);
    config.data.max_length = args.max_length.unwrap_or(config.data.max_length).min(context);
    config.data.mask_instructions = args.mask_instructions.unwrap_or(config.data.mask_instructions);
    config.data.train_limit = args.train_limit.unwrap_or(config.data.train_limit);
    config.data.too_long = args.too_long.unwrap_or(config.data.too_long);
    config.data.skip_bad |= args.skip_bad;
    config.data.special_tokens = args.special_tokens.unwrap_or(config.data.special_tokens);
    config.validate()?;
    Ok(config)
}
