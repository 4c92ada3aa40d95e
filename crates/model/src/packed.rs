use std::{ops::Range, sync::Arc};

use gptune_kernels::{Layout, Target};

/// Sequences as rows, one token a row, without padding.
///
/// What all sequences begin with may be kept once: a position depends on what is before it alone,
/// so that the hidden states of a shared prefix are the same in every sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    ids: Vec<u32>,
    layout: Arc<Layout>,
}

impl Packed {
    /// Packs sequences, with what they all begin with kept once if `share_prefix`.
    #[must_use]
    pub fn new(sequences: &[&[u32]], share_prefix: bool) -> Self {
        let prefix = if share_prefix && sequences.len() > 1 { shared_prefix(sequences) } else { 0 };
        let mut ids = sequences.first().map_or(&[][..], |first| &first[..prefix]).to_vec();
        for sequence in sequences {
            ids.extend_from_slice(&sequence[prefix..]);
        }
        let layout = Arc::new(Layout::new(prefix, sequences.iter().map(|sequence| sequence.len() - prefix)));
        Self { ids, layout }
    }

    /// The token of each row.
    #[must_use]
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Which rows belong to which sequence.
    #[must_use]
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// What one of the sequences shall predict, each with a weight of 1: `targets` has one for each of its positions,
    /// and a negative one means none.
    ///
    /// # Panics
    ///
    /// If there is no such sequence, or a target is no `u32`.
    #[must_use]
    pub fn targets_of(&self, sequence: usize, targets: &[i64]) -> Vec<Target> {
        let prefix = self.layout.prefix();
        let Some(own) = self.layout.own().nth(sequence) else { panic!("sequence {sequence}") };
        let row = |position| if position < prefix { position } else { own.start + position - prefix };
        let wanted = targets.iter().enumerate().filter(|(_, target)| **target >= 0);
        wanted
            .map(|(position, &target)| {
                let Ok(id) = u32::try_from(target) else { panic!("a target of {target}") };
                Target { row: u32::try_from(row(position)).unwrap_or(u32::MAX), id, weight: 1.0 }
            })
            .collect()
    }

    /// The row of each sequence's last position.
    pub(crate) fn last_rows(&self) -> Vec<u32> {
        let prefix = self.layout.prefix();
        let last = |own: Range<usize>| if own.is_empty() { prefix } else { own.end } - 1;
        self.layout.own().map(|own| u32::try_from(last(own)).unwrap_or(u32::MAX)).collect()
    }
}

/// How many tokens all sequences begin with.
fn shared_prefix(sequences: &[&[u32]]) -> usize {
    let Some((first, others)) = sequences.split_first() else { return 0 };
    let common = |other: &&[u32]| first.iter().zip(*other).take_while(|(a, b)| a == b).count();
    others.iter().map(common).min().unwrap_or(first.len())
}

/// Packed sequences, and what they shall predict.
#[derive(Debug, Clone, PartialEq)]
pub struct Supervised {
    /// The sequences.
    pub packed: Packed,
    /// What each row shall predict, sorted by row.
    pub targets: Vec<Target>,
}

/// A sequence and, for each of its positions, the token that follows; a negative target means none
/// (the data crate writes −100).
pub type Sequence<'a> = (&'a [u32], &'a [i64]);

