//! Names of models and data, against servers on this machine.

mod data_sets;
#[allow(dead_code)]
#[path = "../../../fetch/tests/it/server.rs"]
mod server;

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{failure, json, tiny_model};
use server::{Reply, Request, Server};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A Hub with these repositories and their files.
fn hub(repositories: BTreeMap<&'static str, BTreeMap<String, Vec<u8>>>) -> Server {
    Server::start(move |request| answer(&repositories, request))
}

fn answer(repositories: &BTreeMap<&str, BTreeMap<String, Vec<u8>>>, request: &Request) -> Reply {
    for (repository, files) in repositories {
        let revision = request.path.strip_prefix(&format!("/api/models/{repository}/revision/"));
        if revision.is_some_and(|revision| ["main", COMMIT].contains(&revision)) {
            let siblings: Vec<_> = files.keys().map(|name| json!({ "rfilename": name })).collect();
            let body = json!({ "sha": COMMIT, "siblings": siblings }).to_string().into_bytes();
            return Reply { body, ..Reply::new(200).header("Content-Type", "application/json") };
        }
        let name = request.path.strip_prefix(&format!("/{repository}/resolve/{COMMIT}/"));
        if let Some(bytes) = name.and_then(|name| files.get(name)) {
            return Reply::file(request, bytes).header("ETag", format!("\"{:x}\"", Sha256::digest(bytes)));
        }
    }
    // The Hub does not say whether a repository is private or not there.
    Reply::new(401)
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

/// Starts `gptune` with a Hub and caches of its own.
fn gptune(home: &Path, endpoint: &str, arguments: &[&str]) -> Output {
    command(home, endpoint, arguments).output().unwrap()
}

/// The same without downloads.
fn offline(home: &Path, endpoint: &str, arguments: &[&str]) -> Output {
    command(home, endpoint, arguments).env("HF_HUB_OFFLINE", "1").output().unwrap()
}

fn command(home: &Path, endpoint: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gptune"));
    for variable in ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"] {
        command.env_remove(variable);
    }
    command.env("HF_ENDPOINT", endpoint).env("HF_HOME", home.join("hf")).env("GPTUNE_CACHE", home.join("gptune"));
    command.current_dir(home).args(arguments);
    command
}

fn generated(output: &Output) -> Value {
    json(output)["ids"].clone()
}

#[test]
fn a_released_model_is_fetched_once_and_found_afterwards() {
    let server = hub(BTreeMap::from([("openai-community/gpt2", files(tiny_model()))]));
    let home = tempfile::tempdir().unwrap();
    let generate = ["generate", "--model", "gpt2", "--prompt", "Hello", "--max-new-tokens", "3", "--json"];
    let shown = json(&gptune(home.path(), &server.url(), &["fetch", "gpt2", "--dry-run", "--json"]));
    let output = gptune(home.path(), &server.url(), &generate);
    let ids = generated(&output);
    let made =
        server.requests().into_iter().map(|Request { method, path, .. }| format!("{method} {}{path}", server.url()));
    let shown = shown["requests"].as_array().unwrap().iter().map(|request| request.as_str().unwrap());
    assert_eq!(made.collect::<Vec<_>>(), shown.map(|request| request.replace("{commit}", COMMIT)).collect::<Vec<_>>());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("'gpt2' is not on this machine; downloading it"), "{error}");
    let own =
        ["generate", "--model", tiny_model().to_str().unwrap(), "--prompt", "Hello", "--max-new-tokens", "3", "--json"];
    assert_eq!(ids, generated(&gptune(home.path(), &server.url(), &own)));

    let before = server.requests().len();
    for name in ["gpt2", "124M", "openai-community/gpt2"] {
        let output = gptune(home.path(), &server.url(), &["fetch", name, "--json"]);
        let said = json(&output);
        assert_eq!(said["downloaded"], false);
        assert!(Path::new(said["path"].as_str().unwrap()).join("model.safetensors").is_file());
    }
    let nothing = gptune(home.path(), &server.url(), &["fetch", "gpt2", "--dry-run"]);
    assert!(String::from_utf8_lossy(&nothing.stdout).contains("nothing to fetch"));
    assert_eq!(server.requests().len(), before, "what is here is not asked for");
}

