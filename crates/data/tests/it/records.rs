//! Streams over files, folders and patterns.

use std::{fs, path::Path};

use gptune_data::{DataError, Dataset, ReadOptions, Records};

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}

/// A record for each output.
fn lines(outputs: &[&str]) -> String {
    let line = |output: &&str| format!("{{\"instruction\": \"a\", \"output\": \"{output}\"}}\n");
    outputs.iter().map(line).collect::<Vec<_>>().concat()
}

fn outputs(records: &mut Records) -> Vec<String> {
    let mut outputs = Vec::new();
    while let Some(chunk) = records.next_chunk().unwrap() {
        outputs.extend(chunk.into_iter().map(|one| one.entry.unwrap()["output"].as_str().unwrap().to_owned()));
    }
    outputs
}

fn open(path: &Path) -> Result<Records, DataError> {
    Records::open(path.to_str().unwrap())
}

#[test]
fn a_folder_is_its_data_files_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(path, "part-10.jsonl", &lines(&["d"]));
    write(path, "part-2.jsonl", &lines(&["b", "c"]));
    write(path, "a.csv", "instruction,output\nx,a\n");
    for other in ["README.md", ".hidden.jsonl", "dataset_info.json", "notes.txt"] {
        write(path, other, "no data");
    }
    fs::create_dir(path.join("more.jsonl")).unwrap();
    let mut records = open(path).unwrap();
    assert_eq!(outputs(&mut records), ["a", "b", "c", "d"]);
    assert_eq!((records.bytes_read(), records.bytes_total()), (records.bytes_total(), 3 * 36 + 23));
    assert_eq!(outputs(&mut open(&path.join("part-*.jsonl")).unwrap()), ["b", "c", "d"]);
    assert_eq!(outputs(&mut open(&path.join("part-[0-9].jsonl")).unwrap()), ["b", "c"]);
    assert_eq!(outputs(&mut records.again()), ["a", "b", "c", "d"]);
}

#[test]
fn a_file_whose_name_looks_like_a_pattern_wins() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a[1].jsonl", &lines(&["named"]));
    write(folder.path(), "a1.jsonl", &lines(&["matched"]));
    assert_eq!(outputs(&mut open(&folder.path().join("a[1].jsonl")).unwrap()), ["named"]);
    fs::remove_file(folder.path().join("a[1].jsonl")).unwrap();
    assert_eq!(outputs(&mut open(&folder.path().join("a[1].jsonl")).unwrap()), ["matched"]);
}

#[test]
fn places_that_name_nothing_say_what_is_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let message = |place: &Path| open(place).unwrap_err().to_string();
    let path = folder.path().display();
    write(folder.path(), "data.arrow", "x");
    assert!(message(folder.path()).starts_with(&format!("'{path}' is a folder without data; the files that are read")));
    assert_eq!(
        message(&folder.path().join("*.json")),
        format!("'{path}/*.json' matches no file; check the pattern and the folder that it stands for")
    );
    assert!(message(&folder.path().join("a[")).contains("is no pattern for files"));
    assert!(message(&folder.path().join("a.json")).contains("cannot read"));
}

#[test]
fn places_name_the_file_where_there_are_several() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.json", r#"[{"instruction": "a", "output": "b"}, 5]"#);
    write(folder.path(), "b.jsonl", &(lines(&["c"]) + "\n{}\n"));
    let options = ReadOptions { skip_bad: true, ..ReadOptions::default() };
    let data = Dataset::of_records(open(folder.path()).unwrap(), &options).unwrap();
    let places: Vec<String> = data.skipped.iter().map(|entry| entry.place.to_string()).collect();
    assert_eq!(places, ["a.json, entry 1", "b.jsonl, entry 1 (line 3)"]);
    assert_eq!(data.examples.iter().map(|example| example.place.nth).collect::<Vec<_>>(), [0, 2]);
    assert!(data.skipped[0].to_json("x").starts_with(r#"{"data": "x", "file": "a.json", "entry": 1, "problem""#));
    let message = Dataset::of_records(open(folder.path()).unwrap(), &ReadOptions::default()).unwrap_err().to_string();
    assert!(message.contains("2 of 4 entries cannot be used: a.json, entry 1: expected an object"), "{message}");
    // A fault of a whole file names it, and not the folder alone.
    write(folder.path(), "c.json", "[oops");
    let message = Dataset::of_records(open(folder.path()).unwrap(), &options).unwrap_err().to_string();
    assert!(message.contains("c.json is not valid JSON at line 1, column 2"), "{message}");
    write(folder.path(), "c.json", "");
    let message = Dataset::of_records(open(folder.path()).unwrap(), &options).unwrap_err().to_string();
    assert!(message.contains("c.json holds no examples"), "{message}");
}

#[test]
fn a_stream_ends_at_a_fault_and_begins_again() {
    let text = lines(&["a"]) + "[\n";
    let mut records = Records::of_bytes("x.json", format!("[{}, oops]", lines(&["a"]).trim()).into_bytes().into());
    assert_eq!(records.next_chunk().unwrap().unwrap().len(), 1);
    assert!(records.next_chunk().is_err());
    assert!(records.next_chunk().unwrap().is_none());
    let mut again = records.again();
    assert_eq!(again.next_chunk().unwrap().unwrap().len(), 1);
    let mut records = Records::of_bytes("x.jsonl", text.into_bytes().into());
    assert!(records.next_chunk().unwrap().unwrap()[1].entry.is_err());
}

#[test]
fn a_digest_is_that_of_the_bytes_as_they_are_stored() {
    let hex = |records: &Records| records.digest().unwrap().map(|byte| format!("{byte:02x}")).concat();
    // printf abc | sha256sum
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(hex(&Records::of_bytes("x", b"abc".as_slice().into())), abc);
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.json", "abc");
    assert_eq!(hex(&open(folder.path()).unwrap()), abc);
    write(folder.path(), "b.json", "abc");
    // (printf abc | openssl sha256 -binary; printf abc | openssl sha256 -binary) | sha256sum
    assert_eq!(hex(&open(folder.path()).unwrap()), "3b771ca97e3c17698aff21227fa046b5622a30d8ee5d2de4ee1111a1cdf258ee");
}

#[cfg(unix)]
#[test]
fn a_pipe_is_kept_to_be_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::write(pipe, lines(&["a", "b"])).unwrap()
    });
    let mut records = open(&pipe).unwrap();
    writer.join().unwrap();
    assert_eq!(outputs(&mut records), ["a", "b"]);
    assert_eq!(outputs(&mut records.again()), ["a", "b"]);
    assert_eq!(records.bytes_total(), 72);
}
