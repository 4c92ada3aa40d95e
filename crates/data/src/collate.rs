//! A list of sequences becomes a batch: what of each is given to a model and learnt, and the rectangle of it.

use std::{borrow::Cow, ops::Range};

use serde::Serialize;

use crate::{Encoder, IGNORE_INDEX, Sequence};

/// Sequences that are computed together, cut to the length that is allowed.
///
/// `B` is their number and `T` the longest of their inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The sequences; what is trained of each is settled.
    pub sequences: Vec<Sequence>,
    /// The token that fills up the rows of the rectangle.
    pub padding: u32,
}

/// A batch as rows of one length, which is how other programs compute it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rectangle {
    /// Columns `T`.
    pub width: usize,
    /// Token ids, `[B, T]` row by row.
    pub inputs: Vec<u32>,
    /// The next token of every position or [`IGNORE_INDEX`], `[B, T]` row by row.
    pub targets: Vec<i64>,
}

/// The token ids that a model is given, and for each the target that follows.
pub type Row<'a> = (Cow<'a, [u32]>, Vec<i64>);

impl Batch {
    /// Columns `T` of the rectangle.
    #[must_use]
    pub fn width(&self) -> usize {
        self.sequences.iter().map(|sequence| sequence.inputs().len()).max().unwrap_or(0)
    }

    /// The texts' own tokens: those that a model is given, without padding and the end of a text that stands only in the
    /// rectangle.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.sequences.iter().map(|sequence| sequence.inputs().len()).sum()
    }

    /// Positions in all, padding included.
    #[must_use]
    pub fn padded_tokens(&self) -> usize {
        self.sequences.len() * self.width()
    }

    /// Positions that carry a loss.
    #[must_use]
    pub fn target_tokens(&self) -> usize {
        self.sequences.iter().map(Sequence::target_tokens).sum()
    }

    /// The rows.
    ///
    /// With `packing`, what follows a row's last target is left out: nothing before it depends on it, and nothing is
    /// learnt from it; a row without any target is left out whole. Otherwise all rows are as long as the longest.
    #[must_use]
    pub fn rows(&self, packing: bool) -> Vec<Row<'_>> {
        if !packing {
            let Rectangle { width, inputs, targets } = self.rectangle();
            let rows = inputs.chunks(width.max(1)).zip(targets.chunks(width.max(1)));
            return rows.map(|(ids, targets)| (Cow::Owned(ids.to_vec()), targets.to_vec())).collect();
        }
        let row = |sequence: &'_ Sequence| {
            let mut targets = sequence.targets();
            let length = targets.iter().rposition(|&target| target != IGNORE_INDEX).map_or(0, |last| last + 1);
            targets.truncate(length);
            (length, targets)
        };
        let rows = self.sequences.iter().map(|sequence| (sequence, row(sequence)));
        let rows = rows.filter(|(_, (length, _))| *length > 0);
        rows.map(|(sequence, (length, targets))| (Cow::Borrowed(&sequence.ids[..length]), targets)).collect()
    }

    /// The batch as the book's `custom_collate_fn` gives it: every row its ids, with the one that ends it, and padding up
    /// to the longest; inputs without the last column, targets without the first, and no target in the padding.
    #[must_use]
    pub fn rectangle(&self) -> Rectangle {
        let width = self.width();
        let (mut inputs, mut targets) = (Vec::with_capacity(self.padded_tokens()), Vec::new());
        for sequence in &self.sequences {
            let filled = sequence.ids.iter().copied().chain(std::iter::repeat(self.padding));
            inputs.extend(filled.take(width));
            let own = sequence.targets();
            targets.extend(own.into_iter().chain(std::iter::repeat(IGNORE_INDEX)).take(width));
        }
        Rectangle { width, inputs, targets }
    }
}

/// A rectangle as the nested lists that `gptune data batches --json` prints.
#[derive(Serialize)]
struct NestedLists<'a> {
    inputs: Vec<&'a [u32]>,
    targets: Vec<&'a [i64]>,
}

impl Serialize for Rectangle {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let width = self.width.max(1);
        NestedLists { inputs: self.inputs.chunks(width).collect(), targets: self.targets.chunks(width).collect() }
            .serialize(serializer)
    }
}

