//! Numbers about sequences: how long they are, what of them is trained, and what cutting and padding cost.

use std::cmp::Reverse;

use rayon::prelude::*;
use serde::Serialize;

use crate::{Collator, Mt19937, Sequence, Sequences, Template, Tokenizer, order::MEGABATCH};

/// Numbers about sequences as they are trained on.
///
/// A length is what `max_length` limits: the tokens that a model is given, which are all of a sequence but the last.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Statistics {
    /// Sequences.
    pub sequences: usize,
    /// Tokens of all of them, with those that are cut.
    pub tokens: u64,
    /// Tokens that a model is given: without what is cut, and without the last of each, which is only predicted.
    pub positions: u64,
    /// Positions that carry a loss.
    pub trained_tokens: u64,
    /// Sequences that lose something, because they are longer than `max_length`.
    pub cut: usize,
    /// Those that lose what ends their last answer.
    pub lose_end: usize,
    /// Those that lose a whole answer.
    pub lose_answer: usize,
    /// Sequences without any target: nothing is learnt from them.
    pub silent: usize,
    /// Sequences whose last answer teaches to stop: what ends it is a target.
    pub ends_taught: usize,
    /// The lengths; none where there is no sequence.
    pub lengths: Option<Length>,
    /// How many sequences are how long.
    pub histogram: Vec<Bar>,
    /// What padding would cost.
    pub padding: Padding,
}

/// Lengths in tokens. A quantile is the length that so much of the sequences do not exceed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Length {
    /// The shortest.
    pub min: u32,
    /// The quantile 0.5.
    pub median: u32,
    /// The mean.
    pub mean: f64,
    /// The quantile 0.9.
    pub p90: u32,
    /// The quantile 0.99.
    pub p99: u32,
    /// The longest.
    pub max: u32,
}

/// Sequences of some lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bar {
    /// The least length.
    pub from: u32,
    /// The greatest; none in the last bar, if it takes all that are longer.
    pub to: Option<u32>,
    /// How many there are.
    pub count: usize,
}

/// The share of positions that would be padding in batches, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Padding {
    /// Batches in the order of the data.
    pub data_order: f64,
    /// Batches of similar lengths, as [`Order::Length`](crate::Order::Length) makes them in a first epoch.
    pub length_order: f64,
}

/// Sequences that are looked at in one go.
const PIECE: usize = 4096;

/// The seed of the order `length`; another gives almost the same padding.
const SEED: u32 = 123;

impl Statistics {
    /// Looks at all sequences, on all threads; `progress` is called with the number of sequences after some of them. Beside
    /// the sequences themselves, 4 bytes for each are in memory.
    #[must_use]
    pub fn new(
        sequences: &Sequences,
        collator: &Collator,
        (template, tokenizer): (&Template, &Tokenizer),
        batch_size: usize,
        progress: impl Fn(u64) + Sync,
    ) -> Self {
        let pieces = sequences.len().div_ceil(PIECE);
        let piece = |piece: usize| {
            let places = piece * PIECE..((piece + 1) * PIECE).min(sequences.len());
            progress(places.len() as u64);
            let one = |place| Self::of_one(sequences.get(place), collator, template, tokenizer);
            places.map(one).fold(Self::default(), |all, one| all.plus(&one))
        };
        let counts = (0..pieces).into_par_iter().map(piece).reduce(Self::default, |all, piece| all.plus(&piece));
        let length = |place| u32::try_from(inputs(sequences.length(place))).unwrap_or(u32::MAX);
        let mut lengths: Vec<u32> = (0..sequences.len()).map(length).collect();
        let most = u32::try_from(collator.max_length).unwrap_or(u32::MAX);
        let padding = Padding::new(&mut lengths, batch_size, most);
        lengths.par_sort_unstable();
        Self { lengths: Length::of_sorted(&lengths), histogram: histogram(&lengths), padding, ..counts }
    }

    /// What is counted, of one sequence.
    fn of_one(sequence: Sequence, collator: &Collator, template: &Template, tokenizer: &Tokenizer) -> Self {
        let tokens = sequence.ids.len();
        let answer = sequence.trained.last().cloned();
        let ending = answer.as_ref().and_then(|answer| answer.end.checked_sub(1));
        let stops = ending.is_some_and(|at| template.end().is_some() || tokenizer.is_special(sequence.ids[at]));
        let settled = &collator.collate([sequence]).sequences[0];
        let kept = settled.ids.len();
        let is_target = |at: usize| at > 0 && settled.trained.iter().any(|range| range.contains(&at));
        let targets = settled.target_tokens();
        Self {
            sequences: 1,
            tokens: tokens as u64,
            positions: inputs(kept) as u64,
            trained_tokens: targets as u64,
            cut: usize::from(kept < tokens),
            lose_end: usize::from(ending.is_some_and(|at| at >= kept)),
            lose_answer: usize::from(answer.is_some_and(|answer| answer.start >= kept && !answer.is_empty())),
            silent: usize::from(targets == 0),
            ends_taught: usize::from(stops && ending.is_some_and(is_target)),
            ..Self::default()
        }
    }

