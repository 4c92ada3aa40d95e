//! Byte-level byte-pair encoding: GPT-2's own, built offline, or the one that a model brings along.
//!
//! GPT-2's ranks come from the `tiktoken-rs` crate, which embeds OpenAI's `r50k_base` table; the merges are recovered
//! from the ranks the way Hugging Face's own converter does it (`gpt2`). Files of a model are read in the module
//! `files`. The encoder is Hugging Face's `tokenizers` for both. Tests hold GPT-2's ids equal to tiktoken's, and
//! others to transformers'.

mod files;
mod gpt2;
mod write;

use std::{fmt::Display, path::Path, sync::OnceLock};

use serde_json::{Map, Value};
use tokenizers::AddedToken;

use crate::DataError;

/// The special token that ends a text and pads a batch in GPT-2's vocabulary.
pub const END_OF_TEXT: &str = "<|endoftext|>";
/// Its id.
pub const END_OF_TEXT_ID: u32 = 50_256;
/// Number of entries in GPT-2's vocabulary, the special token included.
pub const VOCAB_SIZE: usize = 50_257;

/// A byte-level BPE tokenizer.
#[derive(Clone)]
pub struct Tokenizer {
    /// Without added tokens, so that no text becomes one.
    plain: tokenizers::Tokenizer,
    /// With them. Made when it is asked for, of GPT-2's; files bring it.
    full: OnceLock<tokenizers::Tokenizer>,
    /// By id; none where no token has an id.
    tokens: Vec<Option<String>>,
    /// Bytes that each id stands for; sums of it prove that an encoding is complete.
    byte_lengths: Vec<u32>,
    /// Merges in rank order, in GPT-2's printable alphabet.
    merges: Vec<(String, String)>,
    /// Tokens that text never becomes unless it is asked for, in the order of their ids.
    added: Vec<Added>,
    end_of_text: u32,
    /// The tokens that files say end a text, and the files; the first goes before the others.
    declared: Vec<(&'static str, u32)>,
    /// What is the model's own; none for GPT-2's.
    own: Option<Own>,
}

/// A token beside those of byte-pair encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// Its id.
    pub id: u32,
    /// Its text.
    pub content: String,
    /// Whether it controls a model rather than stands for text.
    pub special: bool,
}

/// What a tokenizer that is not GPT-2's comes with.
#[derive(Debug, Clone)]
struct Own {
    /// Where it was read, for messages.
    origin: String,
    /// `tokenizer.json` with its added tokens.
    json: Value,
    /// `tokenizer_config.json`.
    config: Map<String, Value>,
    /// `special_tokens_map.json`, if there is one.
    special: Option<Value>,
    /// Whether it puts a blank before a text that begins without one.
    adds_blank: bool,
    /// Whether it changes a text before it is cut: then lengths prove nothing.
    normalizes: bool,
    /// Whether texts are cut by GPT-2's expression.
    cuts_like_gpt2: bool,
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer")
            .field("origin", &self.origin())
            .field("vocab_size", &self.tokens.len())
            .finish_non_exhaustive()
    }
}

fn failed(error: &dyn Display) -> DataError {
    DataError::Tokenizer(error.to_string())
}

impl Tokenizer {
    fn assemble(
        plain: tokenizers::Tokenizer,
        tokens: Vec<Option<String>>,
        merges: Vec<(String, String)>,
        added: Vec<Added>,
        end_of_text: u32,
    ) -> Self {
        // In the printable alphabet a byte is a character; an added token is plain text.
        let mut byte_lengths: Vec<u32> = tokens
            .iter()
            .map(|token| token.as_ref().map_or(0, |token| u32::try_from(token.chars().count()).unwrap_or(u32::MAX)))
            .collect();
        for token in &added {
            byte_lengths[token.id as usize] = u32::try_from(token.content.len()).unwrap_or(u32::MAX);
        }
        let (full, declared) = (OnceLock::new(), vec![("GPT-2's tokenizer", end_of_text)]);
        Self { plain, full, tokens, byte_lengths, merges, added, end_of_text, declared, own: None }
    }

