//! From examples to token ids, and a look at them before training.

use std::{collections::HashSet, fmt, str::FromStr};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{DataError, Example, PromptStyle, Sequence, Split, Tokenizer};

/// Encodes examples in one prompt style.
#[derive(Debug, Clone)]
pub struct Encoder<'a> {
    /// The tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// The prompt style.
    pub style: PromptStyle,
    /// Let text that reads like an added token become that token.
    pub special_tokens: bool,
}

impl Encoder<'_> {
    /// Encodes one example.
    ///
    /// The response begins where the training text and the prompt encoded alone cease to agree, so that a token that
    /// spans the boundary counts as response and is trained. For every text whose prompt does not end in white space
    /// this is the length of the encoded prompt. It ends with the end of the text, which is a token of its own.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::encode`].
    pub fn encode(&self, example: &Example) -> Result<Sequence, DataError> {
        let mut ids = self.ids(&self.style.training_text(example))?;
        let prompt = self.ids(&self.style.prompt(example))?;
        let prompt_len = ids.iter().zip(&prompt).take_while(|(a, b)| a == b).count();
        ids.push(self.tokenizer.end_of_text());
        let trained = vec![prompt_len..ids.len()];
        Ok(Sequence { ids, trained })
    }

    /// The ids of a text.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::encode`].
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, DataError> {
        if self.special_tokens { self.tokenizer.encode_special(text) } else { self.tokenizer.encode(text) }
    }

    /// Encodes many examples in parallel, in order; `progress` is called after each with 1.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::encode`].
    pub fn encode_all(&self, examples: &[Example], progress: impl Fn(u64) + Sync) -> Result<Vec<Sequence>, DataError> {
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

/// The lengths that a model and a user allow, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    /// Longest sequence that the user wants; longer ones are cut. At most `context`.
    pub max_length: usize,
    /// Longest sequence that the model takes.
    pub context: usize,
    /// Prompts carry no loss, so that one that fills `max_length` leaves nothing to learn.
    pub mask_instructions: bool,
    /// Nothing is trained on: prompts are answered, for which the context alone is a limit.
    pub prompts_only: bool,
}

impl Lengths {
    /// What is wrong with an example whose prompt leaves no room, or none.
    fn fault(&self, sequence: &Sequence) -> Option<String> {
        let masked = self.mask_instructions && !self.prompts_only;
        let longest = if masked { self.max_length } else { self.context };
        let tokens = sequence.prompt_length();
        (tokens >= longest).then(|| {
            let limit = self.limit(longest);
            format!("the prompt alone is {tokens} tokens long and {limit}; shorten it")
        })
    }

    /// What is wrong with an example that loses its end, or none.
    fn cut(&self, sequence: &Sequence) -> Option<String> {
        let tokens = sequence.inputs().len();
        (tokens > self.max_length && !self.prompts_only)
            .then(|| format!("it is {tokens} tokens long and {}", self.limit(self.max_length)))
    }

    /// The limit, by the name of what set it.
    fn limit(&self, longest: usize) -> String {
        if longest < self.context {
            format!("--max-length is {longest}, of the {} that the model's context holds", self.context)
        } else {
            format!("the model's context holds {longest}")
        }
    }
}

/// What is to become of an example that is longer than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TooLong {
    /// It loses its end, as in the book, and does not teach to stop.
    #[default]
    Cut,
    /// It is left out.
    Skip,
    /// It is an error.
    Refuse,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cut => "cut",
            Self::Skip => "skip",
            Self::Refuse => "refuse",
        })
    }
}

impl FromStr for TooLong {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self, DataError> {
        [Self::Cut, Self::Skip, Self::Refuse].into_iter().find(|choice| choice.to_string() == name).ok_or_else(|| {
            DataError::UnknownName { what: "choice", given: name.to_owned(), known: "cut, skip, refuse" }
        })
    }
}

/// An example that cannot be trained on as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// Its place among the examples.
    pub place: usize,
    /// What is wrong with it.
    pub problem: String,
    /// Whether it is too long, rather than wrong in its text.
    pub too_long: bool,
}

/// Finds the examples that cannot be trained on: text that reads like an added token (unless `encoder` makes it one),
/// prompts without room for an answer, and unless they may be cut, whatever is too long. `encoded` are the ids of
/// `examples`, in order.
#[must_use]
pub fn unfit(
    examples: &[Example],
    encoded: &[Sequence],
    encoder: &Encoder<'_>,
    lengths: Lengths,
    too_long: TooLong,
) -> Vec<Unfit> {
    let literal = |example: &Example| {
        let texts = [("instruction", &example.instruction), ("input", &example.input), ("output", &example.output)];
        let used = if lengths.prompts_only { &texts[..2] } else { &texts };
        let found = used.iter().find_map(|(key, text)| Some((key, encoder.tokenizer.literal_added(text)?)));
        found.filter(|_| !encoder.special_tokens).map(|(key, token)| {
            format!(
                "'{key}' contains the literal text '{0}', which would be taken for ordinary letters and not for the \
                 token {0}; remove it, or take it for the token with --special-tokens",
                token.content
            )
        })
    };
    let of = |(place, (example, encoded)): (usize, (&Example, &Sequence))| {
        let length = || {
            let cut = || lengths.cut(encoded).filter(|_| too_long != TooLong::Cut);
            lengths.fault(encoded).or_else(cut).map(|problem| (problem, true))
        };
        let (problem, too_long) = literal(example).map(|problem| (problem, false)).or_else(length)?;
        Some(Unfit { place, problem, too_long })
    };
    examples.iter().zip(encoded).enumerate().filter_map(of).collect()
}

/// What [`preflight`] found out about a dataset: nothing here stops a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preflight {
    /// Longest example in tokens.
    pub longest: usize,
    /// Training examples of which the cut to the longest allowed length leaves no token of the response.
    pub without_response: usize,
    /// Places of test and validation examples whose instruction and input occur in the training
    /// part.
    pub leaks: Vec<usize>,
}

/// Looks at examples that can be trained on. `encoded` are their ids, in order, of which `max_length` are kept.
#[must_use]
pub fn preflight(examples: &[Example], encoded: &[Sequence], split: &Split, max_length: usize) -> Preflight {
    let question = |place: usize| {
        let Example { instruction, input, .. } = &examples[place];
        (instruction.as_str(), input.as_str())
    };
    let trained: HashSet<_> = split.train.clone().map(question).collect();
    let held_out = split.test.clone().chain(split.val.clone());
    Preflight {
        longest: encoded.iter().map(|sequence| sequence.inputs().len()).max().unwrap_or(0),
        // The last target kept is at position `max_length`.
        without_response: encoded[split.train.clone()].iter().filter(|one| one.prompt_length() > max_length).count(),
        leaks: held_out.filter(|&place| trained.contains(&question(place))).collect(),
    }
}