/// What becomes of sequences in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collator {
    /// The token that ends texts.
    pub end_of_text: u32,
    /// The token that fills rows up; in the book it is the end of text.
    pub padding: u32,
    /// Longest row kept, in tokens; longer ones are cut.
    pub max_length: usize,
    /// Train the responses alone: of a prompt of `n` tokens the first `n − 1` targets are ignored.
    pub mask_instructions: bool,
    /// Of several ends of text in a sequence with one answer only the first is a target, as in the book, whose collation
    /// takes the others for padding. Where there are several answers, each has an end of its own.
    pub first_end_only: bool,
}

impl Collator {
    /// Rows of what an encoder gives: `padding` is what the configuration of its model names, else the end of text.
    #[must_use]
    pub fn new(encoder: &Encoder<'_>, padding: Option<u32>, max_length: usize, mask_instructions: bool) -> Self {
        let end_of_text = encoder.tokenizer.end_of_text();
        let padding = padding.unwrap_or(end_of_text);
        // Without that setting no text but the template's becomes an end.
        let first_end_only = encoder.special_tokens && encoder.template.ends_once();
        Self { end_of_text, padding, max_length, mask_instructions, first_end_only }
    }

    /// Collates sequences.
    #[must_use]
    pub fn collate(&self, sequences: impl IntoIterator<Item = Sequence>) -> Batch {
        Batch { sequences: sequences.into_iter().map(|one| self.settled(one)).collect(), padding: self.padding }
    }

    /// A sequence cut to its length, and with the spans that are trained.
    fn settled(&self, Sequence { mut ids, trained }: Sequence) -> Sequence {
        let all = 1..ids.len();
        let has_turns = trained.len() > 1;
        let mut trained = if self.mask_instructions { trained } else { vec![all] };
        if self.first_end_only && !has_turns {
            let is_end = |place: usize| ids[place] == self.end_of_text;
            let first = (1..ids.len()).find(|&place| is_end(place)).unwrap_or(ids.len());
            let later: Vec<usize> = (first + 1..ids.len()).filter(|&place| is_end(place)).collect();
            for place in later {
                trained = trained.into_iter().flat_map(|range| without(range, place)).collect();
            }
        }
        // The last input predicts one id more than is kept.
        ids.truncate(self.max_length.saturating_add(1));
        let kept = trained.into_iter().map(|range| range.start.min(ids.len())..range.end.min(ids.len()));
        let trained = kept.filter(|range| !range.is_empty()).collect();
        Sequence { ids, trained }
    }
}