    fn plus(self, other: &Self) -> Self {
        Self {
            sequences: self.sequences + other.sequences,
            tokens: self.tokens + other.tokens,
            positions: self.positions + other.positions,
            trained_tokens: self.trained_tokens + other.trained_tokens,
            cut: self.cut + other.cut,
            lose_end: self.lose_end + other.lose_end,
            lose_answer: self.lose_answer + other.lose_answer,
            silent: self.silent + other.silent,
            ends_taught: self.ends_taught + other.ends_taught,
            ..self
        }
    }
}

/// The tokens that a model is given of so many.
fn inputs(tokens: usize) -> usize {
    tokens.saturating_sub(1)
}

impl Padding {
    /// Of sequences of these lengths, of which at most `most` is kept. Leaves the lengths in another order.
    fn new(lengths: &mut [u32], batch_size: usize, most: u32) -> Self {
        let batch_size = batch_size.max(1);
        let data_order = padded(lengths.chunks(batch_size), most);
        // The order of `OrderStream`, of the lengths themselves and not of their places.
        #[allow(clippy::cast_possible_truncation)] // as there
        let mut sampler = Mt19937::new(Mt19937::new(SEED).next_u64() as u32);
        for at in 0..lengths.len().saturating_sub(1) {
            lengths.swap(at, at + sampler.next_u32() as usize % (lengths.len() - at));
        }
        for stretch in lengths.chunks_mut(MEGABATCH.saturating_mul(batch_size)) {
            stretch.sort_unstable_by_key(|&length| Reverse(length));
        }
        let stretches = lengths.chunks(MEGABATCH.saturating_mul(batch_size));
        Self { data_order, length_order: padded(stretches.flat_map(|stretch| stretch.chunks(batch_size)), most) }
    }
}

/// The share of padding in these batches.
fn padded<'a>(batches: impl Iterator<Item = &'a [u32]>, most: u32) -> f64 {
    let (mut own, mut all) = (0_u64, 0_u64);
    for batch in batches {
        let kept = || batch.iter().map(|&length| u64::from(length.min(most)));
        own += kept().sum::<u64>();
        all += kept().max().unwrap_or(0) * batch.len() as u64;
    }
    if all == 0 { 0.0 } else { (all - own) as f64 / all as f64 }
}

impl Length {
    fn of_sorted(lengths: &[u32]) -> Option<Self> {
        let (&min, &max) = (lengths.first()?, lengths.last()?);
        let mean = lengths.iter().map(|&length| u64::from(length)).sum::<u64>() as f64 / lengths.len() as f64;
        let quantile = |percent| quantile(lengths, percent);
        Some(Self { min, median: quantile(50), mean, p90: quantile(90), p99: quantile(99), max })
    }
}

/// The least of the sorted lengths that so many per cent of them do not exceed.
fn quantile(lengths: &[u32], percent: usize) -> u32 {
    let rank = (lengths.len() * percent).div_ceil(100);
    lengths[rank.max(1) - 1]
}

/// Bars of a histogram.
const BARS: u32 = 12;

