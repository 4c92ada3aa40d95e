//! GPT-2's own vocabulary, from the ranks that a crate embeds.

use std::sync::{Arc, OnceLock};

use ahash::AHashMap;
use tokenizers::{
    AddedToken, DecoderWrapper, ModelWrapper, PreTokenizerWrapper, models::bpe::BPE,
    pre_tokenizers::byte_level::ByteLevel,
};

use super::{Added, Base, END_OF_TEXT, END_OF_TEXT_ID, Tokenizer, VOCAB_SIZE, failed, finder::Finder, table::Table};
use crate::DataError;

/// What all tokenizers with GPT-2's byte-pair encoding share.
pub(super) struct Gpt2 {
    pub(super) table: Table,
    /// By id, in the printable alphabet; the end of text is one of them.
    pub(super) tokens: Arc<Vec<Option<String>>>,
    /// Bytes by id.
    pub(super) byte_lengths: Arc<Vec<u32>>,
    /// Finds the end of text.
    pub(super) finder: Arc<Finder>,
    merges: OnceLock<Vec<(String, String)>>,
}

static GPT2: OnceLock<Gpt2> = OnceLock::new();

/// The token that GPT-2 has beside those of byte-pair encoding.
pub(super) fn end_of_text() -> Added {
    Added { id: END_OF_TEXT_ID, content: END_OF_TEXT.to_owned(), special: true }
}

impl Gpt2 {
    /// The one of this process.
    pub(super) fn shared() -> Result<&'static Self, DataError> {
        if let Some(gpt2) = GPT2.get() {
            return Ok(gpt2);
        }
        let gpt2 = Self::new()?;
        Ok(GPT2.get_or_init(|| gpt2))
    }

    fn new() -> Result<Self, DataError> {
        let ranks = tiktoken_rs::r50k_base().map_err(|error| failed(&error))?;
        let bytes = (0..END_OF_TEXT_ID)
            .map(|id| ranks.decode_bytes(&[id]).map_err(|error| failed(&error)))
            .collect::<Result<Vec<_>, _>>()?;
        let alphabet = printable_alphabet();
        let tokens: Vec<_> =
            bytes.iter().map(|token| printable(&alphabet, token)).chain([END_OF_TEXT.to_owned()]).map(Some).collect();
        debug_assert_eq!(tokens.len(), VOCAB_SIZE);
        let lengths = bytes.iter().map(Vec::len).chain([END_OF_TEXT.len()]);
        Ok(Self {
            table: Table::new(&bytes),
            byte_lengths: Arc::new(lengths.map(|length| u32::try_from(length).unwrap_or(u32::MAX)).collect()),
            tokens: Arc::new(tokens),
            finder: Arc::new(Finder::new(&[(end_of_text(), false)]).map_err(|error| failed(&error))?),
            merges: OnceLock::new(),
        })
    }

    /// The merges in the printable alphabet, in rank order; they are needed for files, not for encoding.
    pub(super) fn merges(&self) -> &[(String, String)] {
        self.merges.get_or_init(|| {
            let alphabet = printable_alphabet();
            let pair = |(left, right)| (printable(&alphabet, left), printable(&alphabet, right));
            recover_merges(&self.table).into_iter().map(pair).collect()
        })
    }

    /// The same tokenizer in Hugging Face's library, which writes files.
    pub(super) fn in_library(&self) -> Result<tokenizers::Tokenizer, DataError> {
        let vocab: AHashMap<String, u32> = self.tokens.iter().flatten().cloned().zip(0..).collect();
        let merges = self.merges().to_vec();
        let bpe = BPE::builder().vocab_and_merges(vocab, merges).build().map_err(|error| failed(&error))?;
        let mut library = tokenizers::Tokenizer::new(ModelWrapper::BPE(bpe));
        library.with_pre_tokenizer(Some(PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, true, true))));
        library.with_decoder(Some(DecoderWrapper::ByteLevel(ByteLevel::default())));
        library.add_special_tokens(&[AddedToken::from(END_OF_TEXT, true)]);
        Ok(library)
    }
}

impl Tokenizer {
    /// GPT-2's tokenizer, from the embedded ranks: the first call takes some hundredths of a second, others nothing.
    ///
    /// # Errors
    ///
    /// [`DataError::Tokenizer`] if the embedded table is not what it should be.
    pub fn gpt2() -> Result<Self, DataError> {
        let gpt2 = Gpt2::shared()?;
        Ok(Self {
            base: Base::Gpt2(gpt2, gpt2.finder.clone()),
            tokens: gpt2.tokens.clone(),
            byte_lengths: gpt2.byte_lengths.clone(),
            added: vec![end_of_text()],
            end_of_text: END_OF_TEXT_ID,
            declared: vec![("GPT-2's tokenizer", END_OF_TEXT_ID)],
            own: None,
        })
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

fn printable(alphabet: &[char; 256], bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| alphabet[usize::from(byte)]).collect()
}

/// The two parts that make a token.
type Merge<'a> = (&'a [u8], &'a [u8]);

/// The merge that made each token of two or more bytes, in rank order: its bytes, merged by every
/// smaller rank, are just two parts.
fn recover_merges(table: &Table) -> Vec<Merge<'_>> {
    let parts = |rank: u32| {
        let token = table.bytes(rank);
        // Boundaries of the parts, the end included.
        let mut cuts: Vec<usize> = (0..=token.len()).collect();
        loop {
            let best = (0..cuts.len().saturating_sub(2))
                .filter_map(|i| Some((table.id(&token[cuts[i]..cuts[i + 2]])?, i)))
                .filter(|&(merged, _)| merged < rank)
                .min();
            match best {
                Some((_, i)) => cuts.remove(i + 1),
                None => break,
            };
        }
        match cuts[..] {
            [_, middle, _] => token.split_at(middle),
            _ => unreachable!("every rank of the embedded table is a merge of two smaller ones"),
        }
    };
    (0..END_OF_TEXT_ID).filter(|&rank| table.bytes(rank).len() > 1).map(parts).collect()
}