#[test]
fn shards_and_other_architectures_are_understood_before_weights_come() {
    let home = tempfile::tempdir().unwrap();
    let mut sharded = files(tiny_model());
    let weights = sharded.remove("model.safetensors").unwrap();
    let all = safetensors::SafeTensors::deserialize(&weights).unwrap();
    let mut map = serde_json::Map::new();
    for (number, (name, view)) in all.tensors().into_iter().enumerate() {
        let file = format!("model-{:05}-of-{:05}.safetensors", number + 1, all.len());
        sharded.insert(file.clone(), safetensors::serialize([(name.clone(), view)], None).unwrap());
        map.insert(name, file.into());
    }
    sharded.insert("model.safetensors.index.json".to_owned(), json!({ "weight_map": map }).to_string().into_bytes());
    let mut other = files(tiny_model());
    other.insert("config.json".to_owned(), b"{\"model_type\": \"llama\"}".to_vec());
    let no_weights = BTreeMap::from([("config.json".to_owned(), Vec::new())]);
    let server = hub(BTreeMap::from([("a/sharded", sharded), ("a/llama", other), ("a/nothing", no_weights)]));

    let generate = |model| ["generate", "--model", model, "--prompt", "Hello", "--max-new-tokens", "3", "--json"];
    let ids = generated(&gptune(home.path(), &server.url(), &generate("a/sharded")));
    let listings = |repository: &str| {
        let path = format!("/api/models/{repository}/revision/main");
        server.requests().iter().filter(|request| request.path == path).count()
    };
    assert_eq!(listings("a/sharded"), 1, "configuration, index and shards are of one commit");
    let own = generate(tiny_model().to_str().unwrap());
    assert_eq!(ids, generated(&gptune(home.path(), &server.url(), &own)));

    // A download that broke off between the shards goes on.
    let path = json(&gptune(home.path(), &server.url(), &["fetch", "a/sharded", "--json"]))["path"].clone();
    fs::remove_file(Path::new(path.as_str().unwrap()).join("model-00002-of-00016.safetensors")).unwrap();
    let again = json(&gptune(home.path(), &server.url(), &["fetch", "a/sharded", "--json"]));
    assert_eq!(again["downloaded"], true);
    assert_eq!(ids, generated(&gptune(home.path(), &server.url(), &generate("a/sharded"))));
    // A folder of the same name is what was meant.
    let before = server.requests().len();
    fs::create_dir_all(home.path().join("a")).unwrap();
    let error = failure(&gptune(home.path(), &server.url(), &generate("a/mistake")));
    assert!(error.contains("a/mistake is not a model"), "{error}");
    let error = failure(&gptune(home.path(), &server.url(), &generate("b/model.pth")));
    assert!(error.contains("b/model.pth is not a model"), "{error}");
    assert_eq!(server.requests().len(), before);
    fs::remove_dir(home.path().join("a")).unwrap();

    // Somebody has an older commit of it, which stays the newest that others find.
    let newest = home.path().join("hf/hub/models--a--llama/refs/main");
    fs::create_dir_all(newest.parent().unwrap()).unwrap();
    fs::write(&newest, "f".repeat(40)).unwrap();
    let error = failure(&gptune(home.path(), &server.url(), &["fetch", "a/llama"]));
    assert!(error.contains("model_type is 'llama'"), "{error}");
    assert_eq!(fs::read_to_string(&newest).unwrap(), "f".repeat(40));
    assert!(
        !server.requests().iter().any(|request| request.path.contains("llama") && request.path.contains("model.safe"))
    );
    let error = failure(&gptune(home.path(), &server.url(), &["fetch", "a/nothing"]));
    assert!(error.contains("'a/nothing' has none of model.safetensors"), "{error}");
    // What may be a path is called one too.
    let output =
        gptune(home.path(), &server.url(), &["evaluate", "--model", "runs/old", "--data", "sample", "--split", "val"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("there is no file or folder 'runs/old', and") && error.contains("HF_TOKEN"), "{error}");
}

#[test]
fn openais_release_and_data_come_from_plain_servers() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../weights/tests/fixtures/tensor_bundle");
    let server = Server::start(move |request| {
        let file = request.path.rsplit('/').next().unwrap();
        match file {
            "checkpoint" | "model.ckpt.meta" => Reply::file(request, b"not read"),
            "hparams.json" => Reply::file(request, &fs::read(fixtures.join(file)).unwrap()),
            "instruction-data.json" => {
                let example = |n| json!({ "instruction": format!("Say {n}."), "input": "", "output": format!("{n}.") });
                let examples: Vec<_> = (0..40).map(example).collect();
                Reply::file(request, json!(examples).to_string().as_bytes())
            }
            _ => match fs::read(fixtures.join(file.replace("model.ckpt", "whole.ckpt"))) {
                Ok(bytes) => Reply::file(request, &bytes),
                Err(_) => Reply::new(404),
            },
        }
    });
    let home = tempfile::tempdir().unwrap();
    let url = server.url();
    let said = json(&gptune(home.path(), &url, &["fetch", "gpt2", "--source", "openai", "--mirror", &url, "--json"]));
    let folder = Path::new(said["path"].as_str().unwrap());
    assert!(folder.ends_with("openai/124M") && folder.join("model.ckpt.data-00000-of-00001").is_file(), "{folder:?}");
    assert!(server.requests().iter().any(|request| request.path == "/124M/model.ckpt.index"));
    // It is a model; a tiny one of another vocabulary, which training says.
    let error = failure(&gptune(home.path(), &url, &["import", folder.to_str().unwrap(), "folder"]));
    assert!(error.contains("GPT-2's tokenizer has 50257"), "{error}");

    let said = json(&gptune(home.path(), &url, &["fetch", "book", "--mirror", &url, "--json"]));
    assert!(Path::new(said["path"].as_str().unwrap()).is_file());
    let batches =
        json(&gptune(home.path(), &url, &["data", "batches", "--data", "book", "--split", "train", "--json"]));
    assert_eq!(batches[0]["inputs"].as_array().unwrap().len(), 8);
}

