//! Everything a user can get wrong: one sentence with place and remedy, and nothing written.

use std::{fs, path::Path};

use crate::{failure, gptune, tiny_model, write_data};

/// A folder with a good dataset, `good.json`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_data(&folder.path().join("good.json"), 40);
    folder
}

/// The error of a training run with these arguments, of which nothing may be left.
fn train_error(folder: &Path, arguments: &[&str]) -> String {
    let mut all = vec!["train", "--out", "run", "--max-steps", "1"];
    if !arguments.contains(&"--model") {
        all.extend(["--model", tiny_model().to_str().unwrap()]);
    }
    if !arguments.contains(&"--data") {
        all.extend(["--data", "good.json"]);
    }
    all.extend(arguments);
    let before = listing(folder);
    let error = failure(&gptune(folder, &all));
    assert_eq!(listing(folder), before, "something was written or changed");
    error
}

/// Every path below a folder with its size.
fn listing(folder: &Path) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(listing(&path));
        }
        found.push((path.display().to_string(), path.metadata().unwrap().len()));
    }
    found.sort();
    found
}

/// The error that a dataset with these contents gives.
fn data_error(contents: &str) -> String {
    let folder = folder();
    fs::write(folder.path().join("bad.json"), contents).unwrap();
    let error = train_error(folder.path(), &["--data", "bad.json"]);
    assert!(error.contains("bad.json"), "{error}");
    error
}

/// Twenty good entries with this one in the middle, at index 10.
fn with_entry(entry: &str) -> String {
    let good = r#"{"instruction": "Say yes.", "input": "", "output": "Yes."}"#;
    let mut entries = vec![good; 20];
    entries.insert(10, entry);
    format!("[{}]", entries.join(",\n"))
}

#[test]
fn data_that_is_not_json() {
    assert!(data_error("[{\"instruction\": \"a\",\n  \"output\" \"b\"}]").contains("line 2, column 12"));
    assert!(data_error("{\"instruction\": \"a\", \"output\": \"b\"}\nnonsense\n").contains("line 2, column"));
    assert!(data_error("\u{1}\u{2}").contains("line 1"));
}

