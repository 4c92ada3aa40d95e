//! From examples to token ids.

use std::{fmt, ops::Range, str::FromStr};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{DataError, Example, Message, Sequence, Template, Tokenizer, message::texts, template::Script};

/// Encodes examples by one template.
#[derive(Debug, Clone, Copy)]
pub struct Encoder<'a> {
    /// The tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// How a conversation becomes a text.
    pub template: &'a Template,
    /// Let text that reads like an added token become that token.
    pub special_tokens: bool,
}

impl Encoder<'_> {
    /// Encodes one example: the whole text, and where its answers lie.
    ///
    /// A token that spans the beginning of an answer belongs to it and is learnt. With templates that are [`Turns`] an
    /// answer begins where the text and the prompt encoded alone cease to agree, which for every prompt that does not end
    /// in white space is the length of the encoded prompt; with Jinja templates at the token that has its first character,
    /// as transformers finds it.
    ///
    /// [`Turns`]: crate::Turns
    ///
    /// # Errors
    ///
    /// [`DataError::Template`] if the template does not take the conversation, or as [`Tokenizer::encode`].
    pub fn encode(&self, example: &Example) -> Result<Sequence, DataError> {
        self.check_letters(&example.messages)?;
        let script = self.template.script(example, self.tokenizer).map_err(|problem| self.template.fault(problem))?;
        if script.finds_tokens {
            let (ids, trained) = self.tokenizer.encode_spans(&script.text, &script.trained, true)?;
            return Ok(Sequence { ids, trained });
        }
        self.written(&script)
    }

    /// What a model is given to answer an example: all but the last answer.
    ///
    /// # Errors
    ///
    /// As [`Encoder::encode`].
    pub fn prompt(&self, example: &Example) -> Result<Vec<u32>, DataError> {
        if example.plain_text().is_some() {
            // Nothing is asked: a text begins where another ended.
            return Ok(vec![self.tokenizer.end_of_text()]);
        }
        self.check_letters(example.question())?;
        let script = self.template.prompt_script(example.question(), self.tokenizer);
        let script = script.map_err(|problem| self.template.fault(problem))?;
        if script.finds_tokens {
            return self.tokenizer.encode_special(&script.text);
        }
        Ok(self.written(&script)?.ids)
    }

    /// The ids of a text.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::encode`].
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, DataError> {
        if self.special_tokens { self.tokenizer.encode_special(text) } else { self.tokenizer.encode(text) }
    }

    /// Encodes a text whose template says which tokens are its own.
    fn written(&self, script: &Script<'_>) -> Result<Sequence, DataError> {
        let mut ids = Vec::new();
        // The places of the answers' borders, as far as they are passed.
        let mut starts = Vec::with_capacity(script.trained.len());
        let mut ends = Vec::with_capacity(script.trained.len());
        let mut done = 0;
        let tokens = script.tokens.iter().map(|(range, id)| (range.clone(), Some(*id)));
        for (token, id) in tokens.chain([(script.text.len()..script.text.len(), None)]) {
            let text = &script.text[done..token.start];
            let within = |at: &usize| *at < token.start || id.is_none();
            let borders: Vec<usize> = script.trained[starts.len()..]
                .iter()
                .map(|range| range.start)
                .take_while(within)
                .map(|at| at - done)
                .collect();
            // Ends that are no token's: what ends an answer is letters there.
            let spans: Vec<Range<usize>> = script.trained[ends.len()..]
                .iter()
                .take_while(|range| range.end <= token.start)
                .map(|range| range.start.max(done) - done..range.end - done)
                .collect();
            let before = ids.len();
            if spans.iter().any(|span| !span.is_empty()) {
                let (_, places) = self.tokenizer.encode_spans(text, &spans, self.special_tokens)?;
                ends.extend(places.iter().map(|place| before + place.end));
            } else {
                ends.extend(spans.iter().map(|_| before));
            }
            if borders.iter().any(|&at| at > 0) {
                let (own, places) = self.tokenizer.encode_prompts(text, &borders, self.special_tokens)?;
                starts.extend(places.iter().map(|place| before + place));
                ids.extend(own);
            } else {
                starts.extend(borders.iter().map(|_| before));
                ids.extend(self.ids(text)?);
            }
            if let Some(id) = id {
                // An answer that begins or ends with this token.
                while script.trained.get(starts.len()).is_some_and(|range| range.start <= token.start) {
                    starts.push(ids.len());
                }
                ids.push(id);
                while script.trained.get(ends.len()).is_some_and(|range| range.end <= token.end) {
                    ends.push(ids.len());
                }
            }
            done = token.end;
        }
        let trained = starts.into_iter().zip(ends).map(|(start, end)| start..end).collect();
        Ok(Sequence { ids, trained })
    }

    /// Refuses text that reads like a token where it could not be told from the template's own tokens.
    fn check_letters(&self, messages: &[Message]) -> Result<(), DataError> {
        if self.special_tokens || !self.template.finds_tokens() {
            return Ok(());
        }
        match texts(messages).find_map(|(.., text, _)| self.tokenizer.literal_added(text)) {
            Some(token) => Err(self.template.fault(format!(
                "a message holds the letters '{}', which a Jinja template turns into that token; remove them, or ask for it \
                 with --special-tokens",
                token.content
            ))),
            None => Ok(()),
        }
    }

    /// Encodes many examples in parallel, in order; `progress` is called after each with 1.
    ///
    /// # Errors
    ///
    /// As [`Encoder::encode`].
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
    /// What is wrong with an example whose prompt of so many tokens leaves no room, or none.
    #[must_use]
    pub fn fault(&self, prompt: usize) -> Option<String> {
        let masked = self.mask_instructions && !self.prompts_only;
        let longest = if masked { self.max_length } else { self.context };
        (prompt >= longest).then(|| {
            let limit = self.limit(longest);
            format!("the prompt alone is {prompt} tokens long and {limit}; shorten it")
        })
    }

    /// What is wrong with an example that loses its end, because it has so many inputs; or none.
    #[must_use]
    pub fn cut(&self, inputs: usize) -> Option<String> {
        (inputs > self.max_length && !self.prompts_only)
            .then(|| format!("it is {inputs} tokens long and {}", self.limit(self.max_length)))
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
