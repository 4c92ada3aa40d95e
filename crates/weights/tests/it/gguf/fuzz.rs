//! Mutated files open and are read, or are errors; nothing else happens.

use std::{fs, path::Path};

use gptune_weights::{GgufFile, GgufGpt2, GgufValue};

use super::fixture;
use crate::random::{XorShift, runs};

/// Numbers that have been mistaken for lengths, counts and offsets.
const EDGES: [u64; 10] = [0, 1, 31, 1 << 31, (1 << 32) - 1, 1 << 32, i64::MAX as u64, 1 << 63, u64::MAX - 31, u64::MAX];

fn mutate(bytes: &mut Vec<u8>, index: usize, random: &mut XorShift) {
    // Most of a file is numbers, where any byte is as good as another: three in four hit the index.
    let end = if random.below(4) == 0 { bytes.len() } else { index.min(bytes.len()) };
    let start = random.below(end);
    let stop = (start + random.below(40) + 1).min(bytes.len());
    match random.below(9) {
        0 | 1 => bytes[start] ^= 1 << random.below(8),
        2 => bytes[start] = u8::try_from(random.below(256)).unwrap(),
        3 => bytes.truncate(start),
        4 => drop(bytes.drain(start..stop)),
        5 => bytes[start..stop].fill(if random.below(2) == 0 { 0 } else { 0xff }),
        6 => {
            let copy = bytes[start..stop].to_vec();
            bytes.splice(start..start, copy);
        }
        7 => {
            let junk: Vec<u8> = (start..stop).map(|_| random.next().to_le_bytes()[0]).collect();
            bytes.splice(start..start, junk);
        }
        _ => {
            let edge = EDGES[random.below(EDGES.len())].to_le_bytes();
            let width = [4, 8][random.below(2)].min(bytes.len() - start);
            bytes[start..start + width].copy_from_slice(&edge[..width]);
        }
    }
}

/// Reads all there is, and says whether the file opened.
fn read_all(bytes: Vec<u8>) -> bool {
    let length = bytes.len();
    let Ok(file) = GgufFile::from_bytes(Path::new("mutated.gguf"), bytes) else { return false };
    for key in file.keys() {
        // What was checked when the file was opened is still there.
        if let GgufValue::Array(array) = file.metadata(key).unwrap() {
            assert_eq!(array.values().count(), array.len());
        }
    }
    let numbers: usize = file.names().filter_map(|name| file.read(name).ok()).map(|values| values.len()).sum();
    assert!(numbers <= length, "{numbers} numbers of {length} bytes");
    if let Ok(Some(tokenizer)) = file.tokenizer() {
        let known = tokenizer.tokens.len();
        assert!(tokenizer.added.iter().all(|(id, _)| (*id as usize) < known));
        assert!(tokenizer.end_of_text.is_none_or(|id| (id as usize) < known));
    }
    _ = file.prompt_style();
    _ = file.special_tokens();
    if let Ok(gpt2) = GgufGpt2::new(file) {
        for name in gpt2.names() {
            _ = gpt2.read(name);
        }
    }
    true
}

#[test]
fn mutated_files_never_panic() {
    let runs = runs();
    // Files, and where their tensors begin.
    let seeds = [("mixed.gguf", 1472), ("untied-q8_0.gguf", 3008), ("tied-q8_0.gguf", 3008)];
    let seeds = seeds.map(|(name, index)| (fs::read(fixture(name)).unwrap(), index));
    let mut random = XorShift::new();
    let mut opened = 0;
    for run in 0..runs {
        let (mut bytes, index) = seeds[run % seeds.len()].clone();
        for _ in 0..=random.below(3) {
            if !bytes.is_empty() {
                mutate(&mut bytes, index, &mut random);
            }
        }
        opened += usize::from(read_all(bytes));
    }
    assert!(opened > 0 && opened < runs, "{opened} of {runs} opened");
    println!("{runs} mutated files, {opened} of which opened");
}
