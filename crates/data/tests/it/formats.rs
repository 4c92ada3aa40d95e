//! The same records in every kind of file, and what is wrong with damaged ones.

use std::{borrow::Cow, fs, io::Write, path::Path};

use flate2::{Compression, write::GzEncoder};
use gptune_data::{DataError, Dataset, Record, Records};
use serde_json::{Map, Value};

type Entries = Vec<Map<String, Value>>;

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats").join(name)).unwrap()
}

fn examples() -> Entries {
    serde_json::from_slice(&fixture("examples.json")).unwrap()
}

/// The records of a file's bytes.
fn read(name: &str, bytes: impl Into<Cow<'static, [u8]>>) -> Result<Vec<Record>, DataError> {
    let mut records = Records::of_bytes(name, bytes.into());
    let mut all = Vec::new();
    while let Some(chunk) = records.next_chunk()? {
        all.extend(chunk);
    }
    assert!(records.next_chunk().unwrap().is_none(), "an end stays one");
    Ok(all)
}

fn entries(name: &str, bytes: impl Into<Cow<'static, [u8]>>) -> Entries {
    read(name, bytes).unwrap().into_iter().map(|record| record.entry.unwrap()).collect()
}

fn error(name: &str, bytes: impl Into<Cow<'static, [u8]>>) -> String {
    let error = read(name, bytes).unwrap_err().to_string();
    assert!(error.starts_with(name) && !error.contains('\n'), "{error}");
    error
}

/// Problems of the bad records, with their places.
fn problems(name: &str, bytes: impl Into<Cow<'static, [u8]>>) -> Vec<String> {
    let bad = read(name, bytes).unwrap();
    bad.into_iter().filter_map(|one| Some(format!("{}: {}", one.place, one.entry.err()?.0))).collect()
}

fn lines(entries: &Entries) -> Vec<u8> {
    entries.iter().flat_map(|entry| (serde_json::to_string(entry).unwrap() + "\n").into_bytes()).collect()
}

