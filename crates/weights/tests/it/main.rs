//! The crate against files that transformers wrote, and against damaged ones.
// A helper that unwraps fails its test, as it should.
#![allow(clippy::unwrap_used)]

mod faults;
mod round_trip;
mod transformers;

use std::path::PathBuf;

/// A folder that `fixtures/make.py` wrote.
fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}