#[test]
fn an_entry_without_instruction_or_with_a_non_string() {
    let error = data_error(&with_entry(r#"{"input": "", "output": "b"}"#));
    assert!(error.contains("entry 10: has no 'instruction'"), "{error}");
    let error = data_error(&with_entry(r#"{"instruction": "a", "input": 5, "output": "b"}"#));
    assert!(error.contains("entry 10: 'input' is a number"), "{error}");
    let error = data_error(&with_entry(r#"{"instruction": "a", "input": "", "output": null}"#));
    assert!(error.contains("entry 10: 'output' is null"), "{error}");
}

#[test]
fn an_empty_dataset() {
    assert!(data_error("[]").contains("no examples"));
    assert!(data_error("").contains("no examples"));
}

#[test]
fn too_few_examples_for_one_batch() {
    let folder = folder();
    write_data(&folder.path().join("few.json"), 9);
    let error = train_error(folder.path(), &["--data", "few.json"]);
    assert!(error.contains("train part has 7 of 9 examples") && error.contains("--batch-size"), "{error}");
    let error = train_error(folder.path(), &["--train-limit", "7"]);
    assert!(error.contains("train part has 7"), "{error}");
}

#[test]
fn a_prompt_longer_than_the_context() {
    let long = format!(r#"{{"instruction": "{}", "input": "", "output": "b"}}"#, "word ".repeat(200));
    let error = data_error(&with_entry(&long));
    assert!(error.contains("entry 10: the prompt alone is") && error.contains("holds 128"), "{error}");
}

#[test]
fn a_prompt_that_a_shorter_length_cuts() {
    let folder = folder();
    let long = format!(r#"{{"instruction": "{}", "input": "", "output": "b"}}"#, "word ".repeat(60));
    fs::write(folder.path().join("long.json"), with_entry(&long)).unwrap();
    // Without targets there is nothing to learn from it; otherwise its beginning is, as in the book.
    let shorter = ["--data", "long.json", "--max-length", "64", "--no-eval", "--sample-tokens", "0"];
    let error = train_error(folder.path(), &[&shorter[..], &["--mask-instructions"]].concat());
    assert!(error.contains("entry 10: the prompt alone is") && error.contains("64"), "{error}");
    let model = tiny_model().to_str().unwrap();
    let output = gptune(
        folder.path(),
        &[&["train", "--model", model, "--out", "run", "--max-steps", "1"], &shorter[..]].concat(),
    );
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{error}");
    assert!(out.contains("1 training examples are longer than 64 tokens"), "{out}");
}

#[test]
fn a_literal_end_of_text() {
    let error = data_error(&with_entry(r#"{"instruction": "a", "input": "", "output": "b<|endoftext|>"}"#));
    assert!(error.contains("entry 10: 'output' contains the literal text '<|endoftext|>'"), "{error}");
}

/// A copy of the tiny model in `folder/model`, and the error of training on it after a change.
fn model_error(change: impl FnOnce(&Path)) -> String {
    let folder = folder();
    let model = folder.path().join("model");
    fs::create_dir(&model).unwrap();
    for file in ["config.json", "model.safetensors"] {
        fs::copy(tiny_model().join(file), model.join(file)).unwrap();
    }
    change(&model);
    train_error(folder.path(), &["--model", "model"])
}

fn edit(model: &Path, from: &str, to: &str) {
    let path = model.join("config.json");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn weights_that_are_cut_or_something_else() {
    let error = model_error(|model| {
        let path = model.join("model.safetensors");
        let bytes = fs::read(&path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    });
    assert!(error.contains("model.safetensors") && error.contains("promises"), "{error}");
    let error = model_error(|model| fs::write(model.join("model.safetensors"), "a text, no weights").unwrap());
    assert!(error.contains("is not a safetensors file"), "{error}");
    let error = model_error(|model| edit(model, "\"gpt2\"", "\"bert\""));
    assert!(error.contains("model_type is 'bert'"), "{error}");
}

#[test]
fn weights_with_a_missing_or_misshapen_tensor() {
    let error = model_error(|model| edit(model, "\"n_layer\": 1", "\"n_layer\": 2"));
    assert!(error.contains("has no tensor 'transformer.h.1."), "{error}");
    let error = model_error(|model| edit(model, "\"n_positions\": 128", "\"n_positions\": 64"));
    assert!(error.contains("'transformer.wpe.weight' has shape [128, 8]"), "{error}");
}

#[test]
fn sizes_that_contradict_each_other() {
    let error = model_error(|model| edit(model, "\"n_head\": 2", "\"n_head\": 3"));
    assert!(error.contains("n_embd = 8 is not a multiple of n_head = 3"), "{error}");
}

#[test]
fn names_that_stand_for_nothing() {
    let folder = folder();
    let error = train_error(folder.path(), &["--model", "gpt5"]);
    assert!(error.contains("unknown model 'gpt5'") && error.contains("nano, gpt2, gpt2-medium"), "{error}");
    let error = train_error(folder.path(), &["--data", "orca"]);
    assert!(error.contains("unknown data 'orca'") && error.contains("sample, book, alpaca"), "{error}");
    let error = train_error(folder.path(), &["--data", "missing.json"]);
    assert!(error.contains("cannot read missing.json"), "{error}");
    let error = train_error(folder.path(), &["--recipe", "dessert"]);
    assert!(error.contains("unknown recipe 'dessert'") && error.contains("quickstart"), "{error}");
    let error = train_error(folder.path(), &["--device", "abacus"]);
    assert!(error.contains("unknown device 'abacus'") && error.contains("flex"), "{error}");
    let error = train_error(folder.path(), &["--device", "rocm"]);
    assert!(error.contains("not in this build") && error.contains("--backend rocm"), "{error}");
}

#[test]
fn a_recipe_with_an_unknown_key() {
    let folder = folder();
    fs::write(folder.path().join("r.toml"), "epochs = 1\nlearning_rate = 1e-3\n").unwrap();
    let error = train_error(folder.path(), &["--recipe", "r.toml"]);
    assert!(error.contains("r.toml, line 2") && error.contains("learning_rate"), "{error}");
}

#[test]
fn an_output_folder_in_use_or_out_of_reach() {
    let folder = folder();
    fs::create_dir(folder.path().join("run")).unwrap();
    fs::write(folder.path().join("run/thesis.txt"), "mine").unwrap();
    let error = train_error(folder.path(), &[]);
    assert!(error.contains("run exists and is not empty; give another one"), "{error}");
    // A file where a folder should be cannot be written into, whoever asks.
    fs::write(folder.path().join("file"), "x").unwrap();
    let model = tiny_model().to_str().unwrap();
    let arguments = ["train", "--model", model, "--data", "good.json", "--out", "file/run", "--max-steps", "1"];
    let error = failure(&gptune(folder.path(), &arguments));
    assert!(error.contains("cannot write") && error.contains("file/run"), "{error}");
}

#[test]
fn a_loss_that_is_not_a_number() {
    let folder = folder();
    let model = tiny_model().to_str().unwrap();
    let output =
        gptune(folder.path(), &["train", "--model", model, "--data", "good.json", "--out", "run", "--lr", "1e30"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(
        error.contains("the loss of the evaluation after step 0 is not a number") && error.contains("run/model"),
        "{error}"
    );
    let page = fs::read_to_string(folder.path().join("run/report.html")).unwrap();
    assert!(
        page.contains("The loss of the evaluation after step 0 is not a number; the model is the one before."),
        "the page says so"
    );
    // The last good model can be used: it is the one before the step.
    let model = "run/model";
    let output =
        gptune(folder.path(), &["evaluate", "--model", model, "--data", "good.json", "--split", "val", "--json"]);
    assert!(crate::json(&output)["loss"].as_f64().unwrap() < 12.0);
}

#[test]
fn a_model_that_is_damaged_in_its_numbers() {
    let error = model_error(|model| {
        let path = model.join("model.safetensors");
        let mut bytes = fs::read(&path).unwrap();
        let end = bytes.len();
        bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        fs::write(path, bytes).unwrap();
    });
    assert!(error.contains("tensor 'transformer.wte.weight' holds numbers that are not finite (1 of "), "{error}");
}

#[test]
fn an_eps_that_is_none() {
    let folder = folder();
    fs::write(folder.path().join("recipe.toml"), "eps = 0.0\n").unwrap();
    let error = train_error(folder.path(), &["--recipe", "recipe.toml"]);
    assert!(error.contains("'eps'"), "{error}");
}

#[test]
fn all_that_is_wrong_with_a_file_is_said_at_once() {
    let folder = folder();
    let entry = |instruction: &str, output: serde_json::Value| {
        serde_json::json!({"instruction": instruction, "output": output}).to_string()
    };
    let good = entry("Say yes.", "Yes.".into());
    let long = entry(&"word ".repeat(140), "Yes.".into());
    let literal = entry("Say it.", "One.<|endoftext|>".into());
    let bad = [good.clone(), entry("a", 5.into()), String::new(), long, literal, "oops".to_owned()].join("\n");
    fs::write(folder.path().join("bad.jsonl"), vec![bad; 1].join("\n") + &format!("\n{good}").repeat(20)).unwrap();
    let error = train_error(folder.path(), &["--data", "bad.jsonl"]);
    assert!(error.contains("4 of 25 entries cannot be used: entry 1 (line 2): 'output' is a number"), "{error}");
    for place in [
        "; entry 2 (line 4): the prompt alone is",
        "; entry 3 (line 5): 'output' contains the literal text",
        "; entry 4 (line 6): not valid JSON",
    ] {
        assert!(error.contains(place), "{error}");
    }
    assert!(error.contains("--too-long skip and --skip-bad"), "{error}");
    // One of the two is not enough, and both are.
    let error = train_error(folder.path(), &["--data", "bad.jsonl", "--skip-bad"]);
    assert!(error.contains("bad.jsonl, entry 2 (line 4)") && error.contains("with --too-long skip"), "{error}");
    let model = tiny_model().to_str().unwrap();
    let train = "--data bad.jsonl --skip-bad --too-long skip --max-steps 1 --no-eval --out run --sample-tokens 0";
    let arguments = [&["train", "--model", model][..], &train.split(' ').collect::<Vec<_>>()].concat();
    assert!(gptune(folder.path(), &arguments).status.success());
    assert_eq!(fs::read_to_string(folder.path().join("run/left-out.jsonl")).unwrap().lines().count(), 4);
    // Answers have the same way out.
    let respond = ["respond", "--model", model, "--data", "bad.jsonl", "--max-new-tokens", "1", "--skip-bad"];
    let error = failure(&gptune(folder.path(), &respond));
    assert!(error.contains("with --too-long skip"), "{error}");
    assert!(gptune(folder.path(), &[&respond[..], &["--too-long", "skip"]].concat()).status.success());
    // Of several files.
    fs::write(
        folder.path().join("val.json"),
        r#"[{"instruction": "a", "output": null}, {"instruction": "a", "output": "b"}]"#,
    )
    .unwrap();
    let all = "train --out other --train-data bad.jsonl --val-data val.json --model";
    let error = failure(&gptune(folder.path(), &[&all.split(' ').collect::<Vec<_>>()[..], &[model]].concat()));
    assert!(error.contains("val.json, entry 0: 'output' is null") && error.contains("bad.jsonl: 4 of 25"), "{error}");
}

#[test]
fn names_of_files_that_nobody_would_read() {
    let folder = folder();
    let model = tiny_model().to_str().unwrap();
    for (format, ending) in [("gguf", ".gguf"), ("pth", ".pth or .pt")] {
        let error = failure(&gptune(folder.path(), &["export", model, &format!("w.{format}")]));
        assert!(
            error.contains("is the name of a file") && error.contains(&format!("--format {format} writes one")),
            "{error}"
        );
        let error = failure(&gptune(folder.path(), &["export", model, "--format", format, "w.bin"]));
        assert!(error.contains(&format!("w.bin is a name of another kind of file; let it end in {ending}")), "{error}");
    }
}

#[test]
fn parts_that_are_too_small_name_the_settings_that_made_them() {
    let folder = folder();
    let error = train_error(folder.path(), &["--split", "0/50/50"]);
    assert!(error.contains("give it more of the 0/50/50 in --split") && !error.contains("train-limit"), "{error}");
    let error = train_error(folder.path(), &["--train-limit", "2"]);
    assert!(error.contains("raise --train-limit"), "{error}");
    let error = train_error(folder.path(), &["--split", "90/10/0"]);
    assert!(error.contains("give it a share of the 90/10/0") && error.contains("--no-eval"), "{error}");
    let model = tiny_model().to_str().unwrap();
    let arguments = ["train", "--model", model, "--train-data", "good.json", "--out", "run"];
    let error = failure(&gptune(folder.path(), &arguments));
    assert!(error.contains("give it with --val-data") && !error.contains("--split"), "{error}");
    let recipe = "train_data = \"good.json\"\ndata = \"\"\nsplit = \"50/25/25\"\n";
    fs::write(folder.path().join("recipe.toml"), recipe).unwrap();
    let error = failure(&gptune(folder.path(), &["train", "--recipe", "recipe.toml", "--model", model]));
    assert!(error.contains("'split'") && error.contains("is not split"), "{error}");
}

#[test]
fn answers_do_not_replace_their_questions() {
    let folder = folder();
    let model = tiny_model().to_str().unwrap();
    let respond = ["respond", "--model", model, "--data", "good.json", "--out", "./good.json", "--overwrite"];
    let error = failure(&gptune(folder.path(), &respond));
    assert!(error.contains("are the data themselves"), "{error}");
}

#[test]
fn a_model_that_cannot_be_written_leaves_no_folder() {
    let folder = folder();
    let model = folder.path().join("model");
    fs::create_dir(&model).unwrap();
    for file in ["config.json", "model.safetensors"] {
        fs::copy(tiny_model().join(file), model.join(file)).unwrap();
    }
    let path = model.join("model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len() - 4;
    bytes[end..].copy_from_slice(&1e6_f32.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    let before = listing(folder.path());
    for target in ["half", "deeper/half"] {
        let error = failure(&gptune(folder.path(), &["export", "model", target, "--dtype", "f16"]));
        assert!(error.contains(&format!("cannot write {target}/model.safetensors: parameter")), "{error}");
        assert_eq!(listing(folder.path()), before);
    }
}

#[test]
fn files_that_cannot_be_written_are_found_out_first() {
    let folder = folder();
    let model = tiny_model().to_str().unwrap();
    let error = failure(&gptune(
        folder.path(),
        &["respond", "--model", model, "--data", "good.json", "--out", "nowhere/x.json"],
    ));
    assert!(error.contains("cannot write nowhere/x.json"), "{error}");
    fs::write(folder.path().join("text.txt"), "Some text to train on. ".repeat(50)).unwrap();
    let error = failure(&gptune(folder.path(), &["pretrain", "--text", "text.txt", "--out", "good.json/x"]));
    assert!(error.contains("cannot write good.json/x"), "{error}");
    fs::write(folder.path().join("short.txt"), "Short.").unwrap();
    let error = failure(&gptune(folder.path(), &["pretrain", "--text", "short.txt", "--out", "new"]));
    assert!(error.contains("short.txt has 3 tokens") && !folder.path().join("new").exists(), "{error}");
}

#[test]
fn a_run_that_throws_a_head_away() {
    let folder = folder();
    let arguments = [
        "train",
        "--model",
        tiny_model().to_str().unwrap(),
        "--data",
        "good.json",
        "--out",
        "first",
        "--max-steps",
        "1",
    ];
    assert!(gptune(folder.path(), &arguments).status.success());
    let error = train_error(folder.path(), &["--model", "first/model", "--tie-head"]);
    assert!(error.contains("output head of its own"), "{error}");
}

#[test]
fn a_model_larger_than_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let error = failure(&gptune(folder.path(), &["init", "new", "--n-embd", "18446744073709551612", "--n-head", "4"]));
    assert!(error.contains("more than any machine holds"), "{error}");
    assert_eq!(listing(folder.path()), []);
}

#[cfg(target_os = "linux")]
#[test]
fn too_little_memory_names_the_levers() {
    let folder = tempfile::tempdir().unwrap();
    // 2 TB in one piece, where 200 GB are allowed: room for the libraries of every back end.
    let sizes = "--n-layer 1 --n-positions 4000000000";
    let start = format!("ulimit -v 200000000 && exec {} init new {sizes}", env!("CARGO_BIN_EXE_gptune"));
    let output = std::process::Command::new("sh").args(["-c", &start]).current_dir(&folder).output().unwrap();
    let error = failure(&output);
    assert!(error.contains("bytes of memory left; take a smaller model"), "{error}");
    assert_eq!(listing(folder.path()), []);
}

#[test]
fn a_folder_in_place_of_a_file_and_the_other_way_round() {
    let folder = folder();
    fs::create_dir(folder.path().join("taken")).unwrap();
    let model = tiny_model().to_str().unwrap();
    let before = listing(folder.path());
    let respond = ["respond", "--model", model, "--data", "good.json", "--out", "taken"];
    let error = failure(&gptune(folder.path(), &respond));
    assert!(error.contains("cannot write taken: it is a folder"), "{error}");
    let error = failure(&gptune(folder.path(), &["doctor", "--record", "nowhere/x.json"]));
    assert!(error.contains("cannot write nowhere/x.json: ") && error.ends_with("its permissions\n"), "{error}");
    let error = failure(&gptune(folder.path(), &["export", model, "--format", "hf", "good.json"]));
    assert!(error.contains("good.json is a file; give another name"), "{error}");
    assert_eq!(listing(folder.path()), before);
}
