//! From a dataset to what a trainer needs.

use gptune_data::{
    Collator, DataError, Dataset, EncodedExample, Encoder, Example, Loader, Part, Preflight, Split, Tokenizer,
    preflight,
};

use crate::TrainConfig;

/// A dataset, encoded, checked and split.
#[derive(Debug)]
pub struct Prepared {
    /// The dataset.
    pub dataset: Dataset,
    /// Its examples as ids, in order.
    pub encoded: Vec<EncodedExample>,
    /// Its parts.
    pub split: Split,
    /// What is worth knowing about it.
    pub preflight: Preflight,
    collator: Collator,
    batch_size: usize,
}

impl Prepared {
    /// Encodes and checks a dataset as `config` asks for it; `progress` is called with 1 after each
    /// example. Sequences are cut to `config.max_length`, which the caller has limited to `context`, the longest
    /// that the model takes. A prompt that reaches it is refused, and with masked instructions one that reaches
    /// `config.max_length` and would leave a sequence without a target.
    ///
    /// # Errors
    ///
    /// Every fault of the data that must stop a run.
    pub fn new(
        dataset: Dataset,
        tokenizer: &Tokenizer,
        config: &TrainConfig,
        context: usize,
        progress: impl Fn(u64) + Sync,
    ) -> Result<Self, DataError> {
        let mut split = Split::new(dataset.examples.len());
        if config.train_limit > 0 {
            split.train.end = split.train.end.min(config.train_limit);
        }
        let encoded = Encoder { tokenizer, style: config.prompt_style }.encode_all(&dataset.examples, progress)?;
        let longest_prompt = if config.mask_instructions { config.max_length } else { context };
        let preflight = preflight(&dataset, &encoded, &split, config.max_length, longest_prompt)?;
        let collator = Collator { max_length: config.max_length, mask_instructions: config.mask_instructions };
        Ok(Self { dataset, encoded, split, preflight, collator, batch_size: config.batch_size })
    }

    /// The examples of a part.
    #[must_use]
    pub fn examples(&self, part: Part) -> &[Example] {
        &self.dataset.examples[self.split.part(part)]
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
