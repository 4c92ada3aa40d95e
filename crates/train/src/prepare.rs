//! From datasets to what a trainer needs.

use gptune_data::{
    BadEntry, Collator, DataError, Dataset, EncodedExample, Example, Lengths, Loader, Mt19937, Part, Preflight, Split,
    Tokenizer, TooLong, Unfit, preflight, unfit,
};

use crate::TrainConfig;

/// The data of a run, as they were read.
#[derive(Debug, Clone)]
pub enum Source {
    /// One dataset, which is split.
    Whole(Dataset),
    /// Datasets of their own for the parts.
    Parts {
        /// To train on.
        train: Dataset,
        /// To answer.
        test: Option<Dataset>,
        /// To watch the loss on.
        val: Option<Dataset>,
    },
}

/// What becomes of a dataset for a model: how its texts become ids, and how many of them it takes.
#[derive(Debug, Clone, Copy)]
pub struct ModelInput<'a> {
    /// The model's tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// The token that fills up batches, if the model's configuration names one.
    pub padding: Option<u32>,
    /// Longest sequence that the model takes.
    pub context: usize,
}

/// An entry that was left out.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftOut {
    /// The file or name of its dataset.
    pub origin: String,
    /// The entry, its place in the file, and why.
    pub entry: BadEntry,
}

/// Data that are encoded, checked and split.
#[derive(Debug)]
pub struct Prepared {
    /// The file or name of the data, for messages.
    pub origin: String,
    /// The examples: those to train on, to answer, and to validate with, one part after the other.
    pub examples: Vec<Example>,
    /// The examples as ids, in the same order.
    pub encoded: Vec<EncodedExample>,
    /// The parts.
    pub split: Split,
    /// What is worth knowing about them.
    pub preflight: Preflight,
    /// Entries that were left out, as the configuration allows.
    pub left_out: Vec<LeftOut>,
    collator: Collator,
    batch_size: usize,
}

impl Prepared {
    /// Encodes and checks data as `config` asks for it; `progress` is called with 1 after each
    /// example. Entries that a dataset skipped are refused too, unless `config.skip_bad`, so that one reading finds all
    /// that is wrong. Sequences are cut to `config.max_length`, which the caller has limited to the model's context. A prompt
    /// that reaches the context is refused, and with masked instructions one that reaches
    /// `config.max_length` and would leave a sequence without a target.
    ///
    /// # Errors
    ///
    /// Every fault of the data that must stop a run; all bad entries of a file at once.
    pub fn new(
        source: Source,
        target: ModelInput<'_>,
        config: &TrainConfig,
        progress: impl Fn(u64) + Sync,
    ) -> Result<Self, DataError> {
        let mut left_out = Vec::new();
        let mut fit = |dataset: Dataset| fitting(dataset, target, config, &mut left_out, &progress);
        let (origin, mut parts, split) = match source {
            Source::Whole(dataset) => {
                let origin = dataset.origin.clone();
                let parts = fit(dataset)?;
                let split = Split::with(parts.0.len(), config.split);
                (origin, shuffled(parts, config.split_seed), split)
            }
            Source::Parts { train, test, val } => {
                let datasets = [Some(train), test, val];
                let origins: Vec<String> = datasets.iter().flatten().map(|dataset| dataset.origin.clone()).collect();
                let mut all = (Vec::new(), Vec::new());
                let mut sizes = [0; 3];
                let mut faults = Vec::new();
                for (size, dataset) in sizes.iter_mut().zip(datasets) {
                    let Some(dataset) = dataset else { continue };
                    match fit(dataset) {
                        Ok((examples, encoded)) => {
                            *size = examples.len();
                            all.0.extend(examples);
                            all.1.extend(encoded);
                        }
                        Err(fault @ DataError::Entries { .. }) => faults.push(fault),
                        Err(fault) => return Err(fault),
                    }
                }
                if !faults.is_empty() {
                    return Err(DataError::Files(faults));
                }
                let [train, test, val] = sizes;
                (origins.join(", "), all, Split::of_sizes(train, test, val))
            }
        };
        let (examples, encoded) = (std::mem::take(&mut parts.0), std::mem::take(&mut parts.1));
        let mut split = split;
        if config.train_limit > 0 {
            split.train.end = split.train.end.min(config.train_limit);
        }
        let preflight = preflight(&examples, &encoded, &split, config.max_length);
        if preflight.without_response > 0 && preflight.without_response == split.train.len() {
            return Err(DataError::NothingToLearn { origin, max_length: config.max_length });
        }
        let collator = Collator::new(target.tokenizer, target.padding, config.max_length, config.mask_instructions);
        Ok(Self { origin, examples, encoded, split, preflight, left_out, collator, batch_size: config.batch_size })
    }