    /// Encodes a text. No text ever becomes a special token: a literal `<|endoftext|>` is encoded
    /// as the ordinary tokens of its letters.
    ///
    /// # Errors
    ///
    /// [`DataError::Tokenizer`] if the ids would not stand for the whole text: the regular expression engine gives up
    /// on runs of about a million blanks, and a vocabulary may lack a byte.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, DataError> {
        self.encode_with(&self.plain, text)
    }

    /// The same, but text that reads like an added token (GPT-2 has one, `<|endoftext|>`) becomes that token.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::encode`].
    pub fn encode_special(&self, text: &str) -> Result<Vec<u32>, DataError> {
        self.encode_with(self.full(), text)
    }

    fn encode_with(&self, tokenizer: &tokenizers::Tokenizer, text: &str) -> Result<Vec<u32>, DataError> {
        let encoding = tokenizer.encode_fast(text, false).map_err(|error| failed(&error))?;
        let ids = encoding.get_ids();
        let bytes: usize = ids.iter().map(|&id| self.byte_lengths.get(id as usize).map_or(0, |&n| n as usize)).sum();
        let (adds_blank, normalizes) = self.own.as_ref().map_or((false, false), |own| (own.adds_blank, own.normalizes));
        // Added tokens may swallow the blanks around them.
        let is_whole = bytes == text.len()
            || normalizes
            || adds_blank && bytes == text.len() + 1
            || !std::ptr::eq(tokenizer, &raw const self.plain) && !self.added_by_surroundings().is_empty();
        if is_whole {
            return Ok(ids.to_vec());
        }
        let remedy = match &self.own {
            None => "break up its longest run of blanks".to_owned(),
            Some(own) => format!("the vocabulary of {} has no token for some of its bytes", own.origin),
        };
        Err(DataError::Tokenizer(format!("a text of {} bytes was encoded as {bytes} bytes; {remedy}", text.len())))
    }

    /// The tokenizer with its added tokens.
    fn full(&self) -> &tokenizers::Tokenizer {
        self.full.get_or_init(|| {
            let mut full = self.plain.clone();
            let tokens = self.added.iter().map(|token| AddedToken::from(token.content.clone(), token.special));
            full.add_special_tokens(&tokens.collect::<Vec<_>>());
            full
        })
    }

    /// Decodes ids; bytes that are not UTF-8 become U+FFFD, as in tiktoken.
    ///
    /// # Errors
    ///
    /// [`DataError::UnknownToken`] for an id outside the vocabulary.
    pub fn decode(&self, ids: &[u32]) -> Result<String, DataError> {
        let is_known = |id: u32| self.tokens.get(id as usize).is_some_and(Option::is_some);
        if let Some(&id) = ids.iter().find(|&&id| !is_known(id)) {
            return Err(DataError::UnknownToken { id, size: self.tokens.len() });
        }
        // GPT-2's only added token is in its table too.
        let tokenizer = if self.own.is_some() { self.full() } else { &self.plain };
        tokenizer.decode(ids, false).map_err(|error| failed(&error))
    }

    /// Entries of the vocabulary, added tokens included: one more than the largest id.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.tokens.len()
    }

    /// The token that ends a text: every response that is trained on, and every answer.
    #[must_use]
    pub fn end_of_text(&self) -> u32 {
        self.end_of_text
    }

    /// The tokens that text becomes only with [`Tokenizer::encode_special`].
    #[must_use]
    pub fn added(&self) -> &[Added] {
        &self.added
    }

    /// The first added token that a text contains as letters.
    #[must_use]
    pub fn literal_added(&self, text: &str) -> Option<&Added> {
        self.added.iter().find(|token| text.contains(&token.content))
    }

    /// Whether this is GPT-2's own.
    #[must_use]
    pub fn is_gpt2(&self) -> bool {
        self.own.is_none()
    }

    /// Whether texts are cut into words by GPT-2's expression, which programs know by that name.
    #[must_use]
    pub fn cuts_like_gpt2(&self) -> bool {
        self.own.as_ref().is_none_or(|own| own.cuts_like_gpt2 && !own.adds_blank && !own.normalizes)
    }

    /// The added tokens that take in blanks around them, or that are none within a word (`lstrip`, `rstrip` and
    /// `single_word` in `tokenizer.json`), which formats beside Hugging Face's have no name for.
    #[must_use]
    pub fn added_by_surroundings(&self) -> Vec<&str> {
        let list = self.own.as_ref().and_then(|own| own.json["added_tokens"].as_array());
        let looks = |token: &&Value| ["lstrip", "rstrip", "single_word"].iter().any(|key| token[*key] == true);
        list.into_iter().flatten().filter(looks).filter_map(|token| token["content"].as_str()).collect()
    }

    /// Where it comes from, for messages.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.own.as_ref().map_or("GPT-2", |own| &own.origin)
    }

    /// The tokens in the order of their ids, in GPT-2's printable alphabet, as in `vocab.json`; added ones are plain
    /// text. An id that no token has is named `[UNUSED…]`.
    #[must_use]
    pub fn tokens(&self) -> Vec<String> {
        let named = |(id, token): (usize, &Option<String>)| token.clone().unwrap_or_else(|| format!("[UNUSED{id}]"));
        self.tokens.iter().enumerate().map(named).collect()
    }

    /// The pairs that are merged, in the order of their ranks and in the same alphabet, as in `merges.txt`.
    #[must_use]
    pub fn merges(&self) -> &[(String, String)] {
        &self.merges
    }

    /// Takes another end of text: the id that a model's configuration gives. Says in sentences which files name another
    /// one.
    ///
    /// # Errors
    ///
    /// [`DataError::NoEndOfText`] if the id is none of the vocabulary, or neither names one.
    pub fn ending_with(mut self, configured: Option<u32>) -> Result<(Self, Vec<String>), DataError> {
        let first = self.declared.first().copied();
        let Some((who, id)) = configured.map(|id| ("config.json", id)).or(first) else {
            let problem = "neither config.json ('eos_token_id') nor the tokenizer's files ('eos_token') name one";
            return Err(DataError::NoEndOfText { origin: self.origin().to_owned(), problem: problem.to_owned() });
        };
        let Some(Some(token)) = self.tokens.get(id as usize) else {
            let problem = format!("{who} says {id}, and the tokenizer has no such token among {}", self.tokens.len());
            return Err(DataError::NoEndOfText { origin: self.origin().to_owned(), problem });
        };
        let note = |&(file, other): &(&str, u32)| {
            let named = self.tokens.get(other as usize).and_then(Option::as_deref).unwrap_or_default();
            format!("{who} ends texts with token {id}, '{token}', and {file} names {other}, '{named}'; {id} is used")
        };
        let notes = self.declared.iter().filter(|(_, other)| *other != id).map(note).collect();
        self.end_of_text = id;
        Ok((self, notes))
    }

    /// The tokenizer of a folder in Hugging Face's layout: `tokenizer.json`, or `vocab.json` and `merges.txt`; none if
    /// the folder has neither. Files of GPT-2's own tokenizer give [`Tokenizer::gpt2`]. Its end of text is the one that
    /// its files name; whether they name one at all, [`Tokenizer::ending_with`] finds out.
    ///
    /// # Errors
    ///
    /// [`DataError::TokenizerFile`] naming the file and what about it cannot be used.
    pub fn read(folder: &Path) -> Result<Option<Self>, DataError> {
        files::read(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_of_gpt2_start_and_end_as_published() {
        let tokenizer = Tokenizer::gpt2().unwrap();
        assert_eq!(tokenizer.merges.len(), 50_000);
        assert_eq!(tokenizer.merges[0], ("Ġ".into(), "t".into()));
        assert_eq!(tokenizer.merges[1], ("Ġ".into(), "a".into()));
        assert_eq!(tokenizer.merges[2], ("h".into(), "e".into()));
        let tokens = tokenizer.tokens();
        assert_eq!(tokens.len(), VOCAB_SIZE);
        assert_eq!([&tokens[0], &tokens[262], &tokens[50_256]], ["!", "Ġthe", END_OF_TEXT]);
    }

    #[test]
    fn special_token_is_made_from_text_only_where_that_is_asked_for() {
        let tokenizer = Tokenizer::gpt2().unwrap();
        assert_eq!(tokenizer.encode(END_OF_TEXT).unwrap(), [27, 91, 437, 1659, 5239, 91, 29]);
        assert_eq!(tokenizer.encode_special("Hi<|endoftext|> you").unwrap(), [17_250, END_OF_TEXT_ID, 345]);
        assert_eq!(tokenizer.literal_added("x<|endoftext|>").map(|token| token.id), Some(END_OF_TEXT_ID));
        assert_eq!(tokenizer.literal_added("<|endoftext>"), None);
        assert_eq!(tokenizer.decode(&[END_OF_TEXT_ID]).unwrap(), END_OF_TEXT);
        assert!(matches!(tokenizer.decode(&[50_257]), Err(DataError::UnknownToken { id: 50_257, .. })));
    }

    #[test]
    fn the_end_of_text_is_the_configurations() {
        let tokenizer = Tokenizer::gpt2().unwrap();
        let (tokenizer, notes) = tokenizer.ending_with(Some(50_256)).unwrap();
        assert_eq!((tokenizer.end_of_text(), notes), (50_256, Vec::new()));
        let (tokenizer, notes) = tokenizer.ending_with(Some(0)).unwrap();
        assert_eq!((tokenizer.end_of_text(), notes.len()), (0, 1));
        assert!(notes[0].contains("token 0, '!'"), "{notes:?}");
        assert!(tokenizer.ending_with(Some(50_257)).unwrap_err().to_string().contains("50257"));
    }
}
