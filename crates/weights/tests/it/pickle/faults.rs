//! Harmful and damaged checkpoints: each is an error that names what is wrong, and nothing is run.

use std::{fs, path::Path};

use gptune_weights::PickleFile;

use crate::fixture;

fn error_in(name: &str) -> String {
    PickleFile::open(&fixture("pickle").join(name)).unwrap_err().to_string()
}

/// A checkpoint of the older layout that holds what the pickle makes, and no storages.
fn checkpoint(pickle: &[u8]) -> Vec<u8> {
    [
        &b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03."[..],
        b"\x80\x02}X\x0d\0\0\0little_endian\x88s.\x80\x02",
        pickle,
        b".\x80\x02].",
    ]
    .concat()
}

fn error_of(bytes: Vec<u8>) -> String {
    PickleFile::from_bytes(Path::new("model.pth"), bytes).unwrap_err().to_string()
}

#[test]
fn classes_that_are_not_on_the_list_are_refused_by_name() {
    for (name, class) in [
        ("os_system", "os.system"),
        ("posix_system", "posix.system"),
        // Protocol 2 to 4 write the name that a class has in Python 2 or 3.
        ("eval", "builtins.eval"),
        ("getattr", "builtins.getattr"),
        ("numpy", "numpy._core.multiarray.scalar"),
        ("load_from_bytes", "torch.storage._load_from_bytes"),
    ] {
        let error = error_in(&format!("evil/{name}.pth"));
        assert!(error.contains(&format!("asks for class `{class}` at byte")), "{error}");
        assert!(error.contains(&format!("{name}.pth")), "{error}");
    }
    let error = error_in("evil/import_by_inst.pth");
    assert!(error.contains("has the pickle instruction 0x69 at byte"), "{error}");
    // A name is shown, not sent to the terminal.
    let error = error_of(checkpoint(b"c\x1b[2Jos\nsystem\n"));
    assert!(error.contains(r"`\u{1b}[2Jos.system` at byte 47"), "{error}");
}

#[test]
fn circles_and_shared_objects_cost_nothing() {
    for (name, tensor) in [("circle", "a"), ("billion_laughs", "a")] {
        let file = PickleFile::open(&fixture("pickle/evil").join(name).with_extension("pth")).unwrap();
        assert_eq!(file.read(tensor).unwrap(), [-1.5, -1.375, -1.25, -1.125, -1.0, -0.875]);
    }
    let error = error_in("evil/loop.pth");
    assert!(error.contains("holds no state dict: its outermost object is a list"), "{error}");
}

#[test]
fn deep_nesting_is_no_recursion() {
    const DEPTH: usize = 100_000;
    let lists = [vec![b']'; DEPTH], vec![b'a'; DEPTH - 1]].concat();
    let tuples = [vec![b')'; 1], vec![0x85; DEPTH]].concat();
    let marks = [vec![b'('; DEPTH], vec![b't'; DEPTH]].concat();
    let dicts = [b"}K\0".repeat(DEPTH), vec![b'}'; 1], vec![b's'; DEPTH]].concat();
    for (pickle, kind) in [(lists, "a list"), (tuples, "a tuple"), (marks, "a tuple"), (dicts, "a dictionary")] {
        let alone = error_of(checkpoint(&pickle));
        let found = if kind == "a dictionary" { "its dictionary holds no tensor" } else { kind };
        assert!(alone.contains(found), "{alone}");
        let inside = error_of(checkpoint(&[b"}X\x04\0\0\0deep", &pickle[..], b"s"].concat()));
        assert!(inside.contains("no tensor (first keys: 'deep')"), "{inside}");
    }
    let error = error_of(checkpoint(&vec![b']'; 1 << 22]));
    assert!(error.contains("more than 2097152 instructions"), "{error}");
}

