//! The writer against the reader. `fixtures/pickle/compare.py` holds it against torch.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use gptune_weights::{PickleFile, PthWriter, write_pth};

use crate::fixture;

#[test]
fn what_was_written_is_read_back() {
    let book = PickleFile::open(&fixture("pickle/book.pth")).unwrap();
    let mut tensors: Vec<_> = book
        .names()
        .map(|name| (name.to_owned(), book.shape(name).unwrap().to_vec(), book.read(name).unwrap()))
        .collect();
    tensors.push(("scalar".to_owned(), vec![], vec![f32::MIN_POSITIVE]));
    tensors.push(("empty".to_owned(), vec![2, 0, 3], vec![]));
    tensors.push(("naïve 👍".to_owned(), vec![5000], (0..5000_u16).map(f32::from).collect()));

    let mut bytes = Vec::new();
    write_pth(&mut bytes, tensors.clone()).unwrap();
    let file = PickleFile::from_bytes(Path::new("written"), bytes).unwrap();
    assert_eq!(file.names().count(), tensors.len());
    for (name, shape, values) in tensors {
        assert_eq!(file.shape(&name), Some(&shape[..]), "{name}");
        assert_eq!(file.read(&name).unwrap(), values, "{name}");
    }
}

#[test]
fn storages_are_aligned() {
    let mut writer = PthWriter::new(Vec::new()).unwrap();
    // A number that nothing else looks like.
    let first = f32::from_bits(0x1234_5678);
    for i in 0..70_u8 {
        let mut values = vec![1.0; i.into()];
        values.insert(0, first);
        writer.tensor(&"x".repeat(i.into()), &[values.len()], &values).unwrap();
    }
    let bytes = writer.finish().unwrap();
    let starts = bytes.windows(4).enumerate().filter(|(_, bytes)| *bytes == first.to_le_bytes());
    let starts: Vec<_> = starts.map(|(start, _)| start).collect();
    assert_eq!(starts.len(), 70);
    assert!(starts.iter().all(|start| start % 64 == 0), "{starts:?}");
}

#[test]
#[should_panic(expected = "numbers of 'a', of shape [2, 3]")]
fn shapes_are_held_against_the_numbers() {
    _ = PthWriter::new(Vec::new()).unwrap().tensor("a", &[2, 3], &[0.0; 5]);
}

#[test]
fn a_full_disk_is_an_error() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let written = bytes.len().min(self.0);
            self.0 -= written;
            if written > 0 { Ok(written) } else { Err(io::ErrorKind::StorageFull.into()) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let tensors = || [("a".to_owned(), vec![3], vec![1.0, 2.0, 3.0])];
    let mut whole = Vec::new();
    write_pth(&mut whole, tensors()).unwrap();
    for length in 0..whole.len() {
        let error = write_pth(Full(length), tensors()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{length}: {error}");
    }
    write_pth(Full(whole.len()), tensors()).unwrap();
}

#[test]
#[ignore = "needs 9 GB of memory and writes 4.3 GB into the temporary folder"]
fn tensors_above_four_gib_are_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.pth");
    let mut writer = PthWriter::new(io::BufWriter::new(fs::File::create(&path).unwrap())).unwrap();
    let mut large = vec![0.0; (1 << 30) + 16];
    large[1 << 30] = 1.5;
    writer.tensor("large", &[(1 << 26) + 1, 16], &large).unwrap();
    writer.tensor("small", &[2], &[2.5, 3.5]).unwrap();
    writer.finish().unwrap();
    let file = PickleFile::open(&path).unwrap();
    assert!(file.read("large").unwrap() == large);
    assert_eq!(file.read("small").unwrap(), [2.5, 3.5]);
}