    /// The examples of a part.
    #[must_use]
    pub fn examples(&self, part: Part) -> &[Example] {
        &self.examples[self.split.part(part)]
    }

    /// A loader over a part.
    ///
    /// # Errors
    ///
    /// [`DataError::PartTooSmall`] if the part has no batch.
    pub fn loader(&self, part: Part) -> Result<Loader<'_>, DataError> {
        let examples = &self.encoded[self.split.part(part)];
        Loader::new(part, examples, self.batch_size, self.collator, self.encoded.len())
    }
}

/// Examples and their ids.
type Encoded = (Vec<Example>, Vec<EncodedExample>);

/// Encodes a dataset, and refuses or leaves out what cannot be trained on.
fn fitting(
    mut dataset: Dataset,
    target: ModelInput<'_>,
    config: &TrainConfig,
    left_out: &mut Vec<LeftOut>,
    progress: &(impl Fn(u64) + Sync),
) -> Result<Encoded, DataError> {
    let encoder = config.encoder(target.tokenizer);
    let mut encoded = encoder.encode_all(&dataset.examples, progress)?;
    let lengths =
        Lengths { max_length: config.max_length, context: target.context, mask_instructions: config.mask_instructions };
    let unfit = unfit(&dataset.examples, &encoded, &encoder, lengths, config.too_long);
    let may_leave_out = |too_long| if too_long { config.too_long == TooLong::Skip } else { config.skip_bad };
    let total = dataset.examples.len() + dataset.skipped.len();
    let entry = |unfit: &Unfit| BadEntry::new(&dataset.examples[unfit.place], unfit.problem.clone());
    // All that cannot be used, with whether it may be left out.
    let unreadable = dataset.skipped.iter().map(|entry| (entry.clone(), false));
    let mut bad: Vec<(BadEntry, bool)> = unreadable.chain(unfit.iter().map(|one| (entry(one), one.too_long))).collect();
    bad.sort_by_key(|(entry, _)| entry.index);
    let refused = bad.iter().any(|&(_, too_long)| !may_leave_out(too_long));
    if refused || bad.len() == total {
        // Nothing is left, or there are some that have to stay.
        bad.retain(|&(_, too_long)| !refused || !may_leave_out(too_long));
        let some = |kind: bool| bad.iter().any(|&(_, too_long)| too_long == kind);
        let remedy = match (some(true), some(false)) {
            (true, true) => "--too-long skip and --skip-bad",
            (true, false) => "--too-long skip",
            (false, _) => "--skip-bad",
        };
        let bad = bad.into_iter().map(|(entry, _)| entry).collect();
        return Err(DataError::Entries { origin: dataset.origin, bad, total, remedy });
    }
    left_out.extend(bad.into_iter().map(|(entry, _)| LeftOut { origin: dataset.origin.clone(), entry }));
    let mut places = unfit.iter().map(|unfit| unfit.place).peekable();
    let mut keep =
        (0..dataset.examples.len()).map(|place| places.next_if_eq(&place).is_none()).collect::<Vec<_>>().into_iter();
    let mut keep_encoded = keep.clone();
    dataset.examples.retain(|_| keep.next().unwrap_or(true));
    encoded.retain(|_| keep_encoded.next().unwrap_or(true));
    Ok((dataset.examples, encoded))
}

/// Brings examples into the order of `torch.randperm` after `torch.manual_seed(seed)`; 0 leaves them as they are.
fn shuffled((examples, encoded): Encoded, seed: u32) -> Encoded {
    if seed == 0 {
        return (examples, encoded);
    }
    let mut all: Vec<Option<(Example, EncodedExample)>> = examples.into_iter().zip(encoded).map(Some).collect();
    let order = Mt19937::new(seed).permutation(all.len());
    order.into_iter().filter_map(|place| all[place].take()).unzip()
}
