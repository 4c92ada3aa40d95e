//! Byte-level byte-pair encoding: GPT-2's own, built offline, or the one that a model brings along.
//!
//! GPT-2's ranks come from the `tiktoken-rs` crate, which embeds OpenAI's `r50k_base` table; the merges are recovered
//! from the ranks the way Hugging Face's own converter does it (`gpt2`). Files of a model are read in the module
//! `files`. GPT-2's table is encoded with here, whatever tokens are added to it: `words` cuts, `table` looks up and
//! merges, `finder` finds added tokens. For other vocabularies there is Hugging Face's `tokenizers`. Tests hold GPT-2's
//! ids equal to tiktoken's, and others to transformers'.

mod added;
mod build;
mod bytes;
mod files;
mod finder;
mod gpt2;
mod spans;
mod table;
mod words;
mod write;

use std::{fmt::Display, path::Path, sync::Arc};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

pub use self::added::Added;
use self::{
    finder::{Finder, Found},
    gpt2::Gpt2,
};
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
    base: Base,
    /// By id; none where no token has an id.
    tokens: Arc<Vec<Option<String>>>,
    /// Bytes that each id stands for; sums of it prove that an encoding is complete.
    byte_lengths: Arc<Vec<u32>>,
    /// Tokens that text never becomes unless it is asked for, in the order of their ids.
    added: Vec<Added>,
    end_of_text: u32,
    /// The tokens that files say end a text, and the files; the first goes before the others.
    declared: Vec<(&'static str, u32)>,
    /// What is the model's own; none for GPT-2's.
    own: Option<Own>,
}

/// What encodes.
#[derive(Clone)]
enum Base {
    /// GPT-2's table, and what finds the tokens added to it.
    Gpt2(&'static Gpt2, Arc<Finder>),
    /// Hugging Face's library with another one.
    Other(Arc<Library>),
}

/// A tokenizer in Hugging Face's library.
struct Library {
    /// Without added tokens, so that no text becomes one.
    plain: tokenizers::Tokenizer,
    /// With them.
    full: tokenizers::Tokenizer,
    /// In rank order, in GPT-2's printable alphabet.
    merges: Vec<(String, String)>,
}

/// What a tokenizer that is not just GPT-2's comes with.
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

impl Library {
    fn of(&self, special: bool) -> &tokenizers::Tokenizer {
        if special { &self.full } else { &self.plain }
    }
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
    /// Encodes a text. No text ever becomes a special token: a literal `<|endoftext|>` is encoded
    /// as the ordinary tokens of its letters.
    ///
    /// # Errors
    ///
    /// [`DataError::Tokenizer`] if the ids would not stand for the whole text: another vocabulary than GPT-2's may lack a
    /// byte.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, DataError> {
        self.ids(text, false)
    }

    /// The same, but text that reads like an added token (GPT-2 has one, `<|endoftext|>`) becomes that token.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::encode`].
    pub fn encode_special(&self, text: &str) -> Result<Vec<u32>, DataError> {
        self.ids(text, true)
    }

    fn ids(&self, text: &str, special: bool) -> Result<Vec<u32>, DataError> {
        let (gpt2, finder) = match &self.base {
            Base::Gpt2(gpt2, finder) => (gpt2, finder),
            Base::Other(library) => {
                let encoding = library.of(special).encode_fast(text, false).map_err(|error| failed(&error))?;
                return self.whole(text, encoding.get_ids().to_vec(), special);
            }
        };
        // English has about four bytes a token.
        let mut ids = Vec::with_capacity(text.len() / 4 + 1);
        let mut start = 0;
        let found = if special { finder.find(text) } else { Vec::new() };
        for Found { id, place } in found {
            gpt2.table.encode(&text[start..place.start], &mut ids);
            ids.push(id);
            start = place.end;
        }
        gpt2.table.encode(&text[start..], &mut ids);
        self.whole(text, ids, special)
    }

    /// Gives back ids if they stand for the whole text.
    fn whole(&self, text: &str, ids: Vec<u32>, special: bool) -> Result<Vec<u32>, DataError> {
        let bytes: usize = ids.iter().map(|&id| self.byte_lengths.get(id as usize).map_or(0, |&n| n as usize)).sum();
        let (adds_blank, normalizes) = self.own.as_ref().map_or((false, false), |own| (own.adds_blank, own.normalizes));
        // One before the text and one after every added token.
        let is_added = |id: &&u32| self.added.binary_search_by_key(*id, |token| token.id).is_ok();
        let most_blanks = || 1 + ids.iter().filter(is_added).count();
        // Added tokens may swallow the blanks around them.
        let is_whole = bytes == text.len()
            || normalizes
            || adds_blank && bytes > text.len() && bytes - text.len() <= most_blanks()
            || special && !self.added_by_surroundings().is_empty();
        if is_whole {
            return Ok(ids);
        }
        let problem = format!("the vocabulary of {} has no token for some of its bytes", self.origin());
        Err(DataError::Tokenizer(format!("a text of {} bytes was encoded as {bytes} bytes; {problem}", text.len())))
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
        let gpt2 = match &self.base {
            Base::Gpt2(gpt2, _) => gpt2,
            Base::Other(library) => return library.full.decode(ids, false).map_err(|error| failed(&error)),
        };
        let mut bytes = Vec::with_capacity(4 * ids.len());
        for &id in ids {
            match self.added.binary_search_by_key(&id, |token| token.id) {
                Ok(place) => bytes.extend(self.added[place].content.as_bytes()),
                Err(_) => bytes.extend(gpt2.table.bytes(id)),
            }
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
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
        match &self.base {
            Base::Gpt2(gpt2, _) => gpt2.merges(),
            Base::Other(library) => &library.merges,
        }
    }

    /// A fingerprint (SHA-256) of everything that decides ids: tokens, merges, added tokens and the end of text. It stays
    /// the same when the tokenizer is saved and read again, and between machines.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut add = |part: &str| {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        };
        match (&self.base, &self.own) {
            (Base::Other(..), Some(own)) => add(&own.json.to_string()),
            _ => add("GPT-2"),
        }
        self.tokens.iter().for_each(|token| add(token.as_deref().unwrap_or_default()));
        let list = self.own.as_ref().and_then(|own| own.json["added_tokens"].as_array());
        for Added { id, content, .. } in &self.added {
            add(&id.to_string());
            let flags = list.into_iter().flatten().find(|token| token["content"] == **content);
            for key in ["lstrip", "rstrip", "single_word", "normalized"] {
                add(if flags.is_some_and(|token| token[key] == true) { key } else { "" });
            }
        }
        add(&self.end_of_text.to_string());
        hash.finalize().into()
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
        let merges = tokenizer.merges();
        assert_eq!(merges.len(), 50_000);
        assert_eq!(merges[0], ("Ġ".into(), "t".into()));
        assert_eq!(merges[1], ("Ġ".into(), "a".into()));
        assert_eq!(merges[2], ("h".into(), "e".into()));
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
