//! Damaged safetensors files open and are read, or are errors; nothing else happens.

use std::fs;

use gptune_weights::SafetensorsFile;

use crate::{
    fixture,
    random::{XorShift, runs},
};

/// Numbers that have been mistaken for lengths and offsets.
const EDGES: [&str; 8] =
    ["0", "-1", "4294967296", "18446744073709551615", "18446744073709551616", "9223372036854775807", "1e400", "null"];

/// Damages the header, or the length before it, and fits that length to the header as often as not.
fn damage(bytes: &mut Vec<u8>, random: &mut XorShift) {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap());
    let mut header = bytes[8..8 + usize::try_from(length).unwrap()].to_vec();
    let numbers = bytes.split_off(8 + header.len());
    for _ in 0..=random.below(3) {
        let start = random.below(header.len());
        let end = (start + 1 + random.below(24)).min(header.len());
        match random.below(8) {
            0 | 1 if start < end => header[start] ^= 1 << random.below(8),
            2 => header.truncate(start),
            3 => drop(header.drain(start..end)),
            4 => {
                let copy = header[start..end].to_vec();
                header.splice(start..start, copy);
            }
            5 => header[start..end].fill(b'9'),
            // A number, if there is one from here on, becomes another.
            6 => {
                let digit = |&byte: &u8| byte.is_ascii_digit();
                if let Some(first) = header[start..].iter().position(digit).map(|at| at + start) {
                    let last =
                        header[first..].iter().position(|byte| !digit(byte)).map_or(header.len(), |at| first + at);
                    header.splice(first..last, EDGES[random.below(EDGES.len())].bytes());
                }
            }
            _ => header.extend(std::iter::repeat_n([b'[', b'{', b' '][random.below(3)], random.below(3000))),
        }
    }
    let length = match random.below(4) {
        0 => random.next() >> random.below(64),
        1 => length,
        _ => header.len() as u64,
    };
    *bytes = [&length.to_le_bytes()[..], &header, &numbers].concat();
}

#[test]
fn damaged_safetensors_never_panic() {
    let count = runs();
    let seeds =
        ["tied", "untied", "f16", "bf16"].map(|name| fs::read(fixture(name).join("model.safetensors")).unwrap());
    let mut random = XorShift::new();
    let (mut opened, mut read) = (0, 0);
    for run in 0..count {
        let mut bytes = seeds[run % seeds.len()].clone();
        damage(&mut bytes, &mut random);
        let length = bytes.len();
        let Ok(file) = SafetensorsFile::from_bytes("damaged.safetensors", bytes) else { continue };
        opened += 1;
        for values in file.names().filter_map(|name| file.read(name).ok()) {
            assert!(values.len() <= length);
            read += 1;
        }
    }
    println!("{count} damaged files: {opened} opened, {read} tensors read");
    assert!(opened > 0 && opened < count);
}
