//! Damaged files, and models that cannot be written: each is an error that says what is wrong, and where.

use std::{fs, io::Write, path::Path};

use gptune_weights::{GgufError, GgufFile, GgufGpt2, GgufModel, GgufPrecision, GgufSizes, write_gguf};

use super::{fixture, merges, model, parameters, tokens};

fn open(bytes: &[u8]) -> Result<GgufFile, String> {
    GgufFile::from_bytes(Path::new("some/file.gguf"), bytes.to_vec()).map_err(|error| error.to_string())
}

/// The error of a file of `pairs` keys and `tensors` tensors with `rest` for both.
fn error_of(tensors: u64, pairs: u64, rest: &[&[u8]]) -> String {
    let header = [&b"GGUF\x03\0\0\0"[..], &tensors.to_le_bytes(), &pairs.to_le_bytes()].concat();
    let error = open(&[header, rest.concat()].concat()).unwrap_err();
    assert!(error.starts_with("some/file.gguf is "), "{error}");
    error
}

/// A text as it stands in a file.
fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

/// A tensor in the index, with the length of a row first.
fn tensor(name: &str, shape: &[u64], kind: u32, offset: u64) -> Vec<u8> {
    let dimensions = u32::try_from(shape.len()).unwrap();
    let shape: Vec<u8> = shape.iter().flat_map(|size| size.to_le_bytes()).collect();
    [text(name), dimensions.to_le_bytes().to_vec(), shape, kind.to_le_bytes().to_vec(), offset.to_le_bytes().to_vec()]
        .concat()
}

#[test]
fn other_files_are_refused() {
    for junk in [&b""[..], b"GGU", b"PK\x03\x04 a zip file, not GGUF"] {
        assert!(open(junk).unwrap_err().contains("file.gguf is not a GGUF file"), "{junk:?}");
    }
    assert!(open(b"GGUF\x03\0").unwrap_err().contains("ends before its header does"));
    assert!(open(b"GGUF\x01\0\0\0").unwrap_err().contains("version is 1"));
    assert!(open(b"GGUF\0\0\0\x03").unwrap_err().contains("big-endian"));
    assert!(open(b"GGUF\x03\0\0\0\x01\0").unwrap_err().contains("damaged at byte 8"));
    let error = GgufFile::open(Path::new("no/such.gguf")).unwrap_err().to_string();
    assert!(error.starts_with("cannot read no/such.gguf: "), "{error}");
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(GgufFile::open(folder.path()), Err(GgufError::Read { .. })));
    let empty = folder.path().join("empty.gguf");
    fs::write(&empty, "").unwrap();
    assert!(matches!(GgufFile::open(&empty), Err(GgufError::NotGguf { .. })));
}

