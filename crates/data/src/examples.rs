//! Examples of a stream, one after another.

use rayon::prelude::*;

use crate::{BadEntry, CorpusOptions, DataError, Example, Records, Shape, corpus::Shapes};

/// What the records of a stream say, a few thousand at a time, however many there are.
#[derive(Debug)]
pub struct Examples {
    records: Records,
    shapes: Shapes,
}

impl Examples {
    /// The examples of records. `shape` says which keys hold what; without it the first record of each file does.
    #[must_use]
    pub fn new(records: Records, shape: Option<Shape>) -> Self {
        let shapes = Shapes::new(&CorpusOptions { shape, ..CorpusOptions::default() });
        Self { records, shapes }
    }

    /// The next ones, each with what `work` makes of it and its shape, on all threads of `rayon`'s pool; none at the end.
    /// A record that cannot be used is a [`BadEntry`].
    ///
    /// # Errors
    ///
    /// As [`Records::next_chunk`].
    pub fn next_chunk<T: Send>(
        &mut self,
        work: impl Fn(Result<Example, BadEntry>, &Shape) -> T + Sync,
    ) -> Result<Option<Vec<T>>, DataError> {
        let Some(chunk) = self.records.next_chunk()? else { return Ok(None) };
        let shaped = self.shapes.each(chunk).into_par_iter();
        Ok(Some(shaped.map(|(record, shape)| work(Example::of(record, &shape, false), &shape)).collect()))
    }
}