#[test]
fn dry_runs_ask_nobody() {
    let home = tempfile::tempdir().unwrap();
    // Nobody listens there.
    let nobody = "http://127.0.0.1:9";
    let train = ["train", "--model", "gpt2-medium", "--data", "book", "--dry-run"];
    let output = gptune(home.path(), nobody, &train);
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for request in [
        "GET http://127.0.0.1:9/api/models/openai-community/gpt2-medium/revision/main",
        "HEAD http://127.0.0.1:9/openai-community/gpt2-medium/resolve/{commit}/config.json",
        "GET http://127.0.0.1:9/openai-community/gpt2-medium/resolve/{commit}/model.safetensors",
        "GET https://raw.githubusercontent.com/rasbt/LLMs-from-scratch/main/ch07/01_main-chapter-code/instruction-data.json",
    ] {
        assert!(shown.contains(request), "{request} in {shown}");
    }
    assert!(shown.contains("model = \"gpt2-medium\""));
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "nothing is written");

    let requests = json(&gptune(home.path(), nobody, &["fetch", "355M", "--source", "openai", "--dry-run", "--json"]));
    let last = requests["requests"].as_array().unwrap().last().unwrap().as_str().unwrap();
    assert!(last.starts_with("GET https://") && last.ends_with("/355M/model.ckpt.data-00000-of-00001"), "{last}");

    let output = gptune(home.path(), nobody, &["fetch", "gpt2"]);
    let error = failure(&output);
    assert!(error.contains("cannot reach 127.0.0.1:9"), "{error}");
    let error = failure(&gptune(home.path(), nobody, &["fetch", "gpt5"]));
    assert!(error.contains("unknown name 'gpt5'"), "{error}");
}