fn table(entries: &Entries, separator: char, end: &str) -> Vec<u8> {
    let mut text = ["instruction", "input", "output"].join(&separator.to_string()) + end;
    for entry in entries {
        let cell = |text: &Value| format!("\"{}\"", text.as_str().unwrap().replace('"', "\"\""));
        let cells: Vec<String> = entry.values().map(cell).collect();
        text += &(cells.join(&separator.to_string()) + end);
    }
    text.into_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

#[test]
fn the_same_records_are_read_from_every_format_and_compression() {
    let expected = examples();
    let array = serde_json::to_vec(&expected).unwrap();
    let texts: Vec<(&str, Vec<u8>)> = vec![
        ("a.json", array.clone()),
        ("pretty.json", serde_json::to_vec_pretty(&expected).unwrap()),
        ("mark.json", [b"\xef\xbb\xbf \n", &array[..]].concat()),
        ("wrapped.json", [b"{\"version\": 1, \"data\": ", &array[..], b"}"].concat()),
        ("a.jsonl", lines(&expected)),
        ("a.txt", lines(&expected)),
        ("crlf.ndjson", String::from_utf8(lines(&expected)).unwrap().replace('\n', "\r\n\r\n").into_bytes()),
        ("a.csv", table(&expected, ',', "\n")),
        ("a", table(&expected, ',', "\n")),
        ("mark.csv", [b"\xef\xbb\xbf", &table(&expected, ';', "\r\n")[..]].concat()),
        ("tabs.csv", table(&expected, '\t', "\n\n")),
        ("a.tsv", table(&expected, '\t', "\r\n")),
    ];
    for (name, text) in texts {
        assert_eq!(entries(name, text.clone()), expected, "{name}");
        assert_eq!(entries(&format!("{name}.gz"), gzip(&text)), expected, "{name} and gzip");
        assert_eq!(entries(&format!("{name}.zst"), zstd(&text)), expected, "{name} and zstd");
        // Compressed in two parts, and with a name that says nothing of it.
        let [first, second] = [&text[..text.len() / 2], &text[text.len() / 2..]];
        assert_eq!(entries(name, [gzip(first), gzip(second)].concat()), expected, "{name} and two of gzip");
        assert_eq!(entries(name, [zstd(first), zstd(second)].concat()), expected, "{name} and two of zstd");
    }
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_of_every_codec_and_page_is_read() {
    for name in ["snappy", "zstd", "gzip", "plain", "large"] {
        assert_eq!(entries(name, fixture(&format!("{name}.parquet"))), examples(), "{name}");
    }
    let message = error("a.parquet", fixture("brotli.parquet"));
    assert!(message.contains("because of its compression: what is read is none, Snappy, gzip and zstd"), "{message}");
}

#[cfg(feature = "parquet")]
#[test]
fn lists_of_structs_in_parquet_are_arrays_of_objects() {
    let expected: Entries = serde_json::from_slice(&fixture("nested.json")).unwrap();
    assert_eq!(entries("nested.parquet", fixture("nested.parquet")), expected);
}

#[cfg(feature = "parquet")]
#[test]
fn every_kind_of_column_has_a_value() {
    let rows = entries("kinds.parquet", fixture("kinds.parquet"));
    let lines: Vec<String> = rows.into_iter().map(|row| gptune_json::to_line(&Value::Object(row))).collect();
    assert_eq!(
        lines,
        [
            r#"{"flag": true, "small": -1, "unsigned": 18446744073709551615, "half": 0.5, "float": 0.25, "double": 1e+300, "bytes": "text", "day": "2024-02-29", "time": "2024-02-29 12:30:00.000 +00:00", "money": -0.05, "word": "a", "map": {"k": 1}, "nothing": null}"#,
            r#"{"flag": null, "small": 2, "unsigned": 0, "half": 1.5, "float": NaN, "double": -Infinity, "bytes": "\u00e9", "day": null, "time": null, "money": 12.3, "word": "a", "map": {}, "nothing": null}"#,
        ]
    );
}

#[cfg(feature = "parquet")]
#[test]
fn columns_that_are_no_text_are_named() {
    assert_eq!(problems("x", fixture("binary.parquet")), ["entry 1: 'image' holds bytes that are no text in UTF-8"]);
    assert_eq!(problems("x", fixture("keys.parquet")), ["entry 0: 'map' is a map whose keys are no texts"]);
    assert_eq!(
        error("x.parquet", fixture("not-utf8.parquet")),
        "x.parquet is damaged: entry 1 of this Parquet file cannot be read in the column 'output', because a text is not \
         UTF-8; fetch or write it again"
    );
}

#[cfg(not(feature = "parquet"))]
#[test]
fn a_build_without_parquet_says_so() {
    let message = error("a.parquet", fixture("snappy.parquet"));
    assert!(message.contains("which this build does not read; build it with the feature 'parquet'"), "{message}");
}

#[cfg(feature = "parquet")]
#[test]
fn cut_parquet_is_one_sentence() {
    let whole = fixture("snappy.parquet");
    for length in (4..whole.len()).step_by(97) {
        let message = error("a.parquet", whole[..length].to_vec());
        assert!(message.contains("table of contents at the end of this Parquet file cannot be read"), "{message}");
    }
    // Its data are gone, and its table of contents is there.
    let mut hollow = whole;
    let middle = hollow.len() / 4;
    hollow[4..middle].fill(0xff);
    let message = error("a.parquet", hollow);
    assert!(message.contains("entry 0 of this Parquet file cannot be read in the column 'instruction'"), "{message}");
    let packed = error("a.parquet.gz", gzip(&fixture("snappy.parquet")));
    assert!(packed.contains("is a Parquet file inside gzip; unpack it with `gunzip`"), "{packed}");
}

#[test]
fn cut_streams_are_one_sentence() {
    let text = lines(&examples());
    for (name, whole) in [("a.jsonl.gz", gzip(&text)), ("a.jsonl.zst", zstd(&text))] {
        let message = error(name, whole[..whole.len() / 2].to_vec());
        let packing = if name.ends_with("gz") { "gzip" } else { "zstd" };
        assert!(message.contains(&format!("is damaged: it ends within its {packing} stream, after ")), "{message}");
        let mut wrong = whole.clone();
        let at = wrong.len() - 6;
        wrong[at] ^= 0x55;
        let message = error(name, wrong);
        assert!(message.contains("is damaged: ") && message.contains("fetch or write it again"), "{message}");
    }
    let message = error("a.json", &b"[{\"instruction\": \"a\"},\n {\"instruction\": \"b\""[..]);
    assert!(message.contains("line 2, column 20: EOF while parsing an object"), "{message}");
    let message = error("a.csv", &b"instruction,output\na,b\n\nc,\"d\ne,f\n"[..]);
    assert_eq!(
        message,
        "a.csv is damaged: the quote that is opened in line 4 is never closed; close it, or fetch or write it again"
    );
    assert!(error("a.csv", &b"instruction,\"output\n"[..]).contains("opened in line 1 is never closed"));
}

#[test]
fn what_unpacks_to_too_much_is_refused() {
    let line = b"{\"instruction\": \"a\", \"output\": \"b\"}\n";
    let text = line.repeat((80 << 20) / line.len());
    for (name, packed) in [("a.gz", gzip(&vec![b' '; 80 << 20])), ("a.zst", zstd(&text))] {
        let message = error(name, packed);
        assert!(
            message.contains("unpack to more than 500 times as much") && message.contains("if they are meant"),
            "{message}"
        );
    }
    // Not before some megabytes: a short file of one record again and again is one.
    assert_eq!(entries("b.zst", zstd(&line.repeat(100_000))).len(), 100_000);
}

#[test]
fn rows_of_another_length_are_bad_entries_with_their_lines() {
    for end in ["\n", "\r\n", "\n\n"] {
        let text = "instruction,input,output\na,\"b\n\nb\",c\nd,e\n\nf,g,h,i\n,,\n".replace('\n', end);
        let blank = end.len() > 1 && end != "\r\n";
        let expected = if blank {
            ["entry 1 (line 9): ", "entry 2 (line 13): "]
        } else {
            ["entry 1 (line 5): ", "entry 2 (line 7): "]
        };
        let problems = problems("a.csv", text.clone().into_bytes());
        assert_eq!(problems[0], expected[0].to_owned() + "has 2 fields, and the first line names 3 columns");
        assert_eq!(problems[1], expected[1].to_owned() + "has 4 fields, and the first line names 3 columns");
        let records = read("a.csv", text.into_bytes()).unwrap();
        assert_eq!(records[0].entry.as_ref().unwrap()["input"], format!("b{end}{end}b"));
        assert_eq!(records[1].entry.as_ref().unwrap_err().1, serde_json::json!(["d", "e"]));
        assert!(records[3].entry.as_ref().unwrap().values().all(|cell| cell == ""));
    }
}

#[test]
fn values_of_a_table_stay_texts() {
    let rows = entries("a.csv", &b"instruction,output,score\n007,1e5,NaN\n5\" pipe,\"a \"\"b\"\"\",\n"[..]);
    assert_eq!(
        serde_json::to_string(&rows).unwrap(),
        r#"[{"instruction":"007","output":"1e5","score":"NaN"},{"instruction":"5\" pipe","output":"a \"b\"","score":""}]"#
    );
}

#[test]
fn headers_that_cannot_be_used_are_named() {
    let message = error("a.csv", &b"question|answer\na|b\n"[..]);
    assert!(
        message.contains("a single column, 'question|answer'; neither ',' nor ';' nor a tab separates it"),
        "{message}"
    );
    assert_eq!(entries("a.csv", &b"text\nsome text\n"[..])[0]["text"], "some text");
    let message = error("a.csv", &b"input,output,input\na,b,c\n"[..]);
    assert!(message.contains("two of its columns are called 'input'"), "{message}");
    assert!(read("a.csv", &b"instruction,output\n"[..]).unwrap().is_empty());
    assert!(matches!(read("a.csv", &b" \n"[..]).unwrap_err(), DataError::Empty { .. }));
    // Within quotes nothing separates, and of two the more frequent does.
    assert_eq!(
        entries("a.csv", &b"\"a,b,c\";d\n1;2,5\n"[..])[0],
        serde_json::from_str(r#"{"a,b,c":"1","d":"2,5"}"#).unwrap()
    );
    assert_eq!(entries("a.tsv", &b"a,b,c\td\n1\t2\n"[..])[0]["a,b,c"], "1");
}

#[test]
fn what_is_no_data_is_named_with_its_remedy() {
    let mut tar = vec![b'x'; 600];
    tar[257..262].copy_from_slice(b"ustar");
    for (bytes, expected) in [
        (b"PK\x03\x04....xl/workbook.xml".to_vec(), "a spreadsheet (.xlsx); save it as CSV"),
        (b"PK\x03\x04....data.json".to_vec(), "a zip archive or a spreadsheet"),
        (b"ARROW1\0\0".to_vec(), "an Arrow file; save it as JSON Lines"),
        (b"\xff\xff\xff\xff\x10".to_vec(), "an Arrow stream"),
        (b"FEA1".to_vec(), "a Feather file"),
        (b"SQLite format 3\0".to_vec(), "an SQLite database; save a table of it as CSV"),
        (tar.clone(), "a tar archive; unpack it"),
        (gzip(&tar), "a tar archive; unpack it"),
        (gzip(&gzip(b"[]")), "compressed twice; unpack it once, with `gunzip`"),
        (b"BZh9".to_vec(), "bunzip2"),
        (b"\x80\x05".to_vec(), "a pickle"),
        (b"<html>".to_vec(), "a web page"),
        (gzip(b"[\xff]"), "not UTF-8 (the byte 1, in line 1)"),
    ] {
        let message = error("data.json", bytes);
        assert!(message.starts_with(&format!("data.json is {expected}")) || message.contains(expected), "{message}");
    }
    assert!(error("x.parquet", &b"oops"[..]).contains("no Parquet file, whatever its name says"));
}

#[test]
fn tables_are_data_sets_too() {
    let data = Dataset::parse("data.json", b"instruction,input,output\na,b,c\nd,,e\n").unwrap();
    assert_eq!(
        data.examples.iter().map(|example| (example.input(), example.place.line)).collect::<Vec<_>>(),
        [("b", Some(2)), ("", Some(3))]
    );
}

#[test]
fn long_files_are_read_over_the_borders_of_blocks() {
    let long = |n: usize| format!("{n} é\\\" ],[ {}\n\n", "x, ".repeat(n % 977));
    let expected: Entries = (0..20_000)
        .map(|n| [("instruction", long(n)), ("input", String::new()), ("output", n.to_string())])
        .map(|entry| entry.into_iter().map(|(key, text)| (key.to_owned(), Value::from(text))).collect())
        .collect();
    let array = serde_json::to_vec_pretty(&expected).unwrap();
    assert!(array.len() > 20 << 20);
    assert!(entries("a.json", array.clone()) == expected);
    assert!(entries("a.jsonl.gz", gzip(&lines(&expected))) == expected);
    let cells = table(&expected, ',', "\r\n");
    assert!(entries("a.csv", cells.clone()) == expected);
    // The places of faults, far behind.
    let short = [&cells[..], b"1,2\n"].concat();
    let expected =
        format!("entry 20000 (line {}): has 2 fields, and the first line names 3 columns", line_ends(&cells) + 1);
    assert_eq!(problems("a.csv", short), [expected]);
    let at = array.len() - 3;
    let mut broken = array;
    broken[at] = b'?';
    let line = line_ends(&broken[..at]) + 1;
    let message = error("a.json", broken);
    assert!(message.contains(&format!("not valid JSON at line {line}, column 3: ")), "{message}");
}

fn line_ends(text: &[u8]) -> usize {
    std::str::from_utf8(text).unwrap().matches('\n').count()
}

#[test]
fn a_record_that_never_ends_is_refused() {
    let long = "x".repeat(70 << 20);
    let first = "[{\"instruction\": \"a\"},\n";
    let message = error("a.json", format!("{first}{{\"instruction\": \"{long}\"}}]").into_bytes());
    assert!(message.contains("entry 1, which starts in line 2, is longer than 64 MB"), "{message}");
    let message = error("a.jsonl", format!("{{}}\n{{}}\n{{\"instruction\": \"{long}\"}}\n").into_bytes());
    assert!(message.contains("entry 2, which starts in line 3, is longer than 64 MB"), "{message}");
    let message = error("a.csv", format!("a,b\n1,{long}\n").into_bytes());
    assert!(message.contains("entry 0, which starts in line 2, is longer than 64 MB"), "{message}");
    let message = error("a.csv", format!("a,b\n1,2\n1,\"{long}\n").into_bytes());
    assert!(message.contains("opened in line 3 is never closed"), "{message}");
}