#[test]
fn damaged_metadata_is_located() {
    let key = text("key");
    assert!(error_of(0, u64::MAX, &[]).contains("byte 24: what starts here goes beyond the end"));
    assert!(error_of(0, 1, &[&u64::MAX.to_le_bytes()]).contains("byte 32: what starts here goes beyond"));
    assert!(error_of(0, 1, &[&text("a")[..8], b"\xff"]).contains("byte 24: a text is not UTF-8"));
    assert!(error_of(0, 1, &[&key, &[13, 0, 0, 0]]).contains("byte 39: a value has the unknown type 13"));
    // An array of arrays.
    let nested = [9, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
    assert!(error_of(0, 1, &[&key, &nested]).contains("unknown type 9"));
    let endless = [&[9, 0, 0, 0, 0, 0, 0, 0][..], &u64::MAX.to_le_bytes(), &[0; 100]].concat();
    assert!(error_of(0, 1, &[&key, &endless]).contains("beyond the end"));
    let number = [&key[..], &[4, 0, 0, 0, 1, 0, 0, 0]].concat();
    assert!(error_of(0, 2, &[&number, &number]).contains("the key 'key' is there twice"));
    for alignment in [0, 3, 33] {
        let number = [&text("general.alignment")[..], &[4, 0, 0, 0, alignment, 0, 0, 0]].concat();
        assert!(error_of(0, 1, &[&number]).contains("general.alignment is not a power of two"));
    }
}

#[test]
fn damaged_tensors_are_located() {
    assert!(error_of(u64::MAX, 0, &[]).contains("byte 24"));
    assert!(error_of(1, 0, &[&tensor("a", &[1; 5], 0, 0)]).contains("a tensor has 5 dimensions"));
    assert!(error_of(1, 0, &[&tensor("a", &[2], 4, 0)]).contains("'a' has the unknown type 4"));
    assert!(error_of(1, 0, &[&tensor("a", &[2], 0, 32)]).contains("'a' does not follow the one before"));
    assert!(error_of(2, 0, &[&tensor("a", &[9], 0, 0), &tensor("b", &[9], 0, 32)]).contains("'b' does not follow"));
    assert!(error_of(2, 0, &[&tensor("a", &[8], 0, 0), &tensor("a", &[8], 0, 32)]).contains("'a' is there twice"));
    assert!(error_of(1, 0, &[&tensor("a", &[33, 2], 8, 0)]).contains("no Q8_0 tensor has the shape [2, 33] of 'a'"));
    for shape in [&[u64::MAX, 2][..], &[1 << 32, 1 << 32], &[1 << 62], &[u64::MAX]] {
        assert!(error_of(1, 0, &[&tensor("a", shape, 0, 0)]).contains("no F32 tensor has the shape"), "{shape:?}");
    }
    let error = error_of(1, 0, &[&tensor("a", &[8], 0, 0), &[0; 10]]);
    assert!(error.contains("is 67 bytes long and its index promises 96"), "{error}");
}

#[test]
fn cut_files_are_refused_wherever_they_were_cut() {
    let bytes = fs::read(fixture("mixed.gguf")).unwrap();
    let whole = open(&bytes).unwrap();
    assert!(whole.read("no such tensor").unwrap_err().to_string().contains("has no tensor 'no such tensor'"));
    // The last tensor is 24 bytes long, and the padding behind it may be missing.
    let end = bytes.len() - 64 + 24;
    open(&bytes[..end]).unwrap();
    for length in 0..end {
        assert!(open(&bytes[..length]).is_err(), "{length}");
    }
}

#[test]
fn other_models_are_refused() {
    let error = GgufGpt2::new(GgufFile::open(&fixture("mixed.gguf")).unwrap()).unwrap_err().to_string();
    assert!(error.contains("mixed.gguf does not describe a GPT-2: its architecture is 'mixed'"), "{error}");
    let gpt2 = |replaced: &str, by: &str| {
        let mut bytes = fs::read(fixture("tied-f16.gguf")).unwrap();
        let at = bytes.windows(replaced.len()).position(|window| window == replaced.as_bytes()).unwrap();
        bytes[at..at + replaced.len()].copy_from_slice(by.as_bytes());
        GgufGpt2::new(open(&bytes).unwrap())
    };
    let error = gpt2("gpt2.block_count", "gpt2.block_couNt").unwrap_err().to_string();
    assert!(error.contains("'gpt2.block_count' is missing or no whole number"), "{error}");
    let error = gpt2("token_embd.weight", "token_embd.wEight").unwrap_err().to_string();
    assert!(error.contains("it has no tensor 'token_embd.weight'"), "{error}");
    // A tensor that no GPT-2 has keeps its name, for whoever accounts for the tensors.
    let file = gpt2("blk.0.attn_qkv.bias", "blk.0.attn_xyz.bias").unwrap();
    assert!(file.names().any(|name| name == "blk.0.attn_xyz.bias"));
    assert!(file.read("h.0.attn.c_attn.bias").unwrap_err().to_string().contains("has no tensor"));
}

fn error_of_writing(
    out: impl Write,
    precision: GgufPrecision,
    change: impl Fn(&mut GgufModel<'_>),
    edit: impl Fn(&str, &mut Vec<f32>),
) -> String {
    let (tokens, merges, parameters) = (tokens(), merges(), parameters("tied"));
    let mut model = model("tied", &tokens, &merges);
    change(&mut model);
    let fetch = |name: &str| {
        let mut values = parameters[name].1.clone();
        edit(name, &mut values);
        Ok::<_, GgufError>(values)
    };
    let error = write_gguf(out, Path::new("new.gguf"), &model, precision, fetch).unwrap_err().to_string();
    assert!(error.starts_with("cannot write new.gguf: "), "{error}");
    error
}

#[test]
fn models_that_contradict_themselves_are_not_written() {
    let error =
        |change: &dyn Fn(&mut GgufModel<'_>)| error_of_writing(std::io::sink(), GgufPrecision::F32, change, |_, _| {});
    assert!(error(&|model| model.sizes.vocab_size = 36).contains("37 tokens"));
    assert!(error(&|model| model.tokens = &model.tokens[..36]).contains("token 36 ends a text"));
    assert!(error(&|model| model.sizes.n_head = 1 << 40).contains("n_head = 1099511627776 is too large"));
    assert!(error(&|model| model.sizes.n_embd = usize::MAX / 2).contains("too large"));
    let other = GgufSizes { n_embd: 64, ..crate::gguf::sizes("tied") };
    let error = error(&|model| model.sizes = other.clone());
    assert!(error.contains("'wte.weight' has 1280 numbers and the model's sizes ask for 2560"), "{error}");
}

#[test]
fn numbers_that_do_not_fit_are_not_written() {
    for (precision, value, expected) in [
        (GgufPrecision::F16, 70_000.0, "'h.0.mlp.c_fc.weight' holds 70000, which F16 cannot hold"),
        (GgufPrecision::Q8_0, f32::NEG_INFINITY, "'h.0.mlp.c_fc.weight' holds -inf, which Q8_0 cannot hold"),
    ] {
        let edit = |name: &str, values: &mut Vec<f32>| {
            if name == "h.0.mlp.c_fc.weight" {
                values[100] = value;
            }
        };
        let error = error_of_writing(std::io::sink(), precision, |_| {}, edit);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_full_disk_is_named() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let error = error_of_writing(Full, GgufPrecision::F32, |_| {}, |_, _| {});
    assert!(error.contains("free space"), "{error}");
}
