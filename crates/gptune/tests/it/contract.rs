//! Commands, files and fields that scripts rely on.

use std::{fs, path::Path};

use gptune_weights::{GgufFile, GgufValue};
use serde_json::Value;

use crate::{gptune, gptune_reading, json, tiny_model, write_data};

#[test]
fn tokens_go_there_and_back() {
    let here = Path::new(".");
    let text = "Hello, wörld!\n <|endoftext|>";
    let tokens = json(&gptune_reading(here, &["tokenize", "--json"], text));
    assert_eq!(tokens["ids"][0], 15_496);
    let back = gptune_reading(here, &["detokenize"], &tokens.to_string());
    assert_eq!(String::from_utf8(back.stdout).unwrap(), text);
    let back = json(&gptune_reading(here, &["detokenize", "--json"], "15496 11"));
    assert_eq!(back["text"], "Hello,");
}

/// The first batch that PyTorch's `DataLoader(range(34), batch_size=8, shuffle=True)` gives after
/// `torch.manual_seed(123)` (torch 2.9.0).
const FIRST_BATCH: [usize; 8] = [8, 20, 14, 26, 2, 24, 17, 5];

#[test]
fn devices_lists_flex() {
    let devices = json(&gptune(Path::new("."), &["devices", "--json"]));
    assert_eq!(devices["back_ends"][0]["name"], "flex");
    assert_eq!(devices["default"], "flex");
}

#[test]
fn batches_are_collated_in_pytorchs_order() {
    let folder = tempfile::tempdir().unwrap();
    write_data(&folder.path().join("data.json"), 40);
    let arguments = ["data", "batches", "--data", "data.json", "--split", "train", "--limit", "2", "--json"];
    let batches = json(&gptune(folder.path(), &arguments));
    assert_eq!(batches.as_array().unwrap().len(), 2);
    let (inputs, targets) = (&batches[0]["inputs"], &batches[0]["targets"]);
    assert_eq!(inputs.as_array().unwrap().len(), 8);
    assert_eq!(inputs[0].as_array().unwrap().len(), targets[0].as_array().unwrap().len());
    for (row, example) in inputs.as_array().unwrap().iter().zip(FIRST_BATCH) {
        let ids = serde_json::json!({ "ids": row }).to_string();
        let text = String::from_utf8(gptune_reading(folder.path(), &["detokenize"], &ids).stdout).unwrap();
        assert!(text.contains(&format!("Name number {example}.")), "{example}: {text}");
    }
    // Every row teaches its end, once, and nothing after it.
    for row in targets.as_array().unwrap() {
        let row: Vec<i64> = row.as_array().unwrap().iter().map(|id| id.as_i64().unwrap()).collect();
        let stop = row.iter().position(|&id| id == 50_256).unwrap();
        assert!(row[stop + 1..].iter().all(|&id| id == -100) && row[..stop].iter().all(|&id| id >= 0));
    }
    // With instructions masked, fewer targets are left.
    let masked = json(&gptune(folder.path(), &[&arguments[..], &["--mask-instructions"]].concat()));
    let ignored = |batches: &Value| batches.to_string().matches("-100").count();
    assert!(ignored(&masked) > ignored(&batches) + 8 * 20);
}

