//! Data sets of the Hub by name.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::json;
use sha2::{Digest, Sha256};

use super::{
    COMMIT, files, gptune, offline, said,
    server::{Reply, Request, Server},
};
use crate::{failure, json, tiny_model};

/// Files of a repository.
type Files = BTreeMap<String, Vec<u8>>;

/// A Hub with a model `o/both` and these data sets.
fn hub(data_sets: BTreeMap<&'static str, Files>) -> Server {
    let models = BTreeMap::from([("o/both", files(tiny_model()))]);
    Server::start(move |request| answer(&data_sets, request).unwrap_or_else(|| super::answer(&models, request)))
}

fn answer(data_sets: &BTreeMap<&str, Files>, request: &Request) -> Option<Reply> {
    for (repository, files) in data_sets {
        let revision = request.path.strip_prefix(&format!("/api/datasets/{repository}/revision/"));
        if revision.is_some_and(|revision| ["main", COMMIT].contains(&revision)) {
            let siblings: Vec<_> = files.keys().map(|name| json!({ "rfilename": name })).collect();
            let body = json!({ "sha": COMMIT, "siblings": siblings }).to_string().into_bytes();
            return Some(Reply { body, ..Reply::new(200) });
        }
        let name = request.path.strip_prefix(&format!("/datasets/{repository}/resolve/{COMMIT}/"));
        if let Some(bytes) = name.and_then(|name| files.get(name)) {
            return Some(Reply::file(request, bytes).header("ETag", format!("\"{:x}\"", Sha256::digest(bytes))));
        }
    }
    None
}

fn lines(names: &[&str]) -> Files {
    let line = |name| json!({ "instruction": name, "input": "", "output": "x" }).to_string().into_bytes();
    names.iter().map(|&name| (name.to_owned(), line(name))).collect()
}

#[test]
fn a_data_set_is_fetched_once_with_its_splits_and_revision() {
    let server =
        hub(BTreeMap::from([("o/data", lines(&["train_2.jsonl", "train_10.jsonl", "test.jsonl", "Odd.jsonl"]))]));
    let (home, url) = (tempfile::tempdir().unwrap(), server.url());
    let home = home.path();
    let nobody = "http://127.0.0.1:9";
    let shown = gptune(home, nobody, &["fetch", "o/data", "--data", "--dry-run"]);
    let requests = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(requests.starts_with(&format!("GET {nobody}/api/datasets/o/data/revision/main\n")), "{requests}");
    let either = gptune(home, nobody, &["fetch", "o/data", "--dry-run"]);
    assert!(said(&either).contains("if the Hub has no such model, the data set is fetched"), "{}", said(&either));

    // There is no model of that name, and nothing else can be meant.
    let output = gptune(home, &url, &["fetch", "o/data", "--json"]);
    let set = json(&output);
    let folder = Path::new(set["path"].as_str().unwrap());
    assert!(folder.ends_with(format!("datasets--o--data/snapshots/{COMMIT}")), "{folder:?}");
    let path = |name: &str| folder.join(name).display().to_string();
    let splits = json!({ "train": [path("train_2.jsonl"), path("train_10.jsonl")], "test": [path("test.jsonl")] });
    assert_eq!((&set["splits"], &set["revision"], &set["downloaded"]), (&splits, &json!(COMMIT), &json!(true)));
    let note = "of 'o/data' Odd.jsonl are left out: they are of another format, or of no split";
    assert!(said(&output).contains(note), "{}", said(&output));
    let before = server.requests().len();
    for again in
        [gptune(home, nobody, &["fetch", "o/data", "--json"]), offline(home, &url, &["fetch", "o/data", "--json"])]
    {
        assert_eq!((&json(&again)["splits"], &json(&again)["downloaded"]), (&splits, &json!(false)));
    }
    let part = gptune(home, &url, &["fetch", &format!("o/data@{COMMIT}:test")]);
    assert!(String::from_utf8_lossy(&part.stdout).ends_with(&format!("of revision {COMMIT}:\n  test: test.jsonl\n")));
    assert_eq!(server.requests().len(), before, "what is here is not asked for");

    // Damaged, and mended at its own commit.
    let file = folder.join("test.jsonl");
    let whole = fs::read(&file).unwrap();
    fs::write(file.canonicalize().unwrap(), "{").unwrap();
    let output = gptune(home, &url, &["fetch", "o/data", "--json"]);
    assert_eq!((json(&output)["downloaded"].clone(), fs::read(&file).unwrap()), (json!(true), whole));
    assert!(said(&output).contains("test.jsonl is damaged (") && said(&output).contains("; downloading it again\n"));
}

#[test]
fn a_model_and_a_data_set_of_one_name_are_told_apart() {
    let server = hub(BTreeMap::from([("o/both", lines(&["train.jsonl"])), ("o/none", lines(&["a.png"]))]));
    let (home, url) = (tempfile::tempdir().unwrap(), server.url());
    let home = home.path();
    let both = "both a model and a data set 'o/both'; write gptune fetch --model o/both for the one, or gptune fetch --data \
                o/both for the other";
    let error = failure(&gptune(home, &url, &["fetch", "o/both"]));
    assert!(error.contains(&format!("the Hub has {both}")), "{error}");
    assert!(!home.join("hf").exists(), "nothing is downloaded");
    let path = |arguments: &[&str]| json(&gptune(home, &url, arguments))["path"].as_str().unwrap().to_owned();
    assert!(path(&["fetch", "--data", "o/both", "--json"]).contains("datasets--o--both"));
    // It is the one that is here.
    assert!(path(&["fetch", "o/both", "--json"]).contains("datasets--o--both"));
    assert!(path(&["fetch", "--model", "o/both", "--json"]).contains("models--o--both"));
    let error = failure(&gptune(home, &url, &["fetch", "o/both"]));
    assert!(error.contains(&format!("the cache has {both}")), "{error}");

    let error = failure(&gptune(home, &url, &["fetch", "o/nowhere"]));
    assert!(
        error.contains("has no repository 'o/nowhere'") && error.contains("; nor is there such a data set"),
        "{error}"
    );
    let error = failure(&gptune(home, &url, &["fetch", "o/none"]));
    assert!(error.contains("the data set 'o/none' has no JSON, JSON Lines, CSV, TSV or Parquet files"), "{error}");
    let error = failure(&gptune(home, &url, &["fetch", "o/both:train[:10]"]));
    assert!(error.contains("'o/both:train[:10]' names no data set: after a colon comes"), "{error}");
}
