//! The order in which examples are visited.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::DataError;

/// How the examples of a shuffled loader are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// PyTorch's `DataLoader(shuffle=True)` after `torch.manual_seed(seed)`, bit by bit.
    #[default]
    Torch,
    /// A new permutation for every iteration, from the seed and the iterations before.
    Shuffle,
    /// Batches of similar length, to save padding: shuffled, sorted by length within stretches of
    /// 50 batches, the batches shuffled again.
    Length,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Torch => "torch",
            Self::Shuffle => "shuffle",
            Self::Length => "length",
        })
    }
}

impl FromStr for Order {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self, DataError> {
        [Self::Torch, Self::Shuffle, Self::Length].into_iter().find(|order| order.to_string() == name).ok_or_else(
            || DataError::UnknownName { what: "order", given: name.to_owned(), known: "torch, shuffle, length" },
        )
    }
}

/// Batches that order `length` sorts together, as Hugging Face's `LengthGroupedSampler` does.
pub(crate) const MEGABATCH: usize = 50;

/// The one seeded stream that all loaders of a run draw their orders from.
///
/// It stands for PyTorch's global CPU generator: every start of an iteration over any loader draws
/// from it, so evaluations shift the order of later epochs, as they do in PyTorch.
#[derive(Debug, Clone)]
pub struct OrderStream {
    order: Order,
    generator: Mt19937,
}

impl OrderStream {
    /// The stream after `torch.manual_seed(seed)`.
    #[must_use]
    pub fn new(order: Order, seed: u32) -> Self {
        Self { order, generator: Mt19937::new(seed) }
    }

    /// The state of the generator, to be stored.
    #[must_use]
    pub fn to_words(&self) -> Vec<u32> {
        let next = u32::try_from(self.generator.next).unwrap_or_else(|_| unreachable!("it is at most 624"));
        self.generator.state.iter().copied().chain([next]).collect()
    }

    /// The stream that goes on from a stored state; none if that is no state.
    #[must_use]
    pub fn from_words(order: Order, words: &[u32]) -> Option<Self> {
        let (&next, state) = words.split_last()?;
        let next = usize::try_from(next).ok().filter(|&next| next <= Mt19937::N)?;
        Some(Self { order, generator: Mt19937 { state: state.try_into().ok()?, next } })
    }

    /// How orders are drawn.
    #[must_use]
    pub fn order(&self) -> Order {
        self.order
    }

    /// Starts an iteration over a loader that does not shuffle.
    ///
    /// PyTorch's loader draws a base seed for its workers even when it has none.
    pub fn start_sequential(&mut self) {
        if self.order == Order::Torch {
            self.generator.next_u64();
        }
    }

    /// Starts an iteration over a shuffling loader of examples with these lengths (in tokens), and
    /// returns the order of their indices.
    pub fn start_shuffled(&mut self, lengths: &[usize], batch_size: usize) -> Vec<usize> {
        if self.order == Order::Torch {
            self.generator.next_u64();
        }
        // RandomSampler seeds a generator of its own with a drawn number, of which manual_seed
        // keeps the low 32 bits for the Mersenne Twister.
        #[allow(clippy::cast_possible_truncation)]
        let mut sampler = Mt19937::new(self.generator.next_u64() as u32);
        let permutation = sampler.permutation(lengths.len());
        if self.order != Order::Length {
            return permutation;
        }
        let mut batches: Vec<Vec<usize>> = permutation
            .chunks((MEGABATCH * batch_size).max(1))
            .flat_map(|stretch| {
                let mut stretch = stretch.to_vec();
                stretch.sort_by_key(|&index| std::cmp::Reverse(lengths[index]));
                stretch.chunks(batch_size.max(1)).map(<[usize]>::to_vec).collect::<Vec<_>>()
            })
            .collect();
        // A short batch stays last, so that dropping it drops what it should.
        let full = batches.iter().filter(|batch| batch.len() == batch_size).count();
        batches.sort_by_key(|batch| batch.len() != batch_size);
        let order = sampler.permutation(full);
        order.into_iter().chain(full..batches.len()).flat_map(|index| std::mem::take(&mut batches[index])).collect()
    }
}

/// The Mersenne Twister MT19937 of Matsumoto and Nishimura (1998), as PyTorch's CPU generator
/// seeds and reads it.
#[derive(Clone)]
pub struct Mt19937 {
    state: [u32; 624],
    next: usize,
}

impl fmt::Debug for Mt19937 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mt19937").field("next", &self.next).finish_non_exhaustive()
    }
}

impl Mt19937 {
    const N: usize = 624;
    const M: usize = 397;