#[test]
fn a_run_leaves_what_was_promised() {
    let folder = tempfile::tempdir().unwrap();
    write_data(&folder.path().join("data.json"), 40);
    let model = tiny_model().to_str().unwrap();
    let flags = "--data data.json --out run --max-steps 6 --respond --response-tokens 4 --preview 1 --json";
    let mut arguments = vec!["train", "--model", model];
    arguments.extend(flags.split(' '));
    let summary = json(&gptune(folder.path(), &arguments));
    assert_eq!((&summary["steps"], &summary["completed"]), (&6.into(), &true.into()));

    let run = folder.path().join("run");
    for file in
        ["config.toml", "metrics.jsonl", "loss-plot.svg", "loss-plot.png", "instruction-data-with-response.json"]
    {
        assert!(run.join(file).is_file(), "{file}");
    }
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    assert!(config.contains("max_steps = 6") && config.contains("max_length = 128"), "{config}");

    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let events: Vec<Value> = metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| events.iter().filter(|event| event["event"] == kind).collect::<Vec<_>>();
    assert!(of("initial")[0]["train_loss"].is_f64() && of("initial")[0]["val_loss"].is_f64());
    assert_eq!((of("step").len(), of("eval").len(), of("end").len()), (6, 2, 1));
    for key in ["epoch", "step", "loss", "lr", "tokens", "padded_tokens", "seconds"] {
        assert!(of("step")[0][key].is_number(), "{key}");
    }
    assert_eq!(of("eval")[0]["tokens_seen"], of("step")[0]["padded_tokens"]);
    assert!(of("end")[0]["peak_memory_bytes"].as_u64().is_none_or(|bytes| bytes > 10_000_000));

    // The responses file: the test entries as they were, each with its response.
    let responses: Value =
        serde_json::from_slice(&fs::read(run.join("instruction-data-with-response.json")).unwrap()).unwrap();
    assert_eq!(responses.as_array().unwrap().len(), 4);
    assert_eq!((&responses[0]["id"], responses[0]["model_response"].is_string()), (&34.into(), true));

    // The model folder: untied, complete, and usable by the other commands without a flag.
    let config: Value = serde_json::from_slice(&fs::read(run.join("model/config.json")).unwrap()).unwrap();
    assert_eq!((&config["tie_word_embeddings"], &config["n_embd"]), (&false.into(), &8.into()));
    let tokenizer: Value = serde_json::from_slice(&fs::read(run.join("model/tokenizer_config.json")).unwrap()).unwrap();
    assert_eq!(tokenizer["gptune_prompt_style"], "book");

    let evaluation = json(&gptune(
        folder.path(),
        &["evaluate", "--model", "run/model", "--data", "data.json", "--split", "val", "--json"],
    ));
    // 40 examples leave two for validation, so the last evaluation of the run saw just these, one
    // step before the end.
    let last = of("eval")[1]["val_loss"].as_f64().unwrap();
    assert!((evaluation["loss"].as_f64().unwrap() - last).abs() < 0.01 * last, "{evaluation} {last}");
    assert_eq!(evaluation["batches"], 1);

    let answer =
        gptune(folder.path(), &["respond", "--model", "run/model", "--max-new-tokens", "4", "--out", "again.json"]);
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    let again = fs::read(folder.path().join("again.json")).unwrap();
    assert_eq!(again, fs::read(run.join("instruction-data-with-response.json")).unwrap(), "same data, same answers");
}

#[test]
fn generation_is_greedy_unless_asked_and_repeats() {
    let model = tiny_model().to_str().unwrap();
    let generate = |more: &str| {
        let mut arguments =
            vec!["generate", "--model", model, "--prompt", "One two", "--max-new-tokens", "6", "--json"];
        arguments.extend(more.split_whitespace());
        json(&gptune(Path::new("."), &arguments))
    };
    let greedy = generate("");
    assert_eq!(greedy["prompt_ids"], serde_json::json!([3198, 734]));
    assert_eq!(greedy["ids"].as_array().unwrap().len(), 6);
    assert_eq!(greedy, generate(""));
    let drawn = generate("--temperature 2 --top-k 50 --seed 1");
    assert_eq!(drawn, generate("--temperature 2 --top-k 50 --seed 1"));
    assert_ne!(drawn["ids"], generate("--temperature 2 --top-k 50 --seed 2")["ids"]);
}

