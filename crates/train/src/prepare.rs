//! From datasets to what a trainer needs.

use std::collections::HashSet;

use gptune_data::{
    BadEntry, Collator, DataError, Dataset, Example, Lengths, Loader, Mt19937, Part, Preflight, Sequence, Sequences,
    Split, Tokenizer, TooLong, Unfit, preflight, unfit,
};

use crate::{DataConfig, TrainError};

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
    /// Only prompts are given to the model, which answers them: how long a response is does not matter.
    pub prompts_only: bool,
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
    pub sequences: Sequences,
    /// The places of all sequences.
    places: Vec<u32>,
    /// The parts.
    pub split: Split,
    /// What is worth knowing about them.
    pub preflight: Preflight,
    /// Entries that were left out, as the configuration allows.
    pub left_out: Vec<LeftOut>,
    collator: Collator,
    config: DataConfig,
    /// Whether the parts are datasets of their own.
    own_parts: bool,
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
        config: &DataConfig,
        progress: impl Fn(u64) + Sync,
    ) -> Result<Self, TrainError> {
        config.validate()?;
        let own_parts = matches!(source, Source::Parts { .. });
        let mut left_out = Vec::new();
        let mut fit = |dataset: Dataset| fitting(dataset, target, config, &mut left_out, &progress);
        let (origin, pairs, sizes) = match source {
            Source::Whole(dataset) => {
                let origin = dataset.origin.clone();
                let (pairs, sizes) = divided(fit(dataset)?, config);
                (origin, pairs, sizes)
            }
            Source::Parts { train, test, val } => {
                let datasets = [Some(train), test, val];
                let origins: Vec<String> = datasets.iter().flatten().map(|dataset| dataset.origin.clone()).collect();
                let (mut pairs, mut sizes, mut faults) = (Vec::new(), [0; 3], Vec::new());
                for (size, dataset) in sizes.iter_mut().zip(datasets) {
                    let Some(dataset) = dataset else { continue };
                    match fit(dataset) {
                        Ok(entries) => {
                            let before = pairs.len();
                            pairs.extend(entries.into_iter().flatten());
                            *size = pairs.len() - before;
                        }
                        Err(fault @ DataError::Entries { .. }) => faults.push(fault),
                        Err(fault) => return Err(fault.into()),
                    }
                }
                if !faults.is_empty() {
                    return Err(DataError::Files(faults).into());
                }
                (origins.join(", "), pairs, sizes)
            }
        };
        let (examples, encoded): (Vec<Example>, Vec<Sequence>) = pairs.into_iter().unzip();
        let [train, test, val] = sizes;
        let mut split = Split::of_sizes(train, test, val);
        if config.train_limit > 0 {
            split.train.end = split.train.end.min(config.train_limit);
        }
        let preflight = preflight(&examples, &encoded, &split, config.max_length);
        let nothing = preflight.without_response > 0 && preflight.without_response == split.train.len();
        if nothing && !target.prompts_only {
            return Err(DataError::NothingToLearn { origin, max_length: config.max_length }.into());
        }
        let collator = collator_of(target, config);
        let config = config.clone();
        let mut sequences = Sequences::new(target.tokenizer.vocab_size());
        for sequence in &encoded {
            sequences.push(sequence);
        }
        let places = sequences.places();
        Ok(Self { origin, examples, sequences, places, split, preflight, left_out, collator, config, own_parts })
    }

    /// The examples of a part.
    #[must_use]
    pub fn examples(&self, part: Part) -> &[Example] {
        &self.examples[self.split.part(part)]
    }

    /// What they were prepared by.
    #[must_use]
    pub fn config(&self) -> &DataConfig {
        &self.config
    }

    /// A loader over a part.
    ///
    /// # Errors
    ///
    /// [`DataError::PartTooSmall`] if the part has no batch.
    pub fn loader(&self, part: Part) -> Result<Loader<'_>, DataError> {
        let places = &self.places[self.split.part(part)];
        Loader::new(part, &self.sequences, places, self.config.batch_size, self.collator, self.places.len())
    }

    /// The same for training, with what to do about a part that is too small by the settings that made it.
    pub(crate) fn training_loader(&self, part: Part) -> Result<Loader<'_>, DataError> {
        let fault = match self.loader(part) {
            Ok(loader) => return Ok(loader),
            Err(fault) => fault,
        };
        let DataError::PartTooSmall { part, examples, total, needed, .. } = fault else { return Err(fault) };
        let DataConfig { split, train_limit, .. } = self.config;
        let remedy = match (part, self.own_parts) {
            ("val", true) => "give it with --val-data, or go without evaluations with --no-eval".to_owned(),
            ("val", false) => {
                format!("give it a share of the {split} in --split, add data, or go without evaluations with --no-eval")
            }
            (_, own) => {
                let limit = if train_limit > 0 { ", raise --train-limit" } else { "" };
                let split = if own { String::new() } else { format!(", give it more of the {split} in --split") };
                format!("add data, lower --batch-size{limit}{split}")
            }
        };
        Err(DataError::PartTooSmall { part, examples, total, needed, remedy })
    }
}

fn collator_of(target: ModelInput<'_>, config: &DataConfig) -> Collator {
    Collator::new(target.tokenizer, target.padding, config.max_length, config.mask_instructions)
}

/// What is in the places of a dataset: an example and its ids, or nothing where it was left out.
type Entries = Vec<Option<(Example, Sequence)>>;

