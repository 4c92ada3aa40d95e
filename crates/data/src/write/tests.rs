use serde_json::json;

use super::*;
use crate::Records;

fn rows(values: &[Value]) -> Vec<Row> {
    let row = |(index, value): (usize, &Value)| {
        let place = Place { index, nth: index, ..Place::default() };
        (place, value.as_object().unwrap().clone())
    };
    values.iter().enumerate().map(row).collect()
}

fn write(path: &Path, values: &[Value]) -> Result<usize, DataError> {
    write_records(path, || {
        let mut rows = Some(rows(values));
        move || Ok(rows.take())
    })
}

fn read(path: &Path) -> Vec<Value> {
    let mut records = Records::open(&path.display().to_string()).unwrap();
    let mut all = Vec::new();
    while let Some(chunk) = records.next_chunk().unwrap() {
        all.extend(chunk.into_iter().map(|record| Value::Object(record.entry.unwrap())));
    }
    all
}

fn texts() -> Vec<Value> {
    vec![
        json!({ "instruction": "a \"b\",;\t c\nd\r\ne", "input": "", "output": " é🙂 " }),
        json!({ "instruction": "NA", "input": "=1", "output": "null" }),
        json!({ "instruction": "x", "input": "\r", "output": "''" }),
    ]
}

#[test]
fn every_format_is_read_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["x.json", "x.jsonl", "x.csv", "x.tsv", "x.json.gz", "x.jsonl.zst", "x.csv.gz", "x.parquet", "x.NDJSON"]
    {
        let path = folder.path().join(name);
        assert_eq!(write(&path, &texts()).unwrap(), 3, "{name}");
        assert_eq!(read(&path), texts(), "{name}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 9);
}

#[test]
fn json_is_what_python_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.json");
    let records = [json!({ "a": "é", "b": [1, 2.5] }), json!({ "a": null })];
    write(&path, &records).unwrap();
    let whole = gptune_json::to_lines(&json!(records)) + "\n";
    assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
    write(&path, &[]).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "[]\n");
}

#[test]
fn parquet_holds_conversations_numbers_and_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    let message = |role: &str, weight: Value| json!({ "role": role, "content": "x", "weight": weight });
    let records = [
        json!({ "messages": [message("user", Value::Null), message("assistant", 1.into())], "id": 3, "score": 0.5, "ok": true }),
        json!({ "messages": [], "id": null, "score": -1.5, "ok": false }),
        json!({ "messages": null, "id": -4, "score": null, "ok": null }),
        json!({ "messages": [message("user", 0.into())], "id": 1_i64 << 40, "score": 1e300, "ok": true }),
    ];
    write(&path, &records).unwrap();
    assert_eq!(read(&path), records);
}

#[test]
fn columns_are_those_of_all_records() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.csv");
    write(&path, &[json!({ "a": "1" }), json!({ "b": 2, "a": null }), json!({ "c": true })]).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a,b,c\n1,,\n,2,\n,,true\n");
}

#[test]
fn what_a_format_has_no_room_for_is_refused_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    for (name, second, part) in [
        ("x.csv", json!({ "a": [1], "b": "" }), "entry 1 has a 'a' that is an array"),
        ("x.tsv", json!({ "a": { "b": 1 } }), "entry 1 has a 'a' that is an object"),
        ("x.parquet", json!({ "a": 5 }), "entry 1 has a 'a' that is a whole number here and a string before"),
        ("x.parquet", json!({ "b": ["x"] }), "is a list of a string"),
        ("x.parquet", json!({ "b": [] }), "no list in 'b' has a value"),
        ("x.parquet", json!({ "b": { "c": 1 } }), "is an object"),
        ("x.txt", json!({}), "known are .json, .jsonl"),
        ("x", json!({}), "known are .json, .jsonl"),
        ("x.gz", json!({}), "known are .json, .jsonl"),
        ("x.parquet.gz", json!({}), "compressed within"),
    ] {
        let error = write(&folder.path().join(name), &[json!({ "a": "x" }), second]).unwrap_err().to_string();
        assert!(error.contains(part), "{name}: {error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{name}");
    }
    let error = write(&folder.path().join("x.csv"), &[json!({ "a": "x" })]).unwrap_err().to_string();
    assert!(error.contains("single column 'a'"), "{error}");
    assert!(write(&folder.path().join("none/x.json"), &[]).unwrap_err().to_string().contains("cannot write"));
}