impl Supervised {
    /// Sequences whose loss is the mean over all targets, or none if there is no target.
    ///
    /// # Panics
    ///
    /// If a sequence has another number of targets than of ids, or a target is no `u32`.
    #[must_use]
    pub fn mean(sequences: &[Sequence<'_>], share_prefix: bool) -> Option<Self> {
        Self::mean_of_means(&[sequences], share_prefix)
    }

    /// Multiplies the loss by a factor.
    #[allow(clippy::cast_possible_truncation)]
    pub fn scale(&mut self, factor: f64) {
        for target in &mut self.targets {
            target.weight = (f64::from(target.weight) * factor) as f32;
        }
    }

    /// Several batches at once. The loss is the plain mean of the batches' own means, as if each had
    /// been computed alone; a batch without a target is left out. None if there is no target at all.
    ///
    /// # Panics
    ///
    /// As [`Supervised::mean`].
    #[must_use]
    pub fn mean_of_means(batches: &[&[Sequence<'_>]], share_prefix: bool) -> Option<Self> {
        let counts: Vec<usize> = batches
            .iter()
            .map(|batch| batch.iter().flat_map(|(_, targets)| *targets).filter(|target| **target >= 0).count())
            .collect();
        let counted = counts.iter().filter(|count| **count > 0).count();
        let weighted = batches.iter().zip(counts).filter(|(_, count)| *count > 0).flat_map(|(batch, count)| {
            batch.iter().map(move |sequence| (sequence, 1.0 / (count as f64 * counted as f64)))
        });
        let (sequences, weights): (Vec<&Sequence<'_>>, Vec<f64>) = weighted.unzip();
        if sequences.is_empty() {
            return None;
        }
        let ids: Vec<&[u32]> = sequences.iter().map(|(ids, _)| *ids).collect();
        let packed = Packed::new(&ids, share_prefix);
        let prefix = packed.layout.prefix();
        let mut all: Vec<(usize, u32, f64)> = Vec::new();
        for (((ids, targets), weight), own) in sequences.iter().zip(weights).zip(packed.layout.own()) {
            assert_eq!(ids.len(), targets.len(), "one target for each id");
            let shared = |position| if position < prefix { position } else { own.start + position - prefix };
            let targets = targets.iter().enumerate().filter(|(_, target)| **target >= 0);
            all.extend(targets.map(|(position, &target)| {
                let Ok(target) = u32::try_from(target) else { panic!("a target of {target}") };
                (shared(position), target, weight)
            }));
        }
        // Within the prefix, sequences agree on rows and, but for the last one, on targets.
        all.sort_by_key(|(row, id, _)| (*row, *id));
        #[allow(clippy::cast_possible_truncation)]
        let targets = all
            .chunk_by(|a, b| (a.0, a.1) == (b.0, b.1))
            .map(|same| Target {
                row: u32::try_from(same[0].0).unwrap_or(u32::MAX),
                id: same[0].1,
                weight: same.iter().map(|(.., weight)| weight).sum::<f64>() as f32,
            })
            .collect();
        Some(Self { packed, targets })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Sequence<'_> = (&[5, 6, 7], &[6, 7, 8]);
    const B: Sequence<'_> = (&[5, 6, 9, 1], &[6, 9, 1, -100]);

    fn target(row: u32, id: u32, weight: f32) -> Target {
        Target { row, id, weight }
    }

    #[test]
    fn a_shared_prefix_is_kept_once() {
        let packed = Packed::new(&[A.0, B.0], true);
        assert_eq!(packed.ids(), [5, 6, 7, 9, 1]);
        assert_eq!(packed.layout().positions(), [0, 1, 2, 2, 3]);
        assert_eq!(packed.last_rows(), [2, 4]);
        assert_eq!(Packed::new(&[A.0, B.0], false).ids(), [5, 6, 7, 5, 6, 9, 1]);
        let same = Packed::new(&[A.0, A.0], true);
        assert_eq!((same.ids(), same.last_rows()), (A.0, vec![2, 2]));
        assert_eq!(Packed::new(&[A.0], true).layout().prefix(), 0);
    }

    #[test]
    fn targets_of_a_shared_row_add_up() {
        let sixth = 1.0 / 6.0;
        let shared = Supervised::mean(&[A, B], true).unwrap();
        let expected = [
            target(0, 6, 2.0 * sixth),
            target(1, 7, sixth),
            target(1, 9, sixth),
            target(2, 8, sixth),
            target(3, 1, sixth),
        ];
        assert_eq!(shared.targets, expected);
        assert_eq!(Supervised::mean(&[A, B], false).unwrap().targets.len(), 6);
    }

    #[test]
    fn batches_weigh_the_same_whatever_their_size() {
        let nothing: Sequence<'_> = (&[3], &[-100]);
        let both = Supervised::mean_of_means(&[&[A], &[nothing], &[B, (&[2], &[3])]], false).unwrap();
        let weights: Vec<f32> = both.targets.iter().map(|target| target.weight).collect();
        assert_eq!(weights, [1.0 / 6.0; 3].into_iter().chain([1.0 / 8.0; 4]).collect::<Vec<_>>());
        assert!(Supervised::mean(&[nothing], true).is_none());
    }
}
