//! Checkpoints of torch, in both layouts: names, shapes and every number.

mod faults;
mod fuzz;
mod writing;

use std::{collections::BTreeMap, fs, path::Path};

use gptune_weights::PickleFile;

use crate::fixture;

/// Shape and numbers of every tensor of floats, by name.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

fn open(name: &str) -> PickleFile {
    PickleFile::open(&fixture("pickle").join(name)).unwrap()
}

/// What torch says of the checkpoint that was saved under this name.
fn expected(name: &str) -> Tensors {
    let text = fs::read(fixture("pickle/expected.json")).unwrap();
    let mut all: BTreeMap<String, Tensors> = serde_json::from_slice(&text).unwrap();
    all.remove(name).unwrap()
}

fn assert_holds(file: &PickleFile, tensors: &Tensors) {
    for (name, (shape, values)) in tensors {
        assert_eq!(file.shape(name), Some(&shape[..]), "{name} in {file:?}");
        assert_eq!(&file.read(name).unwrap(), values, "{name} in {file:?}");
    }
}

fn assert_holds_only(file: &PickleFile, tensors: &Tensors) {
    assert!(file.names().eq(tensors.keys()), "{file:?}: {:?}", file.names().collect::<Vec<_>>());
    assert_holds(file, tensors);
}

#[test]
fn the_books_state_dict_is_read() {
    let tensors = expected("book");
    assert!(tensors.contains_key("trf_blocks.1.att.mask") && tensors["tok_emb.weight"].0 == [11, 8]);
    for name in ["book.pth", "book.legacy.pth"] {
        assert_holds_only(&open(name), &tensors);
    }
}

#[test]
fn transformers_state_dict_is_read() {
    let tensors = expected("pytorch_model");
    // Tied: two tensors of one storage.
    assert_eq!(tensors["transformer.wte.weight"], tensors["lm_head.weight"]);
    for name in ["pytorch_model.bin", "pytorch_model.legacy.bin"] {
        assert_holds_only(&open(name), &tensors);
    }
}

#[test]
fn state_dict_is_found_beside_other_things() {
    for name in ["nested", "protocol4", "protocol5"] {
        let tensors = expected(name);
        assert_holds_only(&open(&format!("{name}.pth")), &tensors);
        assert_holds_only(&open(&format!("{name}.legacy.pth")), &tensors);
    }
    // An archive of another name, from a torch that noted no byte order.
    assert_holds_only(&open("renamed.pth"), &expected("nested"));
}

#[test]
fn types_views_and_shared_storages_are_read() {
    let tensors = expected("mixed");
    assert_eq!(tensors.len(), 16);
    for name in ["mixed.pth", "mixed.legacy.pth"] {
        let file = open(name);
        assert_holds(&file, &tensors);
        // Keys that are no text and values that are no tensors are passed over.
        assert_eq!(file.names().count(), tensors.len() + 6, "{name}");
        for (tensor, dtype) in [
            ("int64", "int64"),
            ("bool", "bool"),
            ("uint16", "uint16"),
            ("complex", "complex64"),
            ("float8", "float8_e4m3fn"),
        ] {
            let error = file.read(tensor).unwrap_err().to_string();
            assert!(error.contains(&format!("'{tensor}' holds {dtype}; weights have to be float32")), "{error}");
        }
        assert_eq!(file.shape("repeated"), Some(&[5, 3][..]));
        let error = file.read("repeated").unwrap_err().to_string();
        assert!(error.contains("'repeated' repeats the numbers of its storage"), "{error}");
        let error = file.read("text").unwrap_err().to_string();
        assert!(error.contains("has no tensor 'text'"), "{error}");
    }
}

#[test]
fn bytes_in_memory_are_read_as_files_are() {
    for name in ["book.pth", "book.legacy.pth"] {
        let bytes = fs::read(fixture("pickle").join(name)).unwrap();
        let file = PickleFile::from_bytes(Path::new("a name"), bytes).unwrap();
        assert_eq!(file.path(), Path::new("a name"));
        assert_holds_only(&file, &expected("book"));
    }
}
