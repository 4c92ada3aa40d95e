//! Damaged data and tokenizers are read, or are errors; nothing else happens. `GPTUNE_FUZZ` sets how many of each.

use std::{fs, path::Path};

use gptune_data::{DataError, Dataset, ReadOptions, Records, Tokenizer};
use serde_json::Value;

/// Marsaglia's xorshift with 64 bits.
struct XorShift(u64);

impl XorShift {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`, or 0.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }
}

fn runs(few: usize) -> usize {
    std::env::var("GPTUNE_FUZZ").map_or(few, |runs| runs.parse().expect("GPTUNE_FUZZ is a number of files"))
}

/// What has been mistaken for something else in JSON.
const PIECES: [&[u8]; 18] = [
    b"NaN",
    b"-Infinity",
    b"\\ud83d",
    b"\\udc00",
    b"\"",
    b"\\",
    b"null",
    b"[",
    b"]",
    b"{",
    b"}",
    b",",
    b":",
    b"\n",
    b"1e400",
    b"\xff",
    b"18446744073709551616",
    "\u{10fffe}".as_bytes(),
];

fn damage(bytes: &mut Vec<u8>, random: &mut XorShift) {
    let start = random.below(bytes.len());
    let stop = (start + 1 + random.below(24)).min(bytes.len());
    match random.below(6) {
        0 if start < stop => bytes[start] ^= 1 << random.below(8),
        1 => bytes.truncate(start),
        2 => drop(bytes.drain(start..stop)),
        3 => {
            let copy = bytes[start..stop].to_vec();
            let to = random.below(bytes.len());
            bytes.splice(to..to, copy);
        }
        _ => drop(
            bytes.splice(start..stop.min(start + random.below(4)), PIECES[random.below(PIECES.len())].iter().copied()),
        ),
    }
}

#[test]
fn damaged_data_never_panic() {
    let seeds: [&[u8]; 5] = [
        br#"[{"instruction":"a","input":null,"output":"b","x":NaN},{"instruction":"c \ud83d\ude00","output":"d"},{"output":3}]"#,
        b"{\"instruction\":\"a\",\"output\":\"b\"}\n{\"instruction\":\"c\",\"output\":\"\\udc00\"}\n\n[1]\n",
        br#"{"data": [{"instruction":"a","output":"b","score":-Infinity}], "version": 1.5}"#,
        b"\xef\xbb\xbf{\n \"instruction\": \"a\",\n \"output\": \"b\"\n}",
        br#"[{"messages":[{"role":"user","content":"hi"}]},{"messages":[]}]"#,
    ];
    let count = runs(20_000);
    let mut random = XorShift(0x9e37_79b9_7f4a_7c15);
    let (mut read, mut examples) = (0, 0);
    for run in 0..count {
        let mut bytes = seeds[run % seeds.len()].to_vec();
        for _ in 0..=random.below(4) {
            damage(&mut bytes, &mut random);
        }
        let options = ReadOptions { skip_bad: random.below(2) == 0, questions: random.below(2) == 0, shape: None };
        match Dataset::parse_with("damaged.json", &bytes, &options) {
            Ok(dataset) => {
                read += 1;
                for example in &dataset.examples {
                    examples += 1;
                    let written = gptune_json::to_lines(&Value::Object(example.entry.clone()));
                    // What is written is read again as the same.
                    let again = Dataset::parse_with("again.json", format!("[{written}]").as_bytes(), &options).unwrap();
                    assert_eq!(again.examples[0].entry, example.entry, "{written}");
                }
                for entry in &dataset.skipped {
                    assert!(!entry.to_json("damaged.json").contains('\n'));
                }
            }
            Err(error) => assert!(error.to_string().contains("damaged.json"), "{error}"),
        }
    }
    println!("{count} damaged files of data: {read} read, {examples} examples");
    assert!(read > 0 && read < count);
}

/// Values of an array or lines, or the fault: all that a file says.
fn stream(name: &str, bytes: &[u8]) -> (Vec<Value>, Option<DataError>) {
    let mut records = Records::of_bytes(name, bytes.to_vec().into());
    let mut values = Vec::new();
    loop {
        match records.next_chunk() {
            Ok(Some(chunk)) => values.extend(chunk.into_iter().map(|record| match record.entry {
                Ok(entry) => Value::Object(entry),
                Err((_, value)) => value,
            })),
            Ok(None) => return (values, None),
            Err(fault) => return (values, Some(fault)),
        }
    }
}

#[test]
fn damaged_arrays_are_read_and_faulted_as_if_they_were_parsed_whole() {
    let seeds: [&[u8]; 3] = [
        b"[{\"a\":\"b\\\"],\",\"x\":NaN},\n {\"c\":[1,{\"d\":\"]}\\u00e9\"}],\"e\":-2.5e3} , [] ,\n7]\n",
        b" [ ]  ",
        "[{\"é\": \"\\ud83d\"}, 18446744073709551616,\n\n\"x\", null, [[[]]], {}]".as_bytes(),
    ];
    let count = runs(40_000);
    let mut random = XorShift(0x1234_5678_9abc_def1);
    let (mut read, mut faulted) = (0, 0);
    for run in 0..count {
        let mut bytes = seeds[run % seeds.len()].to_vec();
        for _ in 0..=random.below(3) {
            damage(&mut bytes, &mut random);
        }
        if bytes.trim_ascii_start().first() != Some(&b'[') || std::str::from_utf8(&bytes).is_err() || bytes.contains(&0)
        {
            continue;
        }
        let text = String::from_utf8_lossy(&bytes);
        let (values, fault) = stream("x.json", &bytes);
        match (gptune_json::read::<Vec<Value>>(&bytes), fault) {
            (Ok(whole), None) => {
                read += 1;
                assert_eq!(values, whole, "{text}");
            }
            (Err(whole), Some(DataError::Json { line, column, message, .. })) => {
                faulted += 1;
                assert_eq!((line, column, message), (whole.line, whole.column, whole.message), "{text}");
            }
            (whole, fault) => panic!("{text}: {whole:?} {fault:?}"),
        }
    }
    println!("{count} damaged arrays: {read} read, {faulted} faulted");
    assert!(read > 0 && faulted > 0);
}

#[test]
fn damaged_files_of_every_format_never_panic() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats");
    let fixture = |name: &str| fs::read(fixtures.join(name)).unwrap();
    let table = b"instruction,input,output\r\na,\"b\n\"\"c\"\"\",d\r\n\r\ne,,f\n1,2\n".to_vec();
    let lines = b"{\"instruction\":\"a\",\"output\":\"b\"}\n".repeat(9);
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut encoder, &lines).unwrap();
        encoder.finish().unwrap()
    };
    let mut seeds = vec![
        ("damaged.csv", table.clone()),
        ("damaged.tsv", table.iter().map(|byte| if *byte == b',' { b'\t' } else { *byte }).collect()),
        ("damaged.jsonl.gz", gzip),
        ("damaged.jsonl.zst", zstd::encode_all(&lines[..], 1).unwrap()),
    ];
    let parquet = ["snappy", "zstd", "gzip", "plain", "nested", "kinds", "binary", "keys"];
    seeds.extend(parquet.map(|name| ("damaged.parquet", fixture(&format!("{name}.parquet")))));
    let count = runs(6_000);
    let mut random = XorShift(0xfeed_beef_1234_5671);
    let (mut read, mut records) = (0, 0);
    for run in 0..count {
        let (name, bytes) = &seeds[run % seeds.len()];
        let mut bytes = bytes.clone();
        for _ in 0..=random.below(3) {
            damage(&mut bytes, &mut random);
        }
        let (values, fault) = stream(name, &bytes);
        records += values.len();
        match fault {
            None => read += 1,
            Some(fault) => {
                let fault = fault.to_string();
                assert!(fault.contains("damaged.") && !fault.contains('\n') && fault.len() < 1000, "{fault}");
            }
        }
    }
    println!("{count} damaged files: {read} read, {records} records");
    assert!(read > 0 && read < count);
}

#[test]
fn damaged_tokenizers_never_panic() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/own_tokenizers");
    let kinds: [(&str, &[&str]); 2] =
        [("json", &["tokenizer.json", "tokenizer_config.json"]), ("tables", &["vocab.json", "merges.txt"])];
    let seeds = kinds.map(|(kind, files)| {
        files.iter().map(|file| (*file, fs::read(fixtures.join(kind).join(file)).unwrap())).collect::<Vec<_>>()
    });
    let folders = kinds.map(|_| tempfile::tempdir().unwrap());
    let count = runs(20_000);
    let mut random = XorShift(0x2545_f491_4f6c_dd1d);
    let (mut read, mut encoded) = (0, 0);
    for run in 0..count {
        let (files, folder) = (&seeds[run % 2], folders[run % 2].path());
        let damaged = random.below(files.len());
        for (index, (file, bytes)) in files.iter().enumerate() {
            let mut bytes = bytes.clone();
            if index == damaged {
                (0..=random.below(3)).for_each(|_| damage(&mut bytes, &mut random));
            }
            fs::write(folder.join(file), bytes).unwrap();
        }
        if let Ok(Some(tokenizer)) = Tokenizer::read(folder) {
            read += 1;
            for text in ["The capital of France<|end|>", "日本 \n\n x"] {
                if let Ok(ids) = tokenizer.encode_special(text) {
                    encoded += 1;
                    tokenizer.decode(&ids).unwrap();
                }
            }
        }
    }
    println!("{count} damaged tokenizers: {read} read, {encoded} texts encoded");
    assert!(read > 0 && read < count);
}
