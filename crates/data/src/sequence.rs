//! Token ids with the parts of them that are learnt, and many of these in one array.

use std::{borrow::Cow, io, ops::Range, path::Path};

use crate::stored::{Array, Growing};

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
/// sequence with one answer.
#[derive(Debug, Default)]
pub struct Sequences {
    ids: Ids<Array<u16>, Array<u32>>,
    /// Where each sequence ends in `ids`.
    ends: Array<u64>,
    /// The trained ranges of all, start and end within their sequences, one after the other.
    spans: Array<u32>,
    /// Where the ranges of each sequence end in `spans`.
    span_ends: Array<u64>,
}

/// Token ids in the smallest type that holds the vocabulary.
#[derive(Debug)]
enum Ids<S, L> {
    Small(S),
    Large(L),
}

impl Default for Ids<Array<u16>, Array<u32>> {
    fn default() -> Self {
        Self::Small(Array::default())
    }
}

/// [`Sequences`] that are being collected, in memory or in the files of a folder.
pub(crate) struct SequencesWriter {
    ids: Ids<Growing<u16>, Growing<u32>>,
    ends: Growing<u64>,
    spans: Growing<u32>,
    span_ends: Growing<u64>,
    count: usize,
    tokens: u64,
    numbers: u64,
}

/// The files of sequences in a folder.
const FILES: [&str; 4] = ["ids", "ends", "spans", "span-ends"];

/// Whether every id of a vocabulary fits into 16 bits.
fn is_small(vocab_size: usize) -> bool {
    vocab_size <= 1 << 16
}

impl SequencesWriter {
    /// None yet, of a vocabulary of this size; in `folder`, or in memory without one.
    pub fn new(vocab_size: usize, folder: Option<&Path>) -> io::Result<Self> {
        let [ids, ends, spans, span_ends] = FILES;
        let ids = if is_small(vocab_size) {
            Ids::Small(Growing::new(folder, ids)?)
        } else {
            Ids::Large(Growing::new(folder, ids)?)
        };
        let (ends, spans) = (Growing::new(folder, ends)?, Growing::new(folder, spans)?);
        Ok(Self { ids, ends, spans, span_ends: Growing::new(folder, span_ends)?, count: 0, tokens: 0, numbers: 0 })
    }

    /// Adds one.
    ///
    /// # Panics
    ///
    /// If an id is outside the vocabulary.
    pub fn push(&mut self, sequence: &Sequence) -> io::Result<()> {
        match &mut self.ids {
            Ids::Small(ids) => ids.extend(sequence.ids.iter().map(|&id| {
                let Ok(id) = u16::try_from(id) else { panic!("the id {id} in a vocabulary of 65536") };
                id
            }))?,
            Ids::Large(ids) => ids.extend(sequence.ids.iter().copied())?,
        }
        self.count += 1;
        self.tokens += sequence.ids.len() as u64;
        self.ends.extend([self.tokens])?;
        self.spans.extend(sequence.trained.iter().flat_map(|range| [place(range.start), place(range.end)]))?;
        self.numbers += 2 * sequence.trained.len() as u64;
        self.span_ends.extend([self.numbers])
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// The sequences; none once their files are safe on the disk, from where [`Sequences::map`] has them.
    pub fn finish(self) -> io::Result<Sequences> {
        let ids = match self.ids {
            Ids::Small(ids) => Ids::Small(ids.finish()?),
            Ids::Large(ids) => Ids::Large(ids.finish()?),
        };
        let (ends, spans) = (self.ends.finish()?, self.spans.finish()?);
        Ok(Sequences { ids, ends, spans, span_ends: self.span_ends.finish()? })
    }
}

impl Sequences {
    /// Those that were written to the files of a folder.
    pub(crate) fn map(folder: &Path, vocab_size: usize) -> io::Result<Self> {
        let [ids, ends, spans, span_ends] = FILES.map(|name| folder.join(name));
        let ids = if is_small(vocab_size) { Ids::Small(Array::map(&ids)?) } else { Ids::Large(Array::map(&ids)?) };
        let all =
            Self { ids, ends: Array::map(&ends)?, spans: Array::map(&spans)?, span_ends: Array::map(&span_ends)? };
        let rising = |ends: &[u64], last: usize| ends.is_sorted() && ends.last().copied().unwrap_or(0) == last as u64;
        let whole = rising(&all.ends, all.tokens()) && rising(&all.span_ends, all.spans.len());
        if !whole || all.ends.len() != all.span_ends.len() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its files do not belong together"));
        }
        Ok(all)
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
        let collect = || {
            let mut all = SequencesWriter::new(usize::MAX, None)?;
            for sequence in sequences {
                all.push(sequence)?;
            }
            all.finish()
        };
        let Ok(all) = collect() else { unreachable!("memory takes all that is written") };
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
            let folder = tempfile::tempdir().unwrap();
            for folder in [None, Some(folder.path())] {
                let mut writer = SequencesWriter::new(vocab_size, folder).unwrap();
                for sequence in &some() {
                    writer.push(sequence).unwrap();
                }
                assert_eq!(writer.len(), 3);
                let all = writer.finish().unwrap();
                let all = folder.map_or(all, |folder| Sequences::map(folder, vocab_size).unwrap());
                assert_eq!((all.len(), all.tokens(), all.length(1), all.prompt_length(0)), (3, 7, 0, 1));
                assert_eq!(std::array::from_fn(|index| all.get(index)), some());
            }
            std::fs::write(folder.path().join("ends"), 3_u64.to_ne_bytes()).unwrap();
            assert!(Sequences::map(folder.path(), vocab_size).is_err());
        }
    }
}
