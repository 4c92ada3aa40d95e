//! GPT-2's byte-level byte-pair encoding, built offline.
//!
//! The ranks come from the `tiktoken-rs` crate, which embeds OpenAI's `r50k_base` table; the
//! merges are recovered from the ranks the way Hugging Face's own converter does it; the encoder is
//! Hugging Face's `tokenizers`. Tests hold its ids equal to tiktoken's.

use std::path::Path;

use ahash::AHashMap;
use serde_json::{Map, Value, json};
use tokenizers::{
    AddedToken, DecoderWrapper, ModelWrapper, PreTokenizerWrapper, models::bpe::BPE,
    pre_tokenizers::byte_level::ByteLevel,
};

use crate::DataError;

/// The special token that ends a text and pads a batch.
pub const END_OF_TEXT: &str = "<|endoftext|>";
/// Its id.
pub const END_OF_TEXT_ID: u32 = 50_256;
/// Number of entries in the vocabulary, the special token included.
pub const VOCAB_SIZE: usize = 50_257;

/// GPT-2's tokenizer.
#[derive(Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// Bytes that each id stands for; sums of it prove that an encoding is complete.
    byte_lengths: Vec<u32>,
    /// Merges in rank order, in GPT-2's printable alphabet.
    merges: Vec<(String, String)>,
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer").field("vocab_size", &self.byte_lengths.len()).finish_non_exhaustive()
    }
}

impl Tokenizer {
    /// Builds the tokenizer from the embedded ranks (about a tenth of a second).
    ///
    /// # Errors
    ///
    /// [`DataError::Tokenizer`] if the embedded table is not what it should be.
    pub fn gpt2() -> Result<Self, DataError> {
        let failed = |error: &dyn std::fmt::Display| DataError::Tokenizer(error.to_string());
        let ranks = tiktoken_rs::r50k_base().map_err(|error| failed(&error))?;
        let tokens = (0..END_OF_TEXT_ID)
            .map(|id| ranks.decode_bytes(&[id]).map_err(|error| failed(&error)))
            .collect::<Result<Vec<_>, _>>()?;
        let alphabet = printable_alphabet();
        let printable = |bytes: &[u8]| bytes.iter().map(|&byte| alphabet[usize::from(byte)]).collect::<String>();
        let merges: Vec<_> =
            recover_merges(&tokens)?.into_iter().map(|(left, right)| (printable(left), printable(right))).collect();

        let vocab: AHashMap<String, u32> = (0..)
            .zip(&tokens)
            .map(|(id, token)| (printable(token), id))
            .chain([(END_OF_TEXT.to_owned(), END_OF_TEXT_ID)])
            .collect();
        let bpe = BPE::builder().vocab_and_merges(vocab, merges.clone()).build().map_err(|error| failed(&error))?;
        let mut inner = tokenizers::Tokenizer::new(ModelWrapper::BPE(bpe));
        inner.with_pre_tokenizer(Some(PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, true, true))));
        inner.with_decoder(Some(DecoderWrapper::ByteLevel(ByteLevel::default())));
        let length = |bytes: usize| u32::try_from(bytes).map_err(|error| failed(&error));
        let byte_lengths =
            tokens.iter().map(Vec::len).chain([END_OF_TEXT.len()]).map(length).collect::<Result<_, _>>()?;
        Ok(Self { inner, byte_lengths, merges })
    }

    /// Encodes a text. No text ever becomes a special token: a literal `<|endoftext|>` is encoded
    /// as the seven ordinary tokens of its letters.
    ///
    /// # Errors
    ///
    /// [`DataError::Tokenizer`] if the ids would not stand for the whole text (the regular
    /// expression engine gives up on runs of about a million blanks).
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, DataError> {
        let encoding = self.inner.encode_fast(text, false).map_err(|error| DataError::Tokenizer(error.to_string()))?;
        let ids = encoding.get_ids();
        let bytes: usize = ids.iter().map(|&id| self.byte_lengths[id as usize] as usize).sum();
        if bytes == text.len() {
            Ok(ids.to_vec())
        } else {
            Err(DataError::Tokenizer(format!(
                "a text of {} bytes was encoded as {bytes} bytes; break up its longest run of blanks",
                text.len()
            )))
        }
    }

    /// Decodes ids; bytes that are not UTF-8 become U+FFFD, as in tiktoken.
    ///
    /// # Errors
    ///
    /// [`DataError::UnknownToken`] for an id outside the vocabulary.
    pub fn decode(&self, ids: &[u32]) -> Result<String, DataError> {
        if let Some(&id) = ids.iter().find(|&&id| id as usize >= self.byte_lengths.len()) {
            return Err(DataError::UnknownToken { id, size: self.byte_lengths.len() });
        }
        self.inner.decode(ids, false).map_err(|error| DataError::Tokenizer(error.to_string()))
    }

    /// The tokens in the order of their ids, in GPT-2's printable alphabet, as in `vocab.json`.
    #[must_use]
    pub fn tokens(&self) -> Vec<String> {
        let tokens = (0..).map_while(|id| self.inner.id_to_token(id));
        tokens.take(self.byte_lengths.len()).collect()
    }

    /// The pairs that are merged, in the order of their ranks and in the same alphabet, as in `merges.txt`.
    #[must_use]
    pub fn merges(&self) -> &[(String, String)] {
        &self.merges
    }

    /// Writes the files that transformers' `AutoTokenizer` reads: `tokenizer.json`, `vocab.json`,
    /// `merges.txt`, `special_tokens_map.json` and `tokenizer_config.json`, the last one with
    /// `extra` keys added.
    ///
    /// # Errors
    ///
    /// [`DataError::Write`] naming the file that could not be written.
    pub fn save(&self, folder: &Path, extra: Map<String, Value>) -> Result<(), DataError> {
        let failed = |error: &dyn std::fmt::Display| DataError::Tokenizer(error.to_string());
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            gptune_files::write(&path, text.as_bytes()).map_err(|source| DataError::Write { path, source })
        };
        let pretty = |value: &Value| serde_json::to_string_pretty(value).map_err(|error| failed(&error));

        let mut full = self.inner.clone();
        full.add_special_tokens(&[AddedToken::from(END_OF_TEXT, true)]);
        write("tokenizer.json", full.to_string(true).map_err(|error| failed(&error))?)?;

        let vocab: Map<String, Value> =
            self.tokens().into_iter().zip((0..).map(Value::from as fn(u32) -> Value)).collect();
        write("vocab.json", Value::Object(vocab).to_string())?;

        let merges: Vec<String> = self.merges.iter().map(|(left, right)| format!("{left} {right}")).collect();
        write("merges.txt", format!("#version: 0.2\n{}\n", merges.join("\n")))?;
        let special = json!({"bos_token": END_OF_TEXT, "eos_token": END_OF_TEXT, "unk_token": END_OF_TEXT});
        write("special_tokens_map.json", pretty(&special)?)?;

        let mut config = json!({
            "add_bos_token": false,
            "add_prefix_space": false,
            "bos_token": END_OF_TEXT,
            "clean_up_tokenization_spaces": false,
            "eos_token": END_OF_TEXT,
            "model_max_length": 1024,
            "tokenizer_class": "GPT2Tokenizer",
            "unk_token": END_OF_TEXT,
        });
        if let Some(config) = config.as_object_mut() {
            config.extend(extra);
        }
        write("tokenizer_config.json", pretty(&config)?)
    }
}

