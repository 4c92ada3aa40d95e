//! Damaged checkpoints: each is an error that names what is wrong, and where.

use std::{fs, path::Path};

use gptune_weights::{BundleFile, Hparams};

use super::{
    bytes, fixture, open,
    table::{append, block, blocks, record, table, varint, with_index},
};

const FILES: [&str; 3] = ["sharded.ckpt.index", "sharded.ckpt.data-00000-of-00002", "sharded.ckpt.data-00001-of-00002"];

/// The error of a copy of the sharded checkpoint after a change, on opening it or reading all of it.
fn error_after(change: impl FnOnce(&Path)) -> String {
    let folder = tempfile::tempdir().unwrap();
    for file in FILES {
        fs::copy(fixture(file), folder.path().join(file)).unwrap();
    }
    change(folder.path());
    let file = match BundleFile::open(&folder.path().join("sharded.ckpt")) {
        Ok(file) => file,
        Err(error) => return error.to_string(),
    };
    file.names().find_map(|name| file.read(name).err()).unwrap().to_string()
}

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// The error of an index, with data files of eight zeros.
fn index_error(index: &[u8]) -> String {
    open(index, vec![0; 8]).unwrap_err().to_string()
}

/// The error of an index with these records.
fn records_error(records: &[Vec<u8>]) -> String {
    index_error(&table(&[(0, block(records))]))
}

/// A header of one data file.
fn header() -> Vec<u8> {
    record(0, b"", &[0x08, 1])
}

/// The record of two little-endian `float32`, with `more` fields.
fn pair(name: &str, more: &[u8]) -> Vec<u8> {
    record(0, name.as_bytes(), &[&[0x08, 1, 0x12, 4, 0x12, 2, 0x08, 2, 0x28, 8], more].concat())
}

#[test]
fn flipped_bit_in_the_data() {
    let error = error_after(|folder| edit(&folder.join(FILES[1]), |bytes| bytes[100] ^= 4));
    assert!(error.contains("sharded.ckpt.data-00000-of-00002: tensor 'model/"), "{error}");
    assert!(error.contains("has the checksum"), "{error}");
}

#[test]
fn every_flipped_bit_in_the_data_is_found() {
    let (index, data) = (bytes("types.ckpt.index"), bytes("types.ckpt.data-00000-of-00001"));
    let damaged = |data: Vec<u8>| {
        let file = open(&index, data).unwrap();
        file.names().filter(|name| file.read(name).is_err_and(|e| e.to_string().contains("checksum"))).count()
    };
    assert_eq!(damaged(data.clone()), 0);
    let found = (0..data.len() * 8).map(|bit| {
        let mut data = data.clone();
        data[bit / 8] ^= 1 << (bit % 8);
        damaged(data)
    });
    // Those in tensors that are no weights are not read: 2 x 24 of 'in_parts', 8 of 'global_step', and 'words'.
    assert_eq!(found.filter(|&count| count == 1).count(), 8 * 15 * (4 + 2 + 2 + 8) + 8 * 4);
}

#[test]
fn cut_data_file() {
    let error = error_after(|folder| edit(&folder.join(FILES[2]), |bytes| bytes.truncate(700)));
    assert!(error.contains("sharded.ckpt.data-00001-of-00002 is 700 bytes long and tensor 'model/"), "{error}");
    assert!(error.contains("the file was cut"), "{error}");
    let error = error_after(|folder| edit(&folder.join(FILES[2]), Vec::clear));
    assert!(error.contains("is 0 bytes long"), "{error}");
}

#[test]
fn missing_files_are_named() {
    let error = error_after(|folder| fs::remove_file(folder.join(FILES[2])).unwrap());
    assert!(error.contains("sharded.ckpt.data-00001-of-00002 is missing: the checkpoint has 2 data files"), "{error}");
    let error = error_after(|folder| fs::remove_file(folder.join(FILES[0])).unwrap());
    assert!(error.starts_with("cannot read ") && error.contains("sharded.ckpt.index: "), "{error}");
    let error = index_error(&bytes(FILES[0]));
    assert!(error.starts_with("some/model.ckpt.data-00001-of-00002 is missing: "), "{error}");
}

#[test]
fn every_cut_and_every_flipped_bit_in_the_index_is_found() {
    let (index, data) = (bytes("whole.ckpt.index"), bytes("whole.ckpt.data-00000-of-00001"));
    for length in 0..index.len() {
        let error = open(&index[..length], data.clone()).unwrap_err().to_string();
        assert!(error.starts_with("some/model.ckpt.index is not a checkpoint's index, or was cut"), "{error}");
    }
    // The block between those of the records and of the index has filters, and is not read.
    let [(_, records), (_, filters), _] = blocks(&index).try_into().unwrap();
    let records = records.len() + 5;
    for byte in (0..records).chain(records + filters.len() + 5..index.len() - 48).chain(index.len() - 8..index.len()) {
        for bit in 0..8 {
            let mut index = index.clone();
            index[byte] ^= 1 << bit;
            open(&index, data.clone()).unwrap_err();
        }
    }
}