/// Bars of equal and round width up to the length that one in a hundred exceeds; the last takes all that are longer.
fn histogram(lengths: &[u32]) -> Vec<Bar> {
    let (Some(&min), Some(&max)) = (lengths.first(), lengths.last()) else { return Vec::new() };
    let end = quantile(lengths, 99);
    let first = |width: u32| min / width * width;
    let widths = (0..10).flat_map(|power| [1, 2, 5].map(|digit: u32| digit.saturating_mul(10_u32.pow(power))));
    let width = widths.into_iter().find(|&width| (end - first(width)) / width < BARS).unwrap_or(u32::MAX);
    let bars = (max - first(width)) / width + 1;
    let last = bars.min(BARS) - 1;
    let bar = |index: u32| {
        let from = first(width) + index * width;
        let to = (index < last || bars <= BARS).then(|| from.saturating_add(width - 1));
        let before = lengths.partition_point(|&length| length < from);
        let count = to.map_or(lengths.len(), |to| lengths.partition_point(|&length| length <= to)) - before;
        Bar { from, to, count }
    };
    (0..=last).map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Order, OrderStream};

    const END: u32 = crate::END_OF_TEXT_ID;

    fn statistics(sequences: &[Sequence], max_length: usize, mask_instructions: bool) -> Statistics {
        let tokenizer = Tokenizer::gpt2().unwrap();
        let template = Template::default();
        let encoder = crate::Encoder { tokenizer: &tokenizer, template: &template, special_tokens: true };
        let collator = Collator::new(&encoder, None, max_length, mask_instructions);
        let sequences = sequences.iter().collect();
        Statistics::new(&sequences, &collator, (&template, &tokenizer), 2, |_| ())
    }

    #[test]
    fn what_is_kept_and_trained_is_counted_by_hand() {
        let sequence = |prompt: usize, answer: usize| {
            let ids = [vec![1; prompt + answer], vec![END]].concat();
            Sequence { trained: vec![prompt..ids.len()], ids }
        };
        // 5, 4 and 3 inputs.
        let three = [sequence(2, 3), sequence(4, 0), sequence(1, 2)];
        let whole = statistics(&three, 9, true);
        assert_eq!((whole.sequences, whole.tokens, whole.positions, whole.trained_tokens), (3, 15, 12, 4 + 1 + 3));
        assert_eq!((whole.cut, whole.lose_end, whole.lose_answer, whole.silent, whole.ends_taught), (0, 0, 0, 0, 3));
        let lengths = whole.lengths.unwrap();
        assert_eq!((lengths.min, lengths.median, lengths.mean, lengths.p90, lengths.max), (3, 4, 4.0, 5, 5));
        assert_eq!(whole.padding.data_order, 1.0 / 13.0);
        // Three inputs are kept: four tokens with the one that is only predicted.
        let cut = statistics(&three, 3, true);
        assert_eq!((cut.cut, cut.lose_end, cut.lose_answer, cut.silent, cut.ends_taught), (2, 2, 1, 1, 1));
        assert_eq!((cut.tokens, cut.positions, cut.trained_tokens, cut.padding.data_order), (15, 9, 2 + 3, 0.0));
        assert_eq!(statistics(&three, 3, false).trained_tokens, 9);
        let none = statistics(&[], 3, false);
        assert_eq!((none.lengths, none.histogram.len(), none.padding.length_order), (None, 0, 0.0));
    }

    #[test]
    fn an_end_that_is_no_target_teaches_nothing() {
        // The first end of a text is the last that is trained, and without one there is nothing to learn.
        let twice = Sequence { ids: vec![1, END, 2, END], trained: vec![2..4] };
        let never = Sequence { ids: vec![1, 2, 3], trained: vec![1..3] };
        assert_eq!(statistics(&[twice, never], 9, true).ends_taught, 0);
    }

    #[test]
    fn padding_by_length_is_that_of_the_order_of_that_name() {
        let lengths: Vec<usize> = (0..1003).map(|i| i * 7919 % 101).collect();
        let order = OrderStream::new(Order::Length, SEED).start_shuffled(&lengths, 8);
        let batches: Vec<Vec<u32>> =
            order.chunks(8).map(|b| b.iter().map(|&i| u32::try_from(lengths[i]).unwrap()).collect()).collect();
        let expected = padded(batches.iter().map(Vec::as_slice), 90);
        let mut lengths: Vec<u32> = lengths.iter().map(|&length| u32::try_from(length).unwrap()).collect();
        let padding = Padding::new(&mut lengths, 8, 90);
        assert_eq!(padding.length_order, expected);
        assert!(padding.length_order > 0.0 && padding.length_order < padding.data_order / 4.0, "{padding:?}");
    }

    #[test]
    fn bars_are_round_and_the_last_takes_what_is_far_away() {
        let bars =
            |lengths: &[u32]| histogram(lengths).iter().map(|bar| (bar.from, bar.to, bar.count)).collect::<Vec<_>>();
        assert_eq!(bars(&[7, 7, 9]), [(7, Some(7), 2), (8, Some(8), 0), (9, Some(9), 1)]);
        let mut many: Vec<u32> = (30..130).flat_map(|length| [length; 3]).collect();
        assert_eq!(bars(&many)[..2], [(30, Some(39), 30), (40, Some(49), 30)]);
        many.push(1_000_000);
        let far = bars(&many);
        assert_eq!((far.len(), far[11]), (12, (140, None, 1)));
        assert_eq!(far.iter().map(|bar| bar.2).sum::<usize>(), 301);
        assert_eq!(bars(&[0, u32::MAX]).iter().map(|bar| bar.2).sum::<usize>(), 2);
    }
}
