//! Where Parquet was left out of the build.

use std::sync::{Arc, atomic::AtomicU64};

use super::{source::Found, stored::Contents};
use crate::DataError;

/// Never made.
pub(super) enum Rows {}

impl Rows {
    pub fn open(_: Contents, origin: &str, _: &Arc<AtomicU64>) -> Result<Self, DataError> {
        let kind = "a Parquet file, which this build does not read; build it with the feature 'parquet', or save the file \
                    as JSON Lines, for instance with pandas' `to_json(lines=True)`";
        Err(DataError::NotText { origin: origin.to_owned(), kind: kind.to_owned() })
    }

    pub fn next_chunk(&mut self) -> Result<Option<Vec<Found>>, DataError> {
        match *self {}
    }
}