#[test]
fn wrong_magic() {
    let error = error_after(|folder| edit(&folder.join(FILES[0]), |bytes| *bytes.last_mut().unwrap() ^= 1));
    assert!(error.contains("sharded.ckpt.index is not a checkpoint's index"), "{error}");
}

#[test]
fn damaged_blocks() {
    let content = block(&[header()]);
    let mut flipped = table(&[(0, content.clone())]);
    flipped[2] ^= 1;
    assert_eq!(
        index_error(&flipped),
        "some/model.ckpt.index is damaged in the block at byte 0: its checksum does not match; fetch it again"
    );
    assert!(index_error(&table(&[(2, content)])).contains("its compression is neither none nor Snappy"));
    assert!(index_error(&table(&[(1, vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0])])).contains("more than Snappy can"));
    assert!(index_error(&table(&[(1, vec![4, 0])])).contains("it cannot be decompressed"));
    assert!(index_error(&table(&[(0, vec![0; 3])])).contains("it is too short"));
    assert!(index_error(&table(&[(0, vec![0xff; 4])])).contains("it is too short"));
    assert!(index_error(&with_index(Vec::new(), &[vec![]])).contains("a block has no place"));
    let far = [varint(usize::MAX - 4), varint(4)].concat();
    assert!(index_error(&with_index(Vec::new(), &[far])).contains("it runs past the end of the file"));
    let mut blocks = Vec::new();
    let place = append(&mut blocks, 0, &block(&[]));
    assert!(index_error(&with_index(blocks, &[place.clone(), place])).contains("two blocks overlap"));
}

#[test]
fn damaged_records() {
    assert!(records_error(&[]).contains("it has no header"));
    assert!(records_error(&[pair("a", &[])]).contains("it does not start with a header"));
    assert!(records_error(&[header(), header()]).contains("it has a second header"));
    assert!(records_error(&[record(0, b"", &[0x08])]).contains("invalid varint"));
    assert!(records_error(&[record(1, b"", &[])]).contains("a record is cut"));
    assert!(records_error(&[varint(0)]).contains("a record is cut"));
    assert!(records_error(&[[varint(0), varint(usize::MAX), varint(0)].concat()]).contains("a record is cut"));
    assert!(records_error(&[header(), pair("a", &[]), pair("a", &[])]).contains("there are two tensors 'a'"));
    assert!(records_error(&[header(), record(0, &[0xff], &[])]).contains("is not UTF-8"));
    assert!(records_error(&[header(), pair("a", &[0x20, 1])]).contains("'a' ends at byte 9"));
}

#[test]
fn impossible_tensors() {
    let minus_one = [&[0xff; 9][..], &[1]].concat();
    for (field, value) in [
        ("shard", vec![0x18, 1]),
        ("shard", [&[0x18][..], &minus_one].concat()),
        ("offset", [&[0x20][..], &minus_one].concat()),
        ("size", vec![0x28, 7]),
        ("type", vec![0x08, 2]),
        ("dim", vec![0x12, 4, 0x12, 2, 0x08, 3]),
        ("wire type", vec![0x0f]),
    ] {
        let error = records_error(&[header(), pair("a", &value)]);
        assert!(error.contains("the place, size or shape of tensor 'a' is impossible"), "{field}: {error}");
    }
}

#[test]
fn bundles_that_are_not_understood() {
    assert!(records_error(&[record(0, b"", &[0x08, 1, 0x10, 1])]).contains("its numbers are big-endian"));
    assert!(records_error(&[record(0, b"", &[0x08, 1, 0x1a, 2, 0x10, 2])]).contains("a later version of the format"));
    assert!(records_error(&[record(0, b"", &[])]).contains("it has no data files"));
}

/// Each key has one byte of its own and all of the key before it.
#[test]
fn names_cannot_grow_with_the_square_of_the_file() {
    let records: Vec<_> = (0..2000).map(|length| record(length, b"a", &[0x08, 7])).collect();
    let error = records_error(&[vec![header()], records].concat());
    assert!(error.contains("its names are longer than any model's"), "{error}");
}

#[test]
fn damaged_sizes() {
    let error = |text: &str| Hparams::from_bytes(Path::new("hparams.json"), text.as_bytes()).unwrap_err().to_string();
    assert!(error("{").starts_with("hparams.json does not hold the sizes of a GPT-2 (EOF"));
    assert!(error(r#"{"n_vocab": 1, "n_ctx": 1, "n_embd": 1, "n_head": 1}"#).contains("missing field `n_layer`"));
    assert!(error(r#"{"n_vocab": -1}"#).contains("invalid value"));
    assert!(Hparams::read(&fixture("none.json")).unwrap_err().to_string().starts_with("cannot read "));
}