/// A range without one of its places.
fn without(range: Range<usize>, place: usize) -> impl Iterator<Item = Range<usize>> {
    let parts = if range.contains(&place) { [range.start..place, place + 1..range.end] } else { [range, 0..0] };
    parts.into_iter().filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::END_OF_TEXT_ID;

    const P: u32 = END_OF_TEXT_ID;
    const E: i64 = END_OF_TEXT_ID as i64;
    const I: i64 = IGNORE_INDEX;

    /// Ids without the end of text, and how many of them are the prompt's.
    fn sequence(ids: &[u32], prompt_len: usize) -> Sequence {
        let ids = [ids, &[P]].concat();
        Sequence { trained: vec![prompt_len..ids.len()], ids }
    }

    const COLLATOR: Collator =
        Collator { end_of_text: P, padding: P, max_length: 1024, mask_instructions: false, first_end_only: true };

    fn collate(rows: &[(&[u32], usize)], max_length: usize, mask_instructions: bool) -> Batch {
        let sequences = rows.iter().map(|(ids, prompt_len)| sequence(ids, *prompt_len));
        Collator { max_length, mask_instructions, ..COLLATOR }.collate(sequences)
    }

    const BOOK: [(&[u32], usize); 3] = [(&[0, 1, 2, 3, 4], 3), (&[5, 6], 1), (&[7, 8, 9], 2)];

    #[test]
    fn the_books_example() {
        let batch = collate(&BOOK, 1024, false);
        assert_eq!((batch.sequences.len(), batch.width(), batch.tokens()), (3, 5, 10));
        let rectangle = batch.rectangle();
        assert_eq!(rectangle.inputs, [0, 1, 2, 3, 4, 5, 6, P, P, P, 7, 8, 9, P, P]);
        assert_eq!(rectangle.targets, [1, 2, 3, 4, E, 6, E, I, I, I, 8, 9, E, I, I]);
        assert_eq!((batch.target_tokens(), batch.padded_tokens()), (10, 15));
        let json = serde_json::to_value(&rectangle).unwrap();
        assert_eq!(json["targets"][2], serde_json::json!([8, 9, E, I, I]));
    }

    #[test]
    fn instruction_masking_leaves_one_prompt_target() {
        let batch = collate(&BOOK, 1024, true);
        assert_eq!(batch.rectangle().targets, [I, I, 3, 4, E, 6, E, I, I, I, I, 9, E, I, I]);
    }

    #[test]
    fn packed_rows_end_with_their_last_target() {
        let batch = collate(&BOOK, 1024, true);
        let packed = batch.rows(true);
        assert_eq!(
            packed.iter().map(|(ids, _)| &ids[..]).collect::<Vec<_>>(),
            [&[0, 1, 2, 3, 4][..], &[5, 6], &[7, 8, 9]]
        );
        assert_eq!(packed[2].1, [I, 9, E]);
        assert!(batch.rows(false).iter().all(|(ids, targets)| ids.len() == 5 && targets.len() == 5));
        let turns = Sequence { ids: vec![1, 2, 3, 4, 5], trained: vec![1..2, 3..4] };
        let silent = Sequence { ids: vec![1, 2, 3], trained: Vec::new() };
        let batch = Collator { mask_instructions: true, ..COLLATOR }.collate([turns, silent]);
        let rows = batch.rows(true);
        assert_eq!((rows.len(), &rows[0].0[..], &rows[0].1[..]), (1, &[1, 2, 3][..], &[2, I, 4][..]));
        assert_eq!(batch.rows(false).len(), 2);
    }

    #[test]
    fn a_cut_shortens_both_sides() {
        let batch = collate(&BOOK, 3, false);
        let rectangle = batch.rectangle();
        assert_eq!(rectangle.inputs, [0, 1, 2, 5, 6, P, 7, 8, 9]);
        assert_eq!(rectangle.targets, [1, 2, 3, 6, E, I, 8, 9, E]);
        assert_eq!((batch.width(), batch.tokens()), (3, 8));
        assert_eq!(collate(&BOOK, 3, true).rectangle().targets, [I, I, 3, 6, E, I, I, 9, E]);
    }

    #[test]
    fn padding_of_its_own_is_never_a_target() {
        let sequences =
            || [&[1, 2, 3, 9][..], &[4, 9]].map(|ids| Sequence { ids: ids.to_vec(), trained: vec![1..ids.len()] });
        let collator = Collator { end_of_text: 9, padding: 7, max_length: 8, ..COLLATOR };
        let batch = collator.collate(sequences()).rectangle();
        assert_eq!(batch.inputs, [1, 2, 3, 4, 9, 7]);
        assert_eq!(batch.targets, [2, 3, 9, 9, I, I]);
        // The padding token may be one of the text's own.
        let batch = Collator { padding: 2, ..collator }.collate(sequences()).rectangle();
        assert_eq!((batch.inputs, batch.targets), (vec![1, 2, 3, 4, 9, 2], vec![2, 3, 9, 9, I, I]));
    }

    #[test]
    fn the_first_end_of_a_text_is_the_last_target_of_its_kind() {
        let text = || [sequence(&[1, P, 2, P, P, 3], 1)];
        assert_eq!(COLLATOR.collate(text()).rectangle().targets, [E, 2, I, I, 3, I]);
        let masked = Collator { mask_instructions: true, ..COLLATOR };
        assert_eq!(masked.collate([sequence(&[1, P, 2], 3)]).rectangle().targets, [I, I, I]);
        let other = Collator { first_end_only: false, ..COLLATOR };
        assert_eq!(other.collate(text()).rectangle().targets, [E, 2, E, E, 3, E]);
        // Each of several answers has an end.
        let turns = || [Sequence { ids: vec![1, 2, P, 3, 4, P], trained: vec![1..3, 4..6] }];
        assert_eq!(COLLATOR.collate(turns()).rectangle().targets, [2, E, 3, 4, E]);
        assert_eq!(masked.collate(turns()).rectangle().targets, [2, E, I, 4, E]);
    }
}
