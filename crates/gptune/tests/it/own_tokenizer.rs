//! Models that bring a tokenizer of their own, and special tokens.

use std::{fs, path::Path, process::Output};

use serde_json::{Value, json};

use crate::{failure, gptune, gptune_reading, json, tiny_model, write_data};

/// The tiny model with the files of a small tokenizer beside it, which the data crate's tests hold against
/// transformers; its texts end with token 7.
fn with_own_tokenizer(folder: &Path) {
    let model = folder.join("model");
    fs::create_dir(&model).unwrap();
    for file in ["config.json", "model.safetensors"] {
        fs::copy(tiny_model().join(file), model.join(file)).unwrap();
    }
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/tests/fixtures/own_tokenizers/tables");
    for file in ["vocab.json", "merges.txt", "tokenizer_config.json"] {
        fs::copy(Path::new(fixture).join(file), model.join(file)).unwrap();
    }
    set(&model, "eos_token_id", &json!(7));
    set(&model, "bos_token_id", &json!(7));
}

fn set(model: &Path, key: &str, value: &Value) {
    let path = model.join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config[key] = value.clone();
    fs::write(path, config.to_string()).unwrap();
}

fn ids(folder: &Path, model: &str, text: &str) -> Value {
    json(&gptune_reading(folder, &["tokenize", "--model", model, "--json"], text))["ids"].clone()
}

