//! The crate against files that transformers, PyTorch, TensorFlow and llama.cpp's tools wrote, and against
//! damaged ones. `GPTUNE_FUZZ` sets how many damaged files each test of these reads.
// A helper that unwraps fails its test, as it should.
#![allow(clippy::unwrap_used)]

mod bundle;
mod faults;
mod formats;
mod fuzz;
mod gguf;
mod pickle;
mod random;
mod round_trip;
mod transformers;
mod wrapped;

use std::path::PathBuf;

/// A folder that `fixtures/make.py` wrote.
fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}
