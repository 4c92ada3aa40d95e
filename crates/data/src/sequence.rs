//! Token ids with the parts of them that are learnt, and many of these in one array.

use std::{borrow::Cow, ops::Range};

use crate::stored::Array;

/// A target of a position that carries no loss, as in PyTorch's `cross_entropy`.
pub const IGNORE_INDEX: i64 = -100;

/// A text as token ids, from its first to the one that ends it.
///
/// Each id but the first is predicted from those before it; what is learnt is to predict those in `trained`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sequence {
    /// The ids, with the token that ends the text, if it has one.
    pub ids: Vec<u32>,
    /// Ranges of `ids`, in order and apart: the responses, each with what ends it.
    pub trained: Vec<Range<usize>>,
}

impl Sequence {
    /// What a model is given: all ids but the last, which is only predicted.
    #[must_use]
    pub fn inputs(&self) -> &[u32] {
        &self.ids[..self.ids.len().saturating_sub(1)]
    }

    /// For each of [`Sequence::inputs`] the id that follows if it is trained, else [`IGNORE_INDEX`].
    #[must_use]
    pub fn targets(&self) -> Vec<i64> {
        let mut targets = vec![IGNORE_INDEX; self.ids.len().saturating_sub(1)];
        for place in self.predicted() {
            targets[place - 1] = i64::from(self.ids[place]);
        }
        targets
    }

    /// Ids that are trained: the first of all is not, because nothing stands before it.
    #[must_use]
    pub fn target_tokens(&self) -> usize {
        self.predicted().count()
    }

    /// Ids before the first response; all, where there is none.
    #[must_use]
    pub fn prompt_length(&self) -> usize {
        self.trained.first().map_or(self.ids.len(), |first| first.start)
    }

    fn predicted(&self) -> impl Iterator<Item = usize> + '_ {
        self.trained.iter().flat_map(|range| range.start.max(1)..range.end.min(self.ids.len()))
    }
}

/// Many [`Sequence`]s in a few arrays: 2 bytes a token where every id is below 65,536, else 4; and 24 bytes for each
/// sequence with one response.
#[derive(Debug, Default)]
pub struct Sequences {
    pub(crate) ids: Ids,
    /// Where each sequence ends in `ids`.
    pub(crate) ends: Array<u64>,
    /// The trained ranges of all, start and end within their sequences, one after the other.
    pub(crate) spans: Array<u32>,
    /// Where the ranges of each sequence end in `spans`.
    pub(crate) span_ends: Array<u64>,
}

/// Token ids in the smallest type that holds the vocabulary.
#[derive(Debug)]
pub(crate) enum Ids {
    Small(Array<u16>),
    Large(Array<u32>),
}

impl Default for Ids {
    fn default() -> Self {
        Self::Small(Array::default())
    }
}

impl Sequences {
    /// None yet, of a vocabulary of this size.
    #[must_use]
    pub fn new(vocab_size: usize) -> Self {
        let ids = if vocab_size <= 1 << 16 { Ids::Small(Array::default()) } else { Ids::Large(Array::default()) };
        Self { ids, ..Self::default() }
    }

    /// Adds one.
    ///
    /// # Panics
    ///
    /// If an id is outside the vocabulary, or the sequences were read from a file.
    pub fn push(&mut self, sequence: &Sequence) {
        match &mut self.ids {
            Ids::Small(ids) => ids.vec().extend(sequence.ids.iter().map(|&id| {
                let Ok(id) = u16::try_from(id) else { panic!("the id {id} in a vocabulary of 65536") };
                id
            })),
            Ids::Large(ids) => ids.vec().extend_from_slice(&sequence.ids),
        }
        let tokens = self.tokens() as u64;
        self.ends.vec().push(tokens);
        let spans = self.spans.vec();
        spans.extend(sequence.trained.iter().flat_map(|range| [place(range.start), place(range.end)]));
        let end = spans.len() as u64;
        self.span_ends.vec().push(end);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The place of each of them, in order.
    #[must_use]
    pub fn places(&self) -> Vec<u32> {
        (0..self.len()).map(place).collect()
    }

    /// Ids of all together.
    #[must_use]
    pub fn tokens(&self) -> usize {
        match &self.ids {
            Ids::Small(ids) => ids.len(),
            Ids::Large(ids) => ids.len(),
        }
    }

    /// Ids of one.
    ///
    /// # Panics
    ///
    /// If there is no such sequence; so do the others that take an index.
    #[must_use]
    pub fn length(&self, index: usize) -> usize {
        self.range(index).len()
    }

    /// Ids of one before its first response, as [`Sequence::prompt_length`].
    #[must_use]
    pub fn prompt_length(&self, index: usize) -> usize {
        self.spans(index).first().map_or_else(|| self.length(index), |&start| start as usize)
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, index: usize) -> Sequence {
        let trained = self.spans(index).chunks_exact(2).map(|pair| pair[0] as usize..pair[1] as usize).collect();
        Sequence { ids: self.ids(index).into_owned(), trained }
    }

    /// The ids of one.
    #[must_use]
    pub fn ids(&self, index: usize) -> Cow<'_, [u32]> {
        match &self.ids {
            Ids::Small(ids) => ids[self.range(index)].iter().map(|&id| u32::from(id)).collect(),
            Ids::Large(ids) => Cow::Borrowed(&ids[self.range(index)]),
        }
    }

    fn range(&self, index: usize) -> Range<usize> {
        between(&self.ends, index)
    }

    fn spans(&self, index: usize) -> &[u32] {
        &self.spans[between(&self.span_ends, index)]
    }
}

impl<'a> FromIterator<&'a Sequence> for Sequences {
    fn from_iter<I: IntoIterator<Item = &'a Sequence>>(sequences: I) -> Self {
        let mut all = Self::new(usize::MAX);
        for sequence in sequences {
            all.push(sequence);
        }
        all
    }
}

#[allow(clippy::cast_possible_truncation)] // what was stored had a length in memory
fn between(ends: &[u64], index: usize) -> Range<usize> {
    let start = if index == 0 { 0 } else { ends[index - 1] };
    start as usize..ends[index] as usize
}

fn place(at: usize) -> u32 {
    // Neither a record nor a data set is as long as that.
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> [Sequence; 3] {
        let sequence =
            |ids: &[u32], trained: &[Range<usize>]| Sequence { ids: ids.to_vec(), trained: trained.to_vec() };
        [sequence(&[1, 2, 3, 4, 5], &[1..2, 3..5]), sequence(&[], &[]), sequence(&[6, 7], &[0..2])]
    }

    #[test]
    fn what_is_predicted_stands_one_place_before() {
        let [turns, nothing, text] = some();
        assert_eq!((turns.inputs(), turns.targets()), (&[1, 2, 3, 4][..], vec![2, IGNORE_INDEX, 4, 5]));
        assert_eq!((turns.target_tokens(), turns.prompt_length()), (3, 1));
        assert_eq!((text.targets(), text.target_tokens()), (vec![7], 1));
        assert_eq!((nothing.inputs().len(), nothing.targets().len(), nothing.target_tokens()), (0, 0, 0));
    }

    #[test]
    fn sequences_come_back_from_their_arrays() {
        for vocab_size in [1 << 16, (1 << 16) + 1] {
            let mut all = Sequences::new(vocab_size);
            some().iter().for_each(|sequence| all.push(sequence));
            assert_eq!((all.len(), all.tokens(), all.length(1), all.prompt_length(0)), (3, 7, 0, 1));
            assert_eq!(std::array::from_fn(|index| all.get(index)), some());
        }
    }
}
