//! One encoding of a text of which parts are told apart.

use std::ops::Range;

use super::{Base, Tokenizer, finder::Found, words};
use crate::DataError;

impl Tokenizer {
    /// Encodes a text once and says which tokens each span of its bytes is part of: from the token that holds the
    /// span's first byte to the one that holds its last (transformers' rule for `return_assistant_tokens_mask`). An
    /// empty span has none. `special` is whether text that reads like an added token becomes it.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::encode`], and [`DataError::Tokenizer`] if a span is not between characters of the text.
    pub fn encode_spans(
        &self,
        text: &str,
        spans: &[Range<usize>],
        special: bool,
    ) -> Result<(Vec<u32>, Vec<Range<usize>>), DataError> {
        for span in spans {
            check(text, span.start)?;
            check(text, span.end)?;
        }
        let (ids, (starts, ends)) = match &self.base {
            Base::Gpt2(..) => {
                let ids = self.ids(text, special)?;
                let ends = self.ends(&ids);
                let starts = [0].into_iter().chain(ends.iter().copied()).take(ids.len()).collect();
                (ids, (starts, ends))
            }
            Base::Other(library) => {
                let encoding = library.of(special).encode(text, false).map_err(|error| super::failed(&error))?;
                let ids = self.whole(text, encoding.get_ids().to_vec(), special)?;
                (ids, encoding.get_offsets().iter().copied().unzip::<_, _, Vec<_>, Vec<_>>())
            }
        };
        let tokens = |span: &Range<usize>| {
            let first = ends.partition_point(|&end| end <= span.start);
            let after = starts.partition_point(|&start| start < span.end);
            if span.is_empty() { first..first } else { first..after.max(first) }
        };
        let ranges = spans.iter().map(tokens).collect();
        Ok((ids, ranges))
    }

    /// Encodes a text once and says for each prompt, a length in bytes with which the text begins, how many leading ids
    /// the text and the prompt encoded alone have in common: a token across the end of the prompt is not the prompt's.
    /// `special` is whether text that reads like an added token becomes it.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::encode`], and [`DataError::Tokenizer`] if a prompt does not end between characters of the text.
    pub fn encode_prompts(
        &self,
        text: &str,
        prompts: &[usize],
        special: bool,
    ) -> Result<(Vec<u32>, Vec<usize>), DataError> {
        prompts.iter().try_for_each(|&prompt| check(text, prompt))?;
        let ids = self.ids(text, special)?;
        let common = |ids: &[u32], prompt: &[u32]| ids.iter().zip(prompt).take_while(|(a, b)| a == b).count();
        let Base::Gpt2(_, finder) = &self.base else {
            let count = |&prompt: &usize| Ok(common(&ids, &self.ids(&text[..prompt], special)?));
            let counts = prompts.iter().map(count).collect::<Result<_, DataError>>()?;
            return Ok((ids, counts));
        };
        // What is further away than the reach from the end of a prompt becomes an added token in both, or in none.
        let (found, reach) = if special { (finder.find(text), finder.reach()) } else { (Vec::new(), 0) };
        let ends = self.ends(&ids);
        let count = |&prompt: &usize| {
            let settled = settled(text, prompt, &found, reach);
            // A word begins there, and so does a token.
            let before = ends.partition_point(|&end| end <= settled);
            Ok(before + common(&ids[before..], &self.ids(&text[settled..prompt], special)?))
        };
        let counts = prompts.iter().map(count).collect::<Result<_, DataError>>()?;
        Ok((ids, counts))
    }

    /// Where the tokens of a text that GPT-2's table encoded end.
    fn ends(&self, ids: &[u32]) -> Vec<usize> {
        let mut end = 0;
        let add = |&id: &u32| {
            end += self.byte_lengths[id as usize] as usize;
            end
        };
        ids.iter().map(add).collect()
    }
}

/// A place not far before the end of a prompt, up to which it and the text have the same tokens and where one begins in
/// both. `found` are the text's added tokens.
fn settled(text: &str, prompt: usize, found: &[Found], reach: usize) -> usize {
    let known = found.partition_point(|token| token.place.start + reach <= prompt);
    let start = known.checked_sub(1).map_or(0, |index| found[index].place.end);
    let last = prompt.saturating_sub(reach.max(1));
    if start < last { words::last_seam(text, start, last) } else { start }
}

fn check(text: &str, at: usize) -> Result<(), DataError> {
    if text.is_char_boundary(at) {
        return Ok(());
    }
    let problem = format!("byte {at} is not between two characters of the text of {} bytes", text.len());
    Err(DataError::Tokenizer(problem))
}