/// Encodes a dataset, and refuses or leaves out what cannot be used.
fn fitting(
    dataset: Dataset,
    target: ModelInput<'_>,
    config: &DataConfig,
    left_out: &mut Vec<LeftOut>,
    progress: &(impl Fn(u64) + Sync),
) -> Result<Entries, DataError> {
    let encoder = config.encoder(target.tokenizer);
    let encoded = encoder.encode_all(&dataset.examples, progress)?;
    let lengths = Lengths {
        max_length: config.max_length,
        context: target.context,
        mask_instructions: config.mask_instructions,
        prompts_only: target.prompts_only,
    };
    let mut unfit = unfit(&dataset.examples, &encoded, &encoder, lengths, config.too_long);
    if config.special_tokens && config.mask_instructions && !target.prompts_only {
        // An end of text in the prompt is the last that is trained, and with a response that is empty there is no other.
        let collator = collator_of(target, config);
        let empty = |place: &usize| collator.collate([encoded[*place].clone()]).target_tokens() == 0;
        let problem = "its prompt holds the end of text, and nothing after it would be trained on".to_owned();
        let known: HashSet<usize> = unfit.iter().map(|one| one.place).collect();
        let found = (0..encoded.len()).filter(|place| !known.contains(place)).filter(empty);
        unfit.extend(found.map(|place| Unfit { place, problem: problem.clone(), too_long: false }));
        unfit.sort_by_key(|one| one.place);
    }
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
        return Err(DataError::Entries { origin: dataset.origin, bad, total, remedy: Some(remedy) });
    }
    left_out.extend(bad.into_iter().map(|(entry, _)| LeftOut { origin: dataset.origin.clone(), entry }));
    let mut places = unfit.iter().map(|unfit| unfit.place).peekable();
    let mut skipped = dataset.skipped.iter().map(|entry| entry.index).peekable();
    let mut entries = Entries::with_capacity(total);
    for (place, pair) in dataset.examples.into_iter().zip(encoded).enumerate() {
        while skipped.next_if(|&index| index < pair.0.index).is_some() {
            entries.push(None);
        }
        entries.push(places.next_if_eq(&place).is_none().then_some(pair));
    }
    entries.extend(skipped.map(|_| None));
    Ok(entries)
}

/// Divides a dataset into its parts, one after the other, and says how large they are. Which part an entry is in does
/// not depend on whether others were left out: nothing that was trained on may become a test because something else is
/// read, or is not.
fn divided(mut entries: Entries, config: &DataConfig) -> (Vec<(Example, Sequence)>, [usize; 3]) {
    // The order of `torch.randperm` after `torch.manual_seed(seed)`; 0 leaves that of the file.
    let order = match config.split_seed {
        0 => (0..entries.len()).collect(),
        seed => Mt19937::new(seed).permutation(entries.len()),
    };
    let split = Split::with(entries.len(), config.split);
    let mut pairs = Vec::with_capacity(entries.len());
    let sizes = [split.train, split.test, split.val].map(|part| {
        let before = pairs.len();
        pairs.extend(order[part].iter().filter_map(|&place| entries[place].take()));
        pairs.len() - before
    });
    (pairs, sizes)
}

#[cfg(test)]
mod tests {
    use gptune_data::{Part, ReadOptions};

    use super::*;

    /// The places of the entries in each part, as the file has them.
    fn parts(text: &str, config: &DataConfig) -> [Vec<usize>; 3] {
        let options = ReadOptions { skip_bad: true, questions: false };
        let dataset = Dataset::parse_with("x", text.as_bytes(), options).unwrap();
        let tokenizer = Tokenizer::gpt2().unwrap();
        let target = ModelInput { tokenizer: &tokenizer, padding: None, context: 128, prompts_only: false };
        let data = Prepared::new(Source::Whole(dataset), target, config, |_| ()).unwrap();
        [Part::Train, Part::Test, Part::Val].map(|part| data.examples(part).iter().map(|one| one.index).collect())
    }

    #[test]
    fn nothing_changes_its_part_because_others_are_left_out() {
        let entry = |index: usize, instruction: &str| match index {
            3 | 17 | 38 => r#"{"instruction": "a"}"#.to_owned(),
            _ => format!(r#"{{"instruction": "{instruction}", "output": "b"}}"#),
        };
        let text = |long: &[usize]| {
            let length = |index| if long.contains(&index) { 120 } else { 3 };
            let entries: Vec<String> = (0..40).map(|index| entry(index, &"word ".repeat(length(index)))).collect();
            format!("[{}]", entries.join(","))
        };
        for split_seed in [0, 7] {
            let too_long = TooLong::Skip;
            let config = DataConfig { skip_bad: true, too_long, split_seed, max_length: 100, ..DataConfig::default() };
            let all = parts(&text(&[]), &config);
            assert_eq!(all.iter().map(Vec::len).sum::<usize>(), 37);
            let long = [1, 20, 36, 39];
            let fewer = all.map(|part| part.into_iter().filter(|index| !long.contains(index)).collect::<Vec<_>>());
            assert_eq!(parts(&text(&long), &config), fewer, "{split_seed}");
        }
    }

    #[test]
    fn an_end_of_text_in_a_prompt_without_response_is_refused() {
        let text = r#"[{"instruction": "a<|endoftext|>b", "output": ""}, {"instruction": "a", "output": "b"}]"#;
        let dataset = Dataset::parse("x", text.as_bytes()).unwrap();
        let tokenizer = Tokenizer::gpt2().unwrap();
        let target = ModelInput { tokenizer: &tokenizer, padding: None, context: 1024, prompts_only: false };
        let prompt_style = gptune_data::PromptStyle::Alpaca;
        let config =
            DataConfig { special_tokens: true, mask_instructions: true, prompt_style, ..DataConfig::default() };
        let error = Prepared::new(Source::Whole(dataset), target, &config, |_| ()).unwrap_err().to_string();
        assert!(error.contains("entry 0: its prompt holds the end of text"), "{error}");
    }
}