/// What a command says on standard error.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_damaged_model_in_the_cache_is_repaired_by_whoever_uses_it_first() {
    let server = hub(BTreeMap::from([("x/y", files(tiny_model()))]));
    let (home, url) = (tempfile::tempdir().unwrap(), server.url());
    let (home, nobody) = (home.path(), "http://127.0.0.1:9");
    let generate = ["generate", "--model", "x/y", "--prompt", "Hello", "--max-new-tokens", "3", "--json"];
    let fetched = json(&gptune(home, &url, &["fetch", "x/y", "--json"]));
    let weights = Path::new(fetched["path"].as_str().unwrap()).join("model.safetensors");
    let whole = fs::read(&weights).unwrap();
    let ids = generated(&gptune(home, &url, &generate));
    let downloads = || {
        let is_download = |request: &&Request| request.method == "GET" && request.path.ends_with("/model.safetensors");
        server.requests().iter().filter(is_download).count()
    };
    let cut = || fs::write(weights.canonicalize().unwrap(), &whole[..100_000]).unwrap();
    let flip = || {
        let mut bytes = whole.clone();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(weights.canonicalize().unwrap(), bytes).unwrap();
    };
    assert_eq!(downloads(), 1);

    // Cut, and used.
    cut();
    let output = gptune(home, &url, &generate);
    assert_eq!(generated(&output), ids);
    let note =
        format!("{} is damaged (100000 bytes, should be {}); downloading it again\n", weights.display(), whole.len());
    assert!(said(&output).contains(&note) && !said(&output).contains("not on this machine"), "{}", said(&output));
    assert_eq!((downloads(), fs::read(&weights).unwrap() == whole), (2, true));

    // Cut, and fetched: no dead end.
    cut();
    let dry = gptune(home, &url, &["fetch", "x/y", "--dry-run"]);
    assert!(said(&dry).contains("is damaged") && String::from_utf8_lossy(&dry.stdout).contains("GET "));
    let output = gptune(home, &url, &["fetch", "x/y", "--json"]);
    assert_eq!((json(&output)["downloaded"].clone(), downloads()), (json!(true), 3));
    assert!(said(&output).contains("; downloading it again\n"));
    let output = gptune(home, &url, &generate);
    assert_eq!((generated(&output), said(&output).contains("damaged")), (ids.clone(), false));
    assert_eq!(json(&gptune(home, &url, &["fetch", "x/y", "--json"]))["downloaded"], false);

    // Of the same size, and without a connection.
    flip();
    let error = failure(&offline(home, &url, &generate));
    let place = format!("HF_HUB_OFFLINE is set, and {} is damaged (", weights.display());
    assert!(error.contains(&place) && error.contains("unset it to download the file again"), "{error}");
    let output = gptune(home, nobody, &generate);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains(" and cannot be downloaded again: cannot reach 127.0.0.1:9"), "{}", said(&output));
    assert_eq!(generated(&gptune(home, &url, &generate)), ids);
    assert_eq!((downloads(), fs::read(&weights).unwrap() == whole), (4, true));

    // Anew, damaged or not.
    assert_eq!(json(&gptune(home, &url, &["fetch", "x/y", "--force", "--json"]))["downloaded"], true);
    assert_eq!((downloads(), generated(&gptune(home, nobody, &generate))), (5, ids.clone()));
    let error = failure(&offline(home, &url, &["fetch", "x/y", "--force"]));
    assert!(error.contains("x/y cannot be downloaded anew"), "{error}");

    // Gone.
    fs::remove_file(&weights).unwrap();
    let folder = weights.parent().unwrap().display();
    let error = failure(&offline(home, &url, &generate));
    assert!(error.contains(&format!("{folder} has no model.safetensors; unset it to download")), "{error}");
    let error = said(&gptune(home, nobody, &generate));
    assert!(error.contains(&format!("{folder} has no model.safetensors, which cannot be downloaded: ")), "{error}");
    assert_eq!(generated(&gptune(home, &url, &generate)), ids);
}

