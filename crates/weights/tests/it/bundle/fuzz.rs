//! No input makes reading panic.

use std::path::Path;

use gptune_weights::BundleFile;

use super::{
    bytes,
    table::{append, blocks, with_index},
};
use crate::random::{XorShift, runs};

/// Changes bytes in one of the ways in which files go bad, or are made to be.
fn mutate(bytes: &mut Vec<u8>, random: &mut XorShift) {
    for _ in 0..=random.below(3) {
        let start = random.below(bytes.len());
        let end = (start + 1 + random.below(12)).min(bytes.len());
        match random.below(7) {
            0 | 1 if start < end => bytes[start] ^= 1 << random.below(8),
            2 if random.below(4) == 0 => bytes.truncate(start),
            3 => drop(bytes.splice(start..start, (0..end - start).map(|_| random.next().to_le_bytes()[0]))),
            4 => bytes.extend_from_within(start..end),
            5 => bytes[start..end].fill(0),
            6 => bytes[start..end].fill(0xff),
            _ => drop(bytes.drain(start..end)),
        }
    }
}
/// An index of these blocks, in which records or the place of a block changed and every checksum fits.
fn sealed(mut blocks: Vec<(u8, Vec<u8>)>, random: &mut XorShift) -> Vec<u8> {
    let changed = random.below(blocks.len() + 1);
    if let Some((_, block)) = blocks.get_mut(changed) {
        mutate(block, random);
    }
    let mut out = Vec::new();
    let mut places: Vec<_> = blocks.iter().map(|(compression, block)| append(&mut out, *compression, block)).collect();
    if changed == blocks.len() {
        let place = random.below(places.len());
        mutate(&mut places[place], random);
    }
    with_index(out, &places)
}

#[test]
fn mutated_files_never_panic() {
    let count = runs();
    let seed = |index: &str, data: &str, shards: usize| {
        let shard = |shard| bytes(&format!("{data}.data-{shard:05}-of-{shards:05}"));
        let index = bytes(index);
        let mut blocks = blocks(&index);
        blocks.truncate(blocks.len() - 2);
        (index, blocks, (0..shards).map(shard).collect::<Vec<_>>())
    };
    let seeds = [
        seed("sharded.ckpt.index", "sharded.ckpt", 2),
        seed("types.ckpt.index", "types.ckpt", 1),
        seed("snappy.index", "whole.ckpt", 1),
    ];
    let mut random = XorShift::new();
    let (mut opened, mut read) = (0, 0);
    for _ in 0..count {
        let (mut index, blocks, mut shards) = seeds[random.below(seeds.len())].clone();
        match random.below(4) {
            0 => mutate(&mut index, &mut random),
            1 => {
                let shard = random.below(shards.len());
                mutate(&mut shards[shard], &mut random);
            }
            _ => index = sealed(blocks, &mut random),
        }
        if let Ok(file) = BundleFile::from_bytes(Path::new("model.ckpt"), &index, shards) {
            opened += 1;
            read += file.names().filter(|name| file.read(name).is_ok()).count();
        }
    }
    assert!(opened > 0 && opened < count && read > 0, "{opened} of {count} opened");
    println!("{count} mutated checkpoints: {opened} opened, {read} tensors read");
}