    /// Seeds the generator (`init_genrand` of the reference implementation).
    #[must_use]
    pub fn new(seed: u32) -> Self {
        let mut state = [seed; Self::N];
        for i in 1..Self::N {
            let previous = state[i - 1];
            #[allow(clippy::cast_possible_truncation)]
            let i32bit = i as u32;
            state[i] = 1_812_433_253_u32.wrapping_mul(previous ^ (previous >> 30)).wrapping_add(i32bit);
        }
        Self { state, next: Self::N }
    }

    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.next == Self::N {
            self.twist();
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// Two draws as one number, the first draw in the high half, as PyTorch's `random64`.
    pub fn next_u64(&mut self) -> u64 {
        let high = u64::from(self.next_u32());
        high << 32 | u64::from(self.next_u32())
    }

    /// A random permutation of `0..n`, as `torch.randperm` on the CPU draws it.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in 0..n.saturating_sub(1) {
            order.swap(i, i + self.next_u32() as usize % (n - i));
        }
        order
    }

    fn twist(&mut self) {
        for i in 0..Self::N {
            let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % Self::N] & 0x7fff_ffff);
            let matrix = if y & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[i] = self.state[(i + Self::M) % Self::N] ^ (y >> 1) ^ matrix;
        }
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mersenne_twister_is_the_published_one() {
        // The C++ standard fixes the 10,000th draw from the default seed, [rand.predef].
        let mut generator = Mt19937::new(5489);
        let last = (0..10_000).map(|_| generator.next_u32()).last();
        assert_eq!(last, Some(4_123_659_995));
    }

    #[test]
    fn first_epoch_after_an_evaluation_is_pytorchs() {
        // After torch.manual_seed(123): DataLoader(range(935), batch_size=8, shuffle=True).
        let mut stream = OrderStream::new(Order::Torch, 123);
        assert_eq!(stream.start_shuffled(&[1; 935], 8)[..8], [8, 709, 639, 313, 769, 407, 12, 173]);
    }

    #[test]
    fn a_stored_stream_goes_on_as_if_nothing_had_happened() {
        for order in [Order::Torch, Order::Shuffle, Order::Length] {
            let mut stream = OrderStream::new(order, 7);
            for _ in 0..3 {
                stream.start_shuffled(&[1; 50], 8);
                stream.start_sequential();
            }
            let mut stored = OrderStream::from_words(order, &stream.to_words()).unwrap();
            for _ in 0..700 {
                assert_eq!(stored.start_shuffled(&[1; 50], 8), stream.start_shuffled(&[1; 50], 8));
            }
        }
        assert!(OrderStream::from_words(Order::Torch, &[0; 624]).is_none());
        assert!(OrderStream::from_words(Order::Torch, &[vec![0; 624], vec![625]].concat()).is_none());
    }

    #[test]
    fn every_order_is_a_permutation_and_repeats() {
        let lengths: Vec<usize> = (0..1003).map(|i| i * 7919 % 101).collect();
        for order in [Order::Torch, Order::Shuffle, Order::Length] {
            let mut stream = OrderStream::new(order, 7);
            let (first, second) = (stream.start_shuffled(&lengths, 8), stream.start_shuffled(&lengths, 8));
            assert_ne!(first, second, "{order}: epochs differ");
            assert_eq!(OrderStream::new(order, 7).start_shuffled(&lengths, 8), first, "{order}: same seed, same order");
            let mut sorted = first;
            sorted.sort_unstable();
            assert_eq!(sorted, (0..1003).collect::<Vec<_>>(), "{order}");
        }
    }

    #[test]
    fn evaluations_leave_the_shuffle_order_alone() {
        let mut with = OrderStream::new(Order::Shuffle, 1);
        with.start_sequential();
        assert_eq!(with.start_shuffled(&[1; 50], 8), OrderStream::new(Order::Shuffle, 1).start_shuffled(&[1; 50], 8));
    }

    #[test]
    fn length_order_keeps_similar_lengths_together() {
        let lengths: Vec<usize> = (0..800).map(|i| i * 7919 % 97).collect();
        let order = OrderStream::new(Order::Length, 3).start_shuffled(&lengths, 8);
        let spread = |order: &[usize]| -> usize {
            order
                .chunks(8)
                .map(|batch| {
                    let lengths = batch.iter().map(|&index| lengths[index]);
                    lengths.clone().max().unwrap() - lengths.min().unwrap()
                })
                .sum()
        };
        assert!(spread(&order) * 10 < spread(&(0..800).collect::<Vec<_>>()));
    }
}