#[test]
fn the_tokenizer_of_another_repository_comes_with_its_weights() {
    let mut all = files(tiny_model());
    all.retain(|name, _| ["config.json", "model.safetensors"].contains(&name.as_str()));
    all.insert("tokenizer.json".to_owned(), b"{}".to_vec());
    all.insert("README.md".to_owned(), b"not read".to_vec());
    let server = hub(BTreeMap::from([("a/b", all)]));
    let home = tempfile::tempdir().unwrap();
    let fetched = json(&gptune(home.path(), &server.url(), &["fetch", "a/b", "--json"]));
    let folder = Path::new(fetched["path"].as_str().unwrap());
    assert_eq!(fs::read(folder.join("tokenizer.json")).unwrap(), b"{}");
    assert!(!folder.join("README.md").exists());

    // As an earlier version left it: what it did not ask for is asked for once.
    fs::remove_file(folder.join("tokenizer.json")).unwrap();
    let known = home.path().join("hf/hub/models--a--b/.no_exist");
    fs::remove_dir_all(&known).unwrap();
    let unsure = offline(home.path(), &server.url(), &["fetch", "a/b"]);
    assert!(unsure.status.success());
    assert!(said(&unsure).starts_with("whether 'a/b' has a tokenizer of its own is not known, and GPT-2's is used: "));
    assert!(gptune(home.path(), &server.url(), &["fetch", "a/b"]).status.success());
    assert_eq!(fs::read(folder.join("tokenizer.json")).unwrap(), b"{}");
    let before = server.requests().len();
    assert!(gptune(home.path(), &server.url(), &["fetch", "a/b"]).status.success());
    assert_eq!(server.requests().len(), before);
}

#[test]
fn damaged_data_is_downloaded_again() {
    let example = |n| json!({ "instruction": format!("Say {n}."), "input": "", "output": format!("{n}.") });
    let examples: Vec<_> = (0..40).map(example).collect();
    let whole = json!(examples).to_string().into_bytes();
    let body = whole.clone();
    let server = Server::start(move |request| Reply::file(request, &body));
    let (home, url) = (tempfile::tempdir().unwrap(), server.url());
    let fetch = |more: &[&str]| {
        let mut arguments = vec!["fetch", "book", "--mirror", &url, "--json"];
        arguments.extend(more);
        gptune(home.path(), &url, &arguments)
    };
    let fetched = json(&fetch(&[]));
    let path = Path::new(fetched["path"].as_str().unwrap());
    assert_eq!(json(&fetch(&[]))["downloaded"], false);
    for bytes in [&whole[..whole.len() / 2], &whole.to_ascii_uppercase(), b"<html>Log in</html>"] {
        fs::write(path, bytes).unwrap();
        let output = fetch(&[]);
        assert_eq!(json(&output)["downloaded"], true);
        let note = format!("{} is damaged (", path.display());
        assert!(said(&output).starts_with(&note) && said(&output).ends_with("; downloading it again\n"), "{output:?}");
        assert_eq!(fs::read(path).unwrap(), whole);
    }
    assert_eq!(json(&fetch(&["--force"]))["downloaded"], true);
    assert_eq!(server.requests().len(), 5);

    // Without a record nothing tells, and it is used.
    fs::remove_file(path.with_added_extension("received")).unwrap();
    fs::write(path, "[]").unwrap();
    assert_eq!(json(&fetch(&[]))["downloaded"], false);
    assert_eq!(json(&fetch(&["--force"]))["downloaded"], true);
    assert_eq!(fs::read(path).unwrap(), whole);
}

#[test]
fn a_dry_run_says_what_depends_on_the_answers() {
    let home = tempfile::tempdir().unwrap();
    let nobody = "http://127.0.0.1:9";
    let shown = |arguments: &[&str]| {
        let output = gptune(home.path(), nobody, arguments);
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let other = shown(&["fetch", "a/b", "--dry-run"]);
    assert!(other.contains(&format!("GET {nobody}/a/b/resolve/{{commit}}/{{weights}}\n")), "{other}");
    assert!(other.contains("anything but a GPT-2 is refused before weights are downloaded"), "{other}");
    assert!(!shown(&["fetch", "gpt2", "--dry-run"]).contains("refused"));
}
