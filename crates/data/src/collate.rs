//! Padding, shifting and masking: a list of examples becomes one rectangle of ids and targets.

use serde::Serialize;

use crate::{EncodedExample, Tokenizer};

/// Target of a position that carries no loss, as in PyTorch's `cross_entropy`.
pub const IGNORE_INDEX: i64 = -100;

/// A batch of `B` rows and `T` columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Rows `B`.
    pub rows: usize,
    /// Columns `T`.
    pub width: usize,
    /// Token ids, `[B, T]` row by row.
    pub inputs: Vec<u32>,
    /// The next token of every position or [`IGNORE_INDEX`], `[B, T]` row by row.
    pub targets: Vec<i64>,
    /// The examples' own tokens: the sum of their lengths, without end-of-text and padding, and
    /// within the cut.
    pub tokens: usize,
}

impl Batch {
    /// Positions that carry a loss.
    #[must_use]
    pub fn target_tokens(&self) -> usize {
        self.targets.iter().filter(|&&target| target != IGNORE_INDEX).count()
    }

    /// The rows, each as its ids and targets.
    ///
    /// With `packing`, what follows a row's last target is left out, which is its padding: nothing
    /// before it depends on it, and nothing is learnt from it. A row without any target is left out.
    #[must_use]
    pub fn sequences(&self, packing: bool) -> Vec<(&[u32], &[i64])> {
        let width = self.width.max(1);
        let rows = self.inputs.chunks(width).zip(self.targets.chunks(width));
        rows.map(|(ids, targets)| {
            let last_target = targets.iter().rposition(|&target| target != IGNORE_INDEX);
            let length = if packing { last_target.map_or(0, |last| last + 1) } else { width };
            (&ids[..length], &targets[..length])
        })
        .filter(|(ids, _)| !ids.is_empty())
        .collect()
    }

    /// Positions in all, padding included.
    #[must_use]
    pub fn padded_tokens(&self) -> usize {
        self.rows * self.width
    }
}

/// A batch as the nested lists that `gptune data batches --json` prints.
#[derive(Serialize)]
struct NestedBatch<'a> {
    inputs: Vec<&'a [u32]>,
    targets: Vec<&'a [i64]>,
}

impl Serialize for Batch {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let width = self.width.max(1);
        NestedBatch { inputs: self.inputs.chunks(width).collect(), targets: self.targets.chunks(width).collect() }
            .serialize(serializer)
    }
}

/// How examples are brought into one rectangle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collator {
    /// The token after every example, which is trained.
    pub end_of_text: u32,
    /// The token that fills rows up, which never is; in the book it is the end of text.
    pub padding: u32,
    /// Longest row kept, in tokens; longer ones are cut.
    pub max_length: usize,
    /// Leave the prompt without loss: of its `n` tokens the first `n − 1` targets are ignored, so
    /// that the step from the prompt to the response header is trained.
    pub mask_instructions: bool,
}

impl Collator {
    /// Rows for a model with this tokenizer: `padding` is what its configuration names, else the end of text.
    #[must_use]
    pub fn new(tokenizer: &Tokenizer, padding: Option<u32>, max_length: usize, mask_instructions: bool) -> Self {
        let end_of_text = tokenizer.end_of_text();
        Self { end_of_text, padding: padding.unwrap_or(end_of_text), max_length, mask_instructions }
    }

