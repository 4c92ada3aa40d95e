//! Random damage: whatever comes of it, nothing panics, hangs or asks for much memory.
//!
//! `GPTUNE_FUZZ` sets the number of inputs.

use std::{fs, path::Path};

use gptune_weights::PickleFile;

use crate::{
    fixture,
    random::{XorShift, runs},
};

/// A range that is not empty, more often short than long.
fn range(random: &mut XorShift, len: usize) -> std::ops::Range<usize> {
    let start = random.below(len);
    let longest = 1 << random.below(10);
    start..len.min(start + 1 + random.below(longest))
}

fn damage(bytes: &mut Vec<u8>, random: &mut XorShift) {
    let range = range(random, bytes.len());
    match random.below(12) {
        0..5 => bytes[range.start] ^= 1 << random.below(8),
        #[allow(clippy::cast_possible_truncation)]
        5 => bytes[range.start] = random.next() as u8,
        6 => bytes.truncate(range.end),
        7 => _ = bytes.drain(range),
        8 => bytes[range].fill(0),
        9 => bytes[range].fill(0xff),
        // Copied over, or put in, elsewhere.
        10 => {
            let to = random.below(bytes.len() - range.len() + 1);
            bytes.copy_within(range, to);
        }
        _ => {
            let at = random.below(bytes.len());
            let copy = bytes[range].to_vec();
            bytes.splice(at..at, copy);
        }
    }
}
#[test]
fn damaged_checkpoints_never_panic() {
    let count = runs();
    let folders = [fixture("pickle"), fixture("pickle/evil")];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "pth" || extension == "bin"));
    paths.sort();
    let seeds: Vec<_> = paths.iter().map(|path| fs::read(path).unwrap()).collect();

    let mut random = XorShift::new();
    let (mut opened, mut tensors, mut read) = (0, 0, 0);
    for i in 0..count {
        let mut bytes = seeds[i % seeds.len()].clone();
        for _ in 0..=random.below(3) {
            damage(&mut bytes, &mut random);
            if bytes.is_empty() {
                break;
            }
        }
        let length = bytes.len();
        let Ok(file) = PickleFile::from_bytes(Path::new("fuzz"), bytes) else { continue };
        opened += 1;
        for name in file.names() {
            tensors += 1;
            if let Ok(values) = file.read(name) {
                assert_eq!(values.len(), file.shape(name).unwrap().iter().product::<usize>(), "{name}");
                assert!(values.len() <= length);
                read += 1;
            }
        }
    }
    println!("{count} damaged checkpoints: {opened} opened, {read} of their {tensors} tensors read");
    assert!(opened > 0 && opened < count);
}