#[test]
fn export_and_import_keep_every_number() {
    let folder = tempfile::tempdir().unwrap();
    let model = tiny_model();
    for arguments in [
        vec!["export", model.to_str().unwrap(), "--format", "hf", "out"],
        vec!["import", "out/model.safetensors", "back"],
    ] {
        let output = gptune(folder.path(), &arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let weights = |path: &Path| fs::read(path.join("model.safetensors")).unwrap();
    assert_eq!(weights(&folder.path().join("out")), weights(model));
    assert_eq!(weights(&folder.path().join("back")), weights(model));
    assert!(folder.path().join("back/merges.txt").is_file());
}

#[test]
fn gguf_files_are_called_what_the_model_is() {
    let folder = tempfile::tempdir().unwrap();
    // Not what the name stands for, and nothing that a style could be read from.
    fs::create_dir(folder.path().join("nano")).unwrap();
    fs::write(folder.path().join("nano/tokenizer_config.json"), "{").unwrap();
    fs::create_dir(folder.path().join("gpt2-1.5b")).unwrap();
    for entry in fs::read_dir(tiny_model()).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), folder.path().join("gpt2-1.5b").join(entry.file_name())).unwrap();
    }
    for (model, name) in [("nano", "nano"), ("gpt2-1.5b", "gpt2-1.5b"), ("gpt2-1.5b/model.safetensors", "model")] {
        let output = gptune(folder.path(), &["export", model, "--format", "gguf", "--dtype", "f16", "model.gguf"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let path = folder.path().join("model.gguf");
        let file = GgufFile::open(&path).unwrap();
        assert_eq!(file.metadata("general.name").as_ref().and_then(GgufValue::as_str), Some(name));
        let modelfile = fs::read_to_string(folder.path().join("model.Modelfile")).unwrap();
        assert!(modelfile.contains("FROM ./model.gguf\n") && modelfile.contains("### Response:"), "{modelfile}");
        fs::remove_file(folder.path().join("model.Modelfile")).unwrap();
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_new_model_has_the_sizes_and_the_seed_that_were_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let init = |name: &str, seed: &str| {
        let sizes = ["--n-layer", "1", "--n-head", "1", "--n-embd", "4", "--n-positions", "8", "--seed", seed];
        let output = gptune(folder.path(), &[&["init", name][..], &sizes].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read(folder.path().join(name).join("model.safetensors")).unwrap()
    };
    let first = init("a", "1");
    assert!(first == init("b", "1"), "one seed, one model");
    assert!(first != init("c", "2"));
    let config: Value = serde_json::from_slice(&fs::read(folder.path().join("a/config.json")).unwrap()).unwrap();
    assert_eq!((&config["n_positions"], &config["vocab_size"]), (&8.into(), &50_257.into()));
}

#[test]
fn a_run_with_dropout_repeats_bit_by_bit() {
    let folder = tempfile::tempdir().unwrap();
    write_data(&folder.path().join("data.json"), 40);
    let losses = |out: &str, dropout: &str| {
        let model = tiny_model().to_str().unwrap();
        let flags = ["--data", "data.json", "--max-steps", "4", "--dropout", dropout, "--out", out];
        let output = gptune(folder.path(), &[&["train", "--model", model][..], &flags].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metrics = fs::read_to_string(folder.path().join(out).join("metrics.jsonl")).unwrap();
        let events = metrics.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events.filter_map(|event| event["loss"].as_f64()).map(f64::to_bits).collect::<Vec<_>>()
    };
    let first = losses("a", "0.1");
    assert_eq!((first.len(), &first), (4, &losses("b", "0.1")));
    assert_ne!(first, losses("c", "0"), "dropout does something");
}

#[test]
fn wrong_usage_is_status_2() {
    for arguments in [
        &["train", "--epochs", "many"][..],
        &["dance"],
        &["evaluate"],
        &["train", "--order", "random"],
        &["train", "--batch-size", "0"],
        &["train", "--lr", "-1"],
        &["train", "--lr", "0"],
        &["train", "--eps", "0"],
        &["init", "new", "--size", "124M", "--n-layer", "1"],
        &["train", "--max-length", "1"],
        &["generate", "--model", "nano", "--prompt", "x", "--seed", "3"],
        &["train", "--dropout", "1"],
        &["train", "--split", "80/10"],
        &["train", "--data", "a.json", "--train-data", "b.json"],
        &["generate", "--model", "nano", "--prompt", "x", "--top-k", "5"],
        &["generate", "--model", "nano", "--prompt", "x", "--temperature", "-1"],
        &["init", "new", "--dtype", "q8_0"],
        &["bench", "train", "--model", "nano", "--data", "sample", "--steps", "0"],
    ] {
        let output = gptune(Path::new("."), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
    for flag in ["--seed", "--epochs", "--split-seed", "--max-steps", "--preview", "--eval-batches", "--train-limit"] {
        let output = gptune(Path::new("."), &["train", flag, "-1"]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(&format!("invalid value '-1' for '{flag}")), "{error}");
    }
}
