//! Walking over a part of the data in batches.

use crate::{Batch, Collator, DataError, OrderStream, Part, Sequences};

/// Batches over one part of the data.
#[derive(Debug, Clone)]
pub struct Loader<'a> {
    sequences: &'a Sequences,
    /// The places of its sequences among all.
    places: &'a [u32],
    batch_size: usize,
    /// Shuffle and drop a short last batch, as in training; otherwise in order, dropping nothing.
    shuffle: bool,
    collator: Collator,
}

impl<'a> Loader<'a> {
    /// A loader over those of `sequences` at these places, which are the `part` of the data: the training part is
    /// shuffled and loses a short last batch, the others keep their order and every sequence.
    ///
    /// # Errors
    ///
    /// [`DataError::PartTooSmall`] if there are not enough examples for one batch.
    pub fn new(
        part: Part,
        sequences: &'a Sequences,
        places: &'a [u32],
        batch_size: usize,
        collator: Collator,
        total: usize,
    ) -> Result<Self, DataError> {
        let shuffle = part == Part::Train;
        let needed = if shuffle { batch_size.max(1) } else { 1 };
        if places.len() < needed || batch_size == 0 {
            let remedy =
                if shuffle { "add data, or lower --batch-size" } else { "choose another --split, or add data" };
            let (part, examples, remedy) = (part.name(), places.len(), remedy.to_owned());
            return Err(DataError::PartTooSmall { part, examples, total, needed, remedy });
        }
        Ok(Self { sequences, places, batch_size, shuffle, collator })
    }

    /// Number of batches in one iteration.
    #[must_use]
    pub fn len(&self) -> usize {
        if self.shuffle { self.places.len() / self.batch_size } else { self.places.len().div_ceil(self.batch_size) }
    }

    /// Whether there is no batch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many sequences it goes over.
    #[must_use]
    pub fn examples(&self) -> usize {
        self.places.len()
    }

    /// How many of them are longer than a row may be, and lose their end with the token that ends it.
    #[must_use]
    pub fn cut(&self) -> usize {
        self.lengths().filter(|&length| length > self.collator.max_length).count()
    }

    /// The inputs of each sequence.
    fn lengths(&self) -> impl Iterator<Item = usize> + '_ {
        self.places.iter().map(|&place| self.sequences.length(place as usize).saturating_sub(1))
    }

    /// Starts an iteration, which draws from `stream`: the order of its sequences.
    pub fn start(&self, stream: &mut OrderStream) -> Vec<usize> {
        if self.shuffle {
            return stream.start_shuffled(&self.lengths().collect::<Vec<_>>(), self.batch_size);
        }
        stream.start_sequential();
        (0..self.places.len()).collect()
    }

    /// A batch of an iteration over its sequences in this order, as [`Loader::start`] gave it.
    ///
    /// # Panics
    ///
    /// If there is no such batch.
    #[must_use]
    pub fn batch(&self, order: &[usize], index: usize) -> Batch {
        let start = index * self.batch_size;
        let end = (start + self.batch_size).min(order.len());
        self.collator.collate(order[start..end].iter().map(|&index| self.sequences.get(self.places[index] as usize)))
    }

    /// Starts an iteration, which draws from `stream`.
    pub fn iter(&self, stream: &mut OrderStream) -> BatchIter<'_> {
        BatchIter { loader: self, order: self.start(stream), next: 0 }
    }
}

/// One iteration over a [`Loader`].
#[derive(Debug)]
pub struct BatchIter<'a> {
    loader: &'a Loader<'a>,
    order: Vec<usize>,
    next: usize,
}

impl Iterator for BatchIter<'_> {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        if self.next == self.loader.len() {
            return None;
        }
        self.next += 1;
        Some(self.loader.batch(&self.order, self.next - 1))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.loader.len() - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for BatchIter<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Order, Sequence};

    fn sequences(n: usize) -> (Sequences, Vec<u32>) {
        let one = |length| Sequence { ids: vec![1; length + 1], trained: vec![1..length + 1] };
        ((1..=n).map(one).collect::<Vec<_>>().iter().collect(), (0..u32::try_from(n).unwrap()).collect())
    }

    const COLLATOR: Collator = Collator {
        end_of_text: 50_256,
        padding: 50_256,
        max_length: 1024,
        mask_instructions: false,
        first_end_only: true,
    };

    #[test]
    fn train_drops_the_short_batch_and_validation_keeps_it() {
        let (sequences, places) = sequences(19);
        let mut stream = OrderStream::new(Order::Torch, 1);
        let train = Loader::new(Part::Train, &sequences, &places, 8, COLLATOR, 19).unwrap();
        assert_eq!(train.iter(&mut stream).map(|batch| batch.sequences.len()).collect::<Vec<_>>(), [8, 8]);
        let val = Loader::new(Part::Val, &sequences, &places, 8, COLLATOR, 19).unwrap();
        let widths: Vec<_> = val.iter(&mut stream).map(|batch| (batch.sequences.len(), batch.width())).collect();
        assert_eq!(widths, [(8, 8), (8, 16), (3, 19)]);
        assert_eq!(val.cut(), 0);
        let collator = Collator { max_length: 17, ..COLLATOR };
        let short = Loader::new(Part::Val, &sequences, &places, 8, collator, 19).unwrap();
        assert_eq!(short.cut(), 2);
        let last = Loader::new(Part::Val, &sequences, &places[17..], 8, COLLATOR, 19).unwrap();
        assert_eq!(last.iter(&mut stream).map(|batch| batch.tokens()).collect::<Vec<_>>(), [37]);
    }

    #[test]
    fn a_part_without_a_batch_is_an_error() {
        let (sequences, places) = sequences(5);
        let error = Loader::new(Part::Train, &sequences, &places, 8, COLLATOR, 6).unwrap_err().to_string();
        assert!(error.contains("train part has 5 of 6 examples and needs at least 8"), "{error}");
        assert!(Loader::new(Part::Val, &sequences, &[], 8, COLLATOR, 6).is_err());
    }
}