#[test]
fn it_is_used_everywhere_and_written_back() {
    let folder = tempfile::tempdir().unwrap();
    with_own_tokenizer(folder.path());
    write_data(&folder.path().join("data.json"), 40);
    let text = "Name number 3.";
    let own = ids(folder.path(), "model", text);
    assert_ne!(own, json(&gptune_reading(folder.path(), &["tokenize", "--json"], text))["ids"], "not GPT-2's");
    let back = gptune_reading(folder.path(), &["detokenize", "--model", "model"], &own.to_string());
    assert_eq!(String::from_utf8(back.stdout).unwrap(), text);

    let generate = ["generate", "--model", "model", "--prompt", text, "--max-new-tokens", "5", "--json"];
    let generated = json(&gptune(folder.path(), &generate));
    assert_eq!(generated["prompt_ids"], own);
    // Rows of the table that stand for no text are never chosen.
    assert!(generated["ids"].as_array().unwrap().iter().all(|id| id.as_u64().unwrap() < 331), "{generated}");

    // Batches end with the model's own token, and are filled up with its padding.
    set(&folder.path().join("model"), "pad_token_id", &json!(5));
    let batches =
        json(&gptune(folder.path(), &["data", "batches", "--data", "data.json", "--model", "model", "--json"]));
    let rows = |key: &str| batches[0][key].as_array().unwrap().clone();
    let ends_with = |row: &Value, id: u64| row.as_array().unwrap().last().unwrap().as_u64() == Some(id);
    assert!(rows("inputs").iter().any(|row| ends_with(row, 5)), "padding");
    assert!(rows("targets").iter().all(|row| row.as_array().unwrap().contains(&json!(7))), "end of text");

    let train = "train --model model --data data.json --out run --max-steps 2 --no-eval --respond --response-tokens 3";
    let output = gptune(folder.path(), &train.split(' ').collect::<Vec<_>>());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(ids(folder.path(), "run/model", text), own);
    assert_eq!(ids(folder.path(), "run", text), own, "the run stands for its model");
    let config: Value =
        serde_json::from_slice(&fs::read(folder.path().join("run/model/config.json")).unwrap()).unwrap();
    assert_eq!((&config["eos_token_id"], &config["pad_token_id"]), (&json!(7), &json!(5)));

    for (format, target) in [("hf", "copy"), ("gguf", "model.gguf")] {
        let output = gptune(folder.path(), &["export", "run/model", "--format", format, target]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(ids(folder.path(), target, text), own, "{format}");
    }
    let output = gptune(folder.path(), &["import", "model.gguf", "back"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(ids(folder.path(), "back", text), own);
    let config: Value = serde_json::from_slice(&fs::read(folder.path().join("back/config.json")).unwrap()).unwrap();
    assert_eq!(config["eos_token_id"], 7);
}

#[test]
fn one_that_cannot_be_used_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    with_own_tokenizer(folder.path());
    let generate = ["generate", "--model", "model", "--prompt", "x"];
    fs::write(folder.path().join("model/tokenizer.json"), r#"{"model": {"type": "Unigram", "vocab": []}}"#).unwrap();
    let error = failure(&gptune(folder.path(), &generate));
    assert!(error.contains("tokenizer.json cannot be used"), "{error}");
    fs::remove_file(folder.path().join("model/tokenizer.json")).unwrap();
    fs::remove_file(folder.path().join("model/merges.txt")).unwrap();
    let error = failure(&gptune(folder.path(), &generate));
    assert!(error.contains("vocab.json") && error.contains("no merges.txt"), "{error}");
    // Ids beyond the model's table.
    fs::remove_file(folder.path().join("model/vocab.json")).unwrap();
    set(&folder.path().join("model"), "eos_token_id", &json!(60_000));
    let error = failure(&gptune(folder.path(), &generate));
    assert!(error.contains("config.json says 60000"), "{error}");
}

#[test]
fn special_tokens_are_taken_only_when_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let model = tiny_model().to_str().unwrap();
    let generate = |more: &[&str]| {
        let arguments = ["generate", "--model", model, "--prompt", "<|endoftext|>", "--max-new-tokens", "1", "--json"];
        gptune(folder.path(), &[&arguments[..], more].concat())
    };
    let plain = generate(&[]);
    assert_eq!(json(&plain)["prompt_ids"].as_array().unwrap().len(), 7);
    assert!(String::from_utf8_lossy(&plain.stderr).contains("--special-tokens takes it for the token 50256"));
    assert_eq!(json(&generate(&["--special-tokens"]))["prompt_ids"], json!([50_256]));

    let entry = |output: &str| json!({"instruction": "Say it.", "input": "", "output": output});
    let mut entries = vec![entry("Yes."); 30];
    entries[4] = entry("One.<|endoftext|>Two.");
    fs::write(folder.path().join("data.json"), json!(entries).to_string()).unwrap();
    let train = |out: &str, more: &[&str]| {
        let arguments =
            ["train", "--model", model, "--data", "data.json", "--out", out, "--max-steps", "1", "--no-eval"];
        gptune(folder.path(), &[&arguments[..], &["--sample-tokens", "0"], more].concat())
    };
    let error = failure(&train("no", &[]));
    assert!(error.contains("entry 4: 'output' contains the literal text '<|endoftext|>'"), "{error}");
    assert!(train("yes", &["--special-tokens"]).status.success());
    // It goes with the model, out to other programs too.
    let output = gptune(folder.path(), &["export", "yes/model", "--format", "gguf", "yes.gguf"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let ask = |model: &str, more: &[&str]| {
        let arguments = ["ask", "--model", model, "<|endoftext|>", "--max-new-tokens", "1", "--json"];
        gptune(folder.path(), &[&arguments[..], more].concat())
    };
    let taken = |output: &Output| json(output)["prompt_ids"].as_array().unwrap().contains(&json!(50_256));
    for model in ["yes", "yes.gguf"] {
        assert!(taken(&ask(model, &[])), "{model}");
        assert!(!taken(&ask(model, &["--special-tokens=false"])), "{model}");
    }
    let plain = ask(model, &[]);
    assert!(!taken(&plain));
    assert!(String::from_utf8_lossy(&plain.stderr).contains("the instruction contains '<|endoftext|>' as letters"));
    for from in ["yes", "yes.gguf"] {
        let out = format!("on-{from}");
        let arguments =
            ["train", "--model", from, "--data", "data.json", "--out", &out, "--max-steps", "1", "--no-eval"];
        assert!(gptune(folder.path(), &arguments).status.success(), "the data need it");
        let config = fs::read_to_string(folder.path().join(out).join("config.toml")).unwrap();
        assert!(config.contains("\nspecial_tokens = true\n"), "{config}");
    }
    let arguments = ["train", "--model", "yes", "--data", "data.json", "--special-tokens=false", "--skip-bad"];
    let output =
        gptune(folder.path(), &[&arguments[..], &["--out", "letters", "--max-steps", "1", "--no-eval"]].concat());
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("taken as that token, and is trained with it taken as letters"), "{said}");
    assert!(train("without", &["--skip-bad"]).status.success());
    let left_out = fs::read_to_string(folder.path().join("without/left-out.jsonl")).unwrap();
    assert!(left_out.contains("\"entry\": 4") && left_out.lines().count() == 1, "{left_out}");
}

#[test]
fn a_chat_template_of_its_own_is_kept_until_the_model_is_trained_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    with_own_tokenizer(folder.path());
    write_data(&folder.path().join("data.json"), 40);
    let path = folder.path().join("model/tokenizer_config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let template = "[INST] {{ messages[0]['content'] }} [/INST]";
    config["chat_template"] = template.into();
    fs::write(&path, config.to_string()).unwrap();
    let read = |model: &str| -> Value {
        let path = folder.path().join(model).join("tokenizer_config.json");
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    };
    for arguments in [
        &["export", "model", "hf"][..],
        &["import", "hf", "again"],
        &["export", "model", "--format", "gguf", "m.gguf"],
        &["import", "m.gguf", "back"],
    ] {
        let output = gptune(folder.path(), arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    for model in ["hf", "again", "back"] {
        assert_eq!(read(model)["chat_template"], template, "{model}");
    }
    let modelfile = fs::read_to_string(folder.path().join("m.Modelfile")).unwrap();
    assert!(!modelfile.contains("TEMPLATE") && modelfile.contains("FROM ./m.gguf"), "{modelfile}");
    for model in ["hf", "m.gguf"] {
        let output = gptune(folder.path(), &["ask", "--model", model, "hello", "--max-new-tokens", "1"]);
        assert!(String::from_utf8_lossy(&output.stderr).contains("a chat template of its own, which is not used here"));
    }
    // A token that ends texts otherwise than the files say: what is written says what was trained.
    set(&folder.path().join("model"), "eos_token_id", &json!(5));
    let train = ["train", "--model", "model", "--data", "data.json", "--out", "run", "--max-steps", "1", "--no-eval"];
    let output = gptune(folder.path(), &train);
    assert!(String::from_utf8_lossy(&output.stdout).contains("it is trained with the template book from here on"));
    let written = read("run/model");
    assert_ne!(written["chat_template"], template);
    let vocabulary: Value = serde_json::from_slice(&fs::read(folder.path().join("model/vocab.json")).unwrap()).unwrap();
    let fifth = vocabulary.as_object().unwrap().iter().find(|(_, id)| **id == 5).unwrap().0;
    assert_eq!(written["eos_token"], **fifth);
}