    /// Collates examples, as the book's `custom_collate_fn` does.
    ///
    /// Every row is its ids, one end-of-text, and padding up to the longest row; inputs are
    /// the row without its last column, targets the row without its first. The first end-of-text
    /// among the targets stays, so that the model learns to stop; later ones are ignored, and so is padding.
    #[must_use]
    pub fn collate(&self, examples: &[&EncodedExample]) -> Batch {
        let longest = examples.iter().map(|example| example.ids.len()).max().unwrap_or(0);
        let width = longest.min(self.max_length);
        let rows = examples.len();
        let mut inputs = Vec::with_capacity(rows * width);
        let mut targets = Vec::with_capacity(rows * width);
        for EncodedExample { ids, prompt_len } in examples {
            let padded = |column: usize| match ids.get(column) {
                Some(&id) => id,
                None if column == ids.len() => self.end_of_text,
                None => self.padding,
            };
            inputs.extend((0..width).map(padded));
            let masked = if self.mask_instructions { prompt_len.saturating_sub(1) } else { 0 };
            // The first end-of-text of the row, be it the one that is added or the data's own.
            let stop = ids.iter().skip(1).position(|&id| id == self.end_of_text).map_or(ids.len(), |at| at + 1);
            targets.extend((1..=width).map(|column| match padded(column) {
                _ if column <= masked || column > ids.len() => IGNORE_INDEX,
                id if id == self.end_of_text && column > stop => IGNORE_INDEX,
                id => i64::from(id),
            }));
        }
        let tokens = examples.iter().map(|example| example.ids.len().min(width)).sum();
        Batch { rows, width, inputs, targets, tokens }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::END_OF_TEXT_ID;

    const P: u32 = END_OF_TEXT_ID;
    const E: i64 = END_OF_TEXT_ID as i64;
    const I: i64 = IGNORE_INDEX;

    fn collate(rows: &[(&[u32], usize)], max_length: usize, mask_instructions: bool) -> Batch {
        let examples: Vec<_> = rows
            .iter()
            .map(|(ids, prompt_len)| EncodedExample { ids: ids.to_vec(), prompt_len: *prompt_len })
            .collect();
        Collator { end_of_text: P, padding: P, max_length, mask_instructions }
            .collate(&examples.iter().collect::<Vec<_>>())
    }

    const BOOK: [(&[u32], usize); 3] = [(&[0, 1, 2, 3, 4], 3), (&[5, 6], 1), (&[7, 8, 9], 2)];

    #[test]
    fn the_books_example() {
        let batch = collate(&BOOK, 1024, false);
        assert_eq!((batch.rows, batch.width, batch.tokens), (3, 5, 10));
        assert_eq!(batch.inputs, [0, 1, 2, 3, 4, 5, 6, P, P, P, 7, 8, 9, P, P]);
        assert_eq!(batch.targets, [1, 2, 3, 4, E, 6, E, I, I, I, 8, 9, E, I, I]);
        assert_eq!(batch.target_tokens(), 10);
        let json = serde_json::to_value(&batch).unwrap();
        assert_eq!(json["targets"][2], serde_json::json!([8, 9, E, I, I]));
    }

    #[test]
    fn instruction_masking_leaves_one_prompt_target() {
        let batch = collate(&BOOK, 1024, true);
        assert_eq!(batch.targets, [I, I, 3, 4, E, 6, E, I, I, I, I, 9, E, I, I]);
    }

    #[test]
    fn packed_sequences_end_with_their_last_target() {
        let batch = collate(&BOOK, 1024, true);
        let packed = batch.sequences(true);
        assert_eq!(packed.iter().map(|(ids, _)| *ids).collect::<Vec<_>>(), [&[0, 1, 2, 3, 4][..], &[5, 6], &[7, 8, 9]]);
        assert_eq!(packed[2].1, [I, 9, E]);
        assert!(batch.sequences(false).iter().all(|(ids, targets)| ids.len() == 5 && targets.len() == 5));
        let nothing = Batch { targets: [I, I, I, I, I].repeat(3), ..batch };
        assert!(nothing.sequences(true).is_empty());
    }

    #[test]
    fn a_cut_shortens_both_sides() {
        let batch = collate(&BOOK, 3, false);
        assert_eq!(batch.inputs, [0, 1, 2, 5, 6, P, 7, 8, 9]);
        assert_eq!(batch.targets, [1, 2, 3, 6, E, I, 8, 9, E]);
        assert_eq!((batch.width, batch.tokens), (3, 8));
    }

    #[test]
    fn padding_of_its_own_is_never_a_target() {
        let examples = [vec![1, 2, 3], vec![4]].map(|ids| EncodedExample { ids, prompt_len: 1 });
        let collator = Collator { end_of_text: 9, padding: 7, max_length: 8, mask_instructions: false };
        let batch = collator.collate(&examples.iter().collect::<Vec<_>>());
        assert_eq!(batch.inputs, [1, 2, 3, 4, 9, 7]);
        assert_eq!(batch.targets, [2, 3, 9, 9, I, I]);
        // The padding token may be one of the text's own.
        let collator = Collator { padding: 2, ..collator };
        let batch = collator.collate(&examples.iter().collect::<Vec<_>>());
        assert_eq!((batch.inputs, batch.targets), (vec![1, 2, 3, 4, 9, 2], vec![2, 3, 9, 9, I, I]));
    }
}
