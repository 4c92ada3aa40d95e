//! GPT-2's own vocabulary, from the ranks that a crate embeds.

use ahash::AHashMap;
use tokenizers::{
    DecoderWrapper, ModelWrapper, PreTokenizerWrapper, models::bpe::BPE, pre_tokenizers::byte_level::ByteLevel,
};

use super::{Added, END_OF_TEXT, END_OF_TEXT_ID, Tokenizer, VOCAB_SIZE, failed};
use crate::DataError;

impl Tokenizer {
    /// Builds GPT-2's tokenizer from the embedded ranks (about a tenth of a second).
    ///
    /// # Errors
    ///
    /// [`DataError::Tokenizer`] if the embedded table is not what it should be.
    pub fn gpt2() -> Result<Self, DataError> {
        let ranks = tiktoken_rs::r50k_base().map_err(|error| failed(&error))?;
        let bytes = (0..END_OF_TEXT_ID)
            .map(|id| ranks.decode_bytes(&[id]).map_err(|error| failed(&error)))
            .collect::<Result<Vec<_>, _>>()?;
        let alphabet = printable_alphabet();
        let printable = |bytes: &[u8]| bytes.iter().map(|&byte| alphabet[usize::from(byte)]).collect::<String>();
        let merges: Vec<_> =
            recover_merges(&bytes)?.into_iter().map(|(left, right)| (printable(left), printable(right))).collect();
        let tokens: Vec<String> = bytes.iter().map(|token| printable(token)).chain([END_OF_TEXT.to_owned()]).collect();
        let vocab: AHashMap<String, u32> = tokens.iter().cloned().zip(0..).collect();
        let bpe = BPE::builder().vocab_and_merges(vocab, merges.clone()).build().map_err(|error| failed(&error))?;
        let mut plain = tokenizers::Tokenizer::new(ModelWrapper::BPE(bpe));
        plain.with_pre_tokenizer(Some(PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, true, true))));
        plain.with_decoder(Some(DecoderWrapper::ByteLevel(ByteLevel::default())));
        debug_assert_eq!(tokens.len(), VOCAB_SIZE);
        let added = vec![Added { id: END_OF_TEXT_ID, content: END_OF_TEXT.to_owned(), special: true }];
        Ok(Self::assemble(plain, tokens.into_iter().map(Some).collect(), merges, added, END_OF_TEXT_ID))
    }
}

/// GPT-2's printable character for every byte (`bytes_to_unicode` of its source): printable Latin-1
/// stands for itself, the other 68 bytes take the code points from 256 on, in order.
pub(super) fn printable_alphabet() -> [char; 256] {
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