#[test]
fn tensors_that_do_not_fit_their_storage_are_refused() {
    for (name, problem) in [
        ("overflowing_shape", "has the impossible shape [4611686018427387904, 4611686018427387904]"),
        ("overflowing_stride", "reaches beyond the 6 numbers"),
        ("huge_shape", "reaches beyond the 6 numbers"),
        ("huge_integer", "has a shape that is none"),
        ("negative_shape", "has a shape that is none"),
        ("negative_stride", "has strides that are none"),
        ("offset_past_the_end", "reaches beyond the 6 numbers"),
        ("huge_offset", "reaches beyond the 6 numbers"),
        ("shape_of_text", "has a shape that is none"),
        ("ragged", "has a shape and strides of different lengths"),
        ("many_axes", "has 65 axes"),
        ("no_such_storage", "has no storage in the file"),
        ("storage_of_another_folder", "has no storage in the file"),
        ("storage_too_long", "has a storage that was cut"),
        ("storage_overflowing", "has a storage that was cut"),
    ] {
        let error = error_in(&format!("evil/{name}.pth"));
        assert!(error.contains(&format!("tensor 'bad' {problem}")), "{name}: {error}");
    }
    for (name, problem) in [
        ("storage_negative", "the id of a storage is none"),
        ("storage_view", "the id of a storage is none"),
        ("tensor_without_storage", "TensorV2 is given arguments"),
        ("negative_offset", "TensorV2 is given arguments"),
        ("negated", "TensorV2 is given arguments"),
    ] {
        let error = error_in(&format!("evil/{name}.pth"));
        assert!(error.contains("is damaged at byte") && error.contains(problem), "{name}: {error}");
    }
    let error = error_in("evil/twice.pth");
    assert!(error.contains("tensor 'a' is there twice"), "{error}");
    // More numbers than the file has: no memory is asked for.
    let file = PickleFile::open(&fixture("pickle/evil/endless_zeros.pth")).unwrap();
    assert_eq!(file.shape("bad"), Some(&[1 << 62][..]));
    assert!(file.read("bad").unwrap_err().to_string().contains("repeats the numbers of its storage"));
    assert_eq!(file.read("good").unwrap().len(), 6);
}

#[test]
fn other_files_are_named() {
    for junk in [&b""[..], b"short", b"version https://git-lfs.github.com/spec/v1", b"\x80\x04}.", &[255; 64]] {
        let error = error_of(junk.to_vec());
        assert!(error.contains("model.pth is not a checkpoint of torch.save: it starts neither like"), "{error}");
    }
    let error = error_in("no_pickle.pth");
    assert!(error.contains("it is a zip archive without an entry data.pkl"), "{error}");
    let error = error_in("deflated.pth");
    assert!(error.contains("has a compressed or encrypted entry, 'nested/data.pkl'"), "{error}");
    let error = error_in("big_endian.pth");
    assert!(error.contains("was saved on a big-endian machine"), "{error}");
    let error = error_in("evil/only_a_tensor.pth");
    assert!(error.contains("its outermost object is a single tensor without a name"), "{error}");
    let error = error_in("evil/no_tensors.pth");
    assert!(error.contains("holds no tensor (first keys: 'net', 'epoch')"), "{error}");
    let error = error_in("no/such/file.pth");
    assert!(error.contains("cannot read") && error.contains("file.pth"), "{error}");
    // A pickle without torch's magic number, whose class is still the news.
    let error = error_of(b"\x80\x04cos\nsystem\n.".to_vec());
    assert!(error.contains("`os.system`"), "{error}");
}

#[test]
fn pickles_that_make_no_sense_are_refused() {
    for (pickle, problem) in [
        (&b"0"[..], "a value is missing"),
        (b"t", "a mark is missing"),
        (b"N(\x85", "a value is missing"),
        (b"NNa", "None is appended to"),
        (b"}NN\x86e", "a mark is missing"),
        (b"}(Nu", "a key has no value"),
        (b"](NNu", "a list is given keys"),
        (b"h\x05", "value 5 is asked for before it is there"),
        (b"j\xff\xff\xff\xff", "value 4294967295 is asked for"),
        (b"N)R", "something that is not a class is called"),
        (b"ctorch\nSize\n)R", "Size is given arguments"),
        (b"ctorch\nFloatStorage\n)R", "Storage(F32) is given arguments"),
        (b"NNb", "None is given attributes"),
        (b"NN\x93", "the name of a class is no text"),
        (b"NQ", "the id of a storage is no tuple"),
        (b"ctorch", "a name has no end"),
        (b"X\xff\xff\xff\xff", "4294967295 bytes are due"),
        (b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff", "bytes are due"),
        (b"\x80\x06", "has a pickle of protocol 6"),
        (b"\xff", "has the pickle instruction 0xff at byte 47"),
    ] {
        let error = error_of(checkpoint(pickle)[..47 + pickle.len()].to_vec());
        assert!(error.contains(problem), "{}: {error}", pickle.escape_ascii());
    }
}

#[test]
fn cut_files_are_refused_wherever_they_end() {
    for name in ["mixed.pth", "mixed.legacy.pth", "protocol4.legacy.pth"] {
        let bytes = fs::read(fixture("pickle").join(name)).unwrap();
        for length in 0..bytes.len() {
            let error = error_of(bytes[..length].to_vec());
            assert!(error.contains("is damaged at byte") || error.contains("not a checkpoint"), "{length}: {error}");
        }
    }
}
