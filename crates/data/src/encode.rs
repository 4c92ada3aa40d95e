//! From examples to token ids, and a look at them before training.

use std::collections::HashSet;

use rayon::prelude::*;

use crate::{DataError, Dataset, Example, PromptStyle, Split, Tokenizer};

/// An example as token ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedExample {
    /// The whole training text, without an end-of-text token.
    pub ids: Vec<u32>,
    /// How many leading ids belong to the prompt alone.
    pub prompt_len: usize,
}

/// Encodes examples in one prompt style.
#[derive(Debug, Clone)]
pub struct Encoder<'a> {
    /// The tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// The prompt style.
    pub style: PromptStyle,
}

impl Encoder<'_> {
    /// Encodes one example.
    ///
    /// `prompt_len` is what the training text and the prompt encoded alone have in common, so that
    /// a token that spans the boundary counts as response and is trained. For every text whose
    /// prompt does not end in white space this is the length of the encoded prompt.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::encode`].
    pub fn encode(&self, example: &Example) -> Result<EncodedExample, DataError> {
        let ids = self.tokenizer.encode(&self.style.training_text(example))?;
        let prompt = self.tokenizer.encode(&self.style.prompt(example))?;
        let prompt_len = ids.iter().zip(&prompt).take_while(|(a, b)| a == b).count();
        Ok(EncodedExample { ids, prompt_len })
    }

    /// Encodes many examples in parallel, in order; `progress` is called after each with 1.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::encode`].
    pub fn encode_all(
        &self,
        examples: &[Example],
        progress: impl Fn(u64) + Sync,
    ) -> Result<Vec<EncodedExample>, DataError> {
        examples
            .par_iter()
            .map(|example| {
                let encoded = self.encode(example);
                progress(1);
                encoded
            })
            .collect()
    }
}

/// What [`preflight`] found out about a dataset: nothing here stops a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preflight {
    /// Longest example in tokens.
    pub longest: usize,
    /// Training examples whose end-of-text target the cut to the longest allowed length removes.
    pub cut: usize,
    /// Indices of test and validation examples whose instruction and input occur in the training
    /// part.
    pub leaks: Vec<usize>,
}

/// Checks a dataset against the lengths that the model and the user allow.
///
/// Sequences are cut to `max_length` tokens. A prompt has to be shorter than `longest_prompt`: than the model's context,
/// and where prompts have no targets, than `max_length`. `encoded` are the examples of `dataset`, in order.
///
/// # Errors
///
/// [`DataError::PromptTooLong`] for a prompt that is not, and [`DataError::LiteralEndOfText`] for text that reads like
/// the special token.
pub fn preflight(
    dataset: &Dataset,
    encoded: &[EncodedExample],
    split: &Split,
    max_length: usize,
    longest_prompt: usize,
) -> Result<Preflight, DataError> {
    if let Some(index) = dataset.examples.iter().position(Example::has_literal_end_of_text) {
        return Err(DataError::LiteralEndOfText { origin: dataset.origin.clone(), index });
    }
    if let Some((index, example)) = encoded.iter().enumerate().find(|(_, example)| example.prompt_len >= longest_prompt)
    {
        return Err(DataError::PromptTooLong {
            origin: dataset.origin.clone(),
            index,
            tokens: example.prompt_len,
            limit: longest_prompt,
        });
    }
    let question = |index: usize| {
        let Example { instruction, input, .. } = &dataset.examples[index];
        (instruction.as_str(), input.as_str())
    };
    let trained: HashSet<_> = split.train.clone().map(question).collect();
    let held_out = split.test.clone().chain(split.val.clone());
    Ok(Preflight {
        longest: encoded.iter().map(|example| example.ids.len()).max().unwrap_or(0),
        // Inputs are ids[..len] padded, targets end with one end-of-text at position len.
        cut: split.train.clone().filter(|&index| encoded[index].ids.len() > max_length).count(),
        leaks: held_out.filter(|&index| trained.contains(&question(index))).collect(),
    })
}