/// GPT-2's printable character for every byte (`bytes_to_unicode` of its source): printable Latin-1
/// stands for itself, the other 68 bytes take the code points from 256 on, in order.
fn printable_alphabet() -> [char; 256] {
    let mut next = 256_u32;
    std::array::from_fn(|byte| {
        let byte = u8::try_from(byte).unwrap_or(u8::MAX);
        if matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff) {
            char::from(byte)
        } else {
            next += 1;
            char::from_u32(next - 1).unwrap_or(char::REPLACEMENT_CHARACTER)
        }
    })
}

/// The two parts that make a token.
type Merge<'a> = (&'a [u8], &'a [u8]);

/// The merge that made each token of two or more bytes, in rank order: its bytes, merged by every
/// smaller rank, are just two parts.
fn recover_merges(tokens: &[Vec<u8>]) -> Result<Vec<Merge<'_>>, DataError> {
    let ranks: AHashMap<&[u8], usize> =
        tokens.iter().enumerate().map(|(rank, token)| (token.as_slice(), rank)).collect();
    (0..tokens.len())
        .filter(|&rank| tokens[rank].len() > 1)
        .map(|rank| {
            let token = tokens[rank].as_slice();
            // Boundaries of the parts, the end included.
            let mut cuts: Vec<usize> = (0..=token.len()).collect();
            loop {
                let best = (0..cuts.len().saturating_sub(2))
                    .filter_map(|i| Some((*ranks.get(&token[cuts[i]..cuts[i + 2]])?, i)))
                    .filter(|&(merged, _)| merged < rank)
                    .min();
                match best {
                    Some((_, i)) => cuts.remove(i + 1),
                    None => break,
                };
            }
            match cuts[..] {
                [_, middle, _] => Ok(token.split_at(middle)),
                _ => Err(DataError::Tokenizer(format!("rank {rank} is not a merge of two smaller ranks"))),
            }
        })
        .collect()
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
    fn special_token_is_never_made_from_text() {
        let tokenizer = Tokenizer::gpt2().unwrap();
        assert_eq!(tokenizer.encode(END_OF_TEXT).unwrap(), [27, 91, 437, 1659, 5239, 91, 29]);
        assert_eq!(tokenizer.decode(&[END_OF_TEXT_ID]).unwrap(), END_OF_TEXT);
        assert!(matches!(tokenizer.decode(&[50_257]), Err(DataError::UnknownToken { id: 50_257, .. })));
    }
}
