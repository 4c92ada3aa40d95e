//! Checkpoints that TensorFlow wrote, and what was done to them.

mod faults;
mod fuzz;
mod reading;
mod table;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use gptune_weights::{BundleError, BundleFile};
use serde::Deserialize;

/// A tensor as `expected.json` has it.
#[derive(Deserialize)]
struct Expected {
    shape: Vec<usize>,
    hex: String,
}

impl Expected {
    /// The bits of the numbers, so that zeros of either sign are told apart.
    fn bits(&self) -> Vec<u32> {
        let word = |at| u32::from_str_radix(&self.hex[at..at + 8], 16).unwrap().swap_bytes();
        (0..self.hex.len()).step_by(8).map(word).collect()
    }
}

fn fixture(name: &str) -> PathBuf {
    crate::fixture("tensor_bundle").join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(fixture(name)).unwrap()
}

fn expected(group: &str) -> BTreeMap<String, Expected> {
    let mut groups: BTreeMap<String, _> = serde_json::from_slice(&bytes("expected.json")).unwrap();
    groups.remove(group).unwrap()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Opens a bundle of one data file from memory.
fn open(index: &[u8], data: Vec<u8>) -> Result<BundleFile, BundleError> {
    BundleFile::from_bytes(Path::new("some/model.ckpt"), index, vec![data])
}
