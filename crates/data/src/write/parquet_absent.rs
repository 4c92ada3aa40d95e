//! Where Parquet was left out of the build.

use std::io;

use gptune_files::NewFile;

use super::{Row, columns::Columns};

/// Never made.
pub(super) enum Writer {}

impl Writer {
    pub fn new(_: NewFile) -> Result<Self, String> {
        Err("this build does not write Parquet; build it with the feature 'parquet', or write .jsonl".to_owned())
    }

    pub fn begin(&mut self, _: &Columns) -> io::Result<()> {
        match *self {}
    }

    pub fn push(&mut self, _: &[Row]) -> io::Result<()> {
        match *self {}
    }

    pub fn finish(self) -> io::Result<NewFile> {
        match self {}
    }
}
