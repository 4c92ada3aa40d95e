//! Conversations, templates and formats, from data to answers.

use std::{fmt::Write as _, fs, path::Path};

use serde_json::{Value, json};

use crate::{failure, gptune, gptune_reading, json, tiny_model};

fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = gptune(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr)
}

/// Conversations of one and two turns, some with a system message.
fn write_conversations(path: &Path, count: usize) {
    let mut lines = String::new();
    for i in 0..count {
        let mut messages = vec![json!({"role": "user", "content": format!("Count to {i}.")})];
        messages.push(json!({"role": "assistant", "content": format!("One to {i}.")}));
        if i % 2 == 0 {
            messages.push(json!({"role": "user", "content": "And back?"}));
            messages.push(json!({"role": "assistant", "content": format!("{i} to one.")}));
        }
        if i % 3 == 0 {
            messages.insert(0, json!({"role": "system", "content": "Be short."}));
        }
        writeln!(lines, "{}", json!({ "messages": messages })).unwrap();
    }
    fs::write(path, lines).unwrap();
}

/// The loss on all of the data, measured as the run did.
fn loss(folder: &Path, model: &str) -> f64 {
    let arguments = ["evaluate", "--model", model, "--data", "data.jsonl", "--split", "all", "--json"];
    let as_in_the_run = ["--mask-instructions", "--batch-size", "4"];
    json(&gptune(folder, &[&arguments[..], &as_in_the_run].concat()))["loss"].as_f64().unwrap()
}

const TOKENS: &str = "<|im_start|>,<|im_end|>";

/// Few steps on conversations in a template, in `folder/run`.
fn trained(folder: &Path, flags: &[&str]) -> String {
    write_conversations(&folder.join("data.jsonl"), 40);
    let model = tiny_model().display().to_string();
    let fixed = ["train", "--model", &model, "--data", "data.jsonl", "--out", "run", "--max-steps", "4", "--respond"];
    run(folder, &[&fixed[..], &["--response-tokens", "3", "--mask-instructions", "--batch-size", "4"], flags].concat())
}

#[test]
fn added_tokens_and_the_template_go_with_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder, &["--template", "chatml", "--add-tokens", TOKENS]);
    let read = |name: &str| serde_json::from_slice::<Value>(&fs::read(folder.join(name)).unwrap()).unwrap();
    let config = read("run/model/config.json");
    assert_eq!((&config["vocab_size"], &config["eos_token_id"]), (&json!(50_259), &json!(50_258)));
    assert_eq!(read("run/model/gptune.json")["prompt_style"], "chatml");
    assert_eq!(read("run/model/tokenizer_config.json")["eos_token"], "<|im_end|>");
    // What a prompt is made of, the text of transformers' template tells; both tokens are there.
    let asked = json(&gptune(folder, &["ask", "--model", "run", "Hi.", "--max-new-tokens", "2", "--json"]));
    let ids: Vec<u64> = asked["prompt_ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect();
    assert_eq!((ids[0], ids.iter().filter(|&&id| id == 50_258).count()), (50_257, 1));
    let text = "<|im_start|>user\nHi.<|im_end|>\n<|im_start|>assistant\n";
    let tokenize = ["tokenize", "--model", "run/model", "--special-tokens", "--json"];
    assert_eq!(json(&gptune_reading(folder, &tokenize, text))["ids"], asked["prompt_ids"]);
    // The batches of the run, as the run's model has them and as GPT-2's tokenizer with these tokens.
    let own = ["data", "batches", "--data", "data.jsonl", "--limit", "2", "--json"];
    let of_model = json(&gptune(folder, &[&own[..], &["--model", "run/model"]].concat()));
    let plain = ["--template", "chatml", "--add-tokens", TOKENS, "--mask-instructions", "--batch-size", "4"];
    assert_eq!(json(&gptune(folder, &[&own[..], &plain, &["--max-length", "128"]].concat())), of_model);
    // The answers' file can be scored, whatever the data call their parts.
    let answers: Vec<Value> =
        serde_json::from_slice(&fs::read(folder.join("run/instruction-data-with-response.json")).unwrap()).unwrap();
    assert_eq!(answers.len(), 4);
    assert!(answers[0]["messages"].is_array() && answers[0]["instruction"].is_string(), "{}", answers[0]);
    run(folder, &["score", "run/instruction-data-with-response.json"]);
    // Going on, and through GGUF and back, the loss is the same.
    let here = loss(folder, "run/model");
    run(folder, &["export", "run/model", "--format", "gguf", "chat.gguf"]);
    run(folder, &["import", "chat.gguf", "back"]);
    for model in ["chat.gguf", "back"] {
        assert!((loss(folder, model) - here).abs() < 1e-5 * here, "{model}");
    }
    let on = ["train", "--model", "run/model", "--data", "data.jsonl", "--out", "on", "--max-steps", "1", "--no-eval"];
    run(folder, &on);
    assert!(fs::read_to_string(folder.join("on/config.toml")).unwrap().contains("prompt_style = \"chatml\""));
    assert_eq!(read("on/model/config.json")["vocab_size"], 50_259);
    // A run of them goes on where it was broken off.
    let stored = ["--template", "chatml", "--add-tokens", TOKENS, "--out", "kept", "--keep-checkpoint"];
    let model = tiny_model().display().to_string();
    let base = ["train", "--model", &model, "--data", "data.jsonl", "--epochs", "1", "--no-eval"];
    run(folder, &[&base[..], &stored].concat());
    run(folder, &["train", "--resume", "kept", "--epochs", "2"]);
    run(folder, &[&base[..6], &["2", "--no-eval"], &stored[..4], &["--out", "whole"]].concat());
    let weights = |run: &str| fs::read(folder.join(run).join("model/model.safetensors")).unwrap();
    assert!(weights("kept") == weights("whole"));
}

#[test]
fn marks_that_are_no_tokens_are_told_and_still_end() {
    let folder = tempfile::tempdir().unwrap();
    let said = trained(folder.path(), &["--template", "chatml"]);
    assert!(said.contains("the tokenizer has no token for <|im_start|> and <|im_end|>"), "{said}");
    assert!(said.contains("--add-tokens '<|im_start|>,<|im_end|>'"), "{said}");
    let own = ["data", "batches", "--data", "data.jsonl", "--template", "chatml", "--batch-size", "1", "--limit", "1"];
    let batch = json(&gptune(folder.path(), &[&own[..], &["--mask-instructions", "--json"]].concat()));
    assert_eq!(batch[0]["targets"][0].as_array().unwrap().last(), Some(&json!(50_256)));
}

const JINJA: &str = "{% for message in messages %}{% if message.role == 'system' %}{{ message.content }} {% elif \
                     message.role == 'user' %}Q: {{ message.content }} {% else %}{% generation %}A: {{ message.content }}\
                     {{ eos_token }}{% endgeneration %}{% endif %}{% endfor %}{% if add_generation_prompt %}A:{% endif %}";
const TOML: &str = "system = \"{content} \"\nuser = \"Q: {content} \"\nheader = \"A: \"\nheader_is_trained = true\n";

#[test]
fn a_template_of_a_file_is_stored_with_the_model() {
    for (file, text) in [("mine.jinja", JINJA), ("mine.toml", TOML)] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        fs::write(folder.join(file), text).unwrap();
        trained(folder, &["--template", file]);
        let batches = |more: &[&str]| {
            let own = ["data", "batches", "--data", "data.jsonl", "--limit", "1", "--json"];
            json(&gptune(folder, &[&own[..], more].concat()))
        };
        let plain = ["--mask-instructions", "--batch-size", "4", "--max-length", "128"];
        let want = batches(&[&["--template", file][..], &plain].concat());
        // Nobody needs the file any more.
        fs::remove_file(folder.join(file)).unwrap();
        assert_eq!(batches(&["--model", "run/model"]), want);
        let here = loss(folder, "run/model");
        run(folder, &["export", "run/model", "--format", "gguf", "mine.gguf"]);
        assert!((loss(folder, "mine.gguf") - here).abs() < 1e-5 * here);
        let on = ["train", "--model", "run", "--data", "data.jsonl", "--out", "on", "--max-steps", "1", "--no-eval"];
        run(folder, &on);
        let about: Value = serde_json::from_slice(&fs::read(folder.join("on/model/gptune.json")).unwrap()).unwrap();
        assert_eq!(about["prompt_style"]["name"], "mine");
        run(folder, &["ask", "--model", "on", "Count.", "--max-new-tokens", "2"]);
        run(folder, &["respond", "--model", "on", "--data", "data.jsonl", "--limit", "2", "--max-new-tokens", "2"]);
    }
}

#[test]
fn templates_and_fields_that_cannot_be_used_are_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_conversations(&folder.join("data.jsonl"), 10);
    fs::write(
        folder.join("bad.jinja"),
        "{% for m in messages %}{% generation %}{{ m.text }}{% endgeneration %}{% endfor %}",
    )
    .unwrap();
    fs::write(folder.join("none.jinja"), "{{ messages[0].content }}").unwrap();
    fs::write(folder.join("bad.toml"), "user = \"{question}\"\nheader = \"\"\n").unwrap();
    let batches =
        |flags: &[&str]| failure(&gptune(folder, &[&["data", "batches", "--data", "data.jsonl"], flags].concat()));
    for (flags, part) in [
        (
            ["--template", "bad.jinja"],
            "10 of 10 entries cannot be used: entry 0 (line 1): the template bad: line 1: undefined value",
        ),
        (["--template", "none.jinja"], "none.jinja: it marks nothing that is to be learnt"),
        (["--template", "bad.toml"], "bad.toml: 'user' refers to {question}"),
        (["--template", "llama"], "unknown template 'llama'; known: book, alpaca, phi3, chatml, zephyr, or a file"),
        (["--template", "gone.toml"], "cannot read gone.toml"),
        (
            ["--fields", "instruction=q"],
            "has no 'q'; its only key is 'messages', which are conversations in 'messages'",
        ),
        (["--fields", "question=q"], "'question' is unknown"),
    ] {
        let error = batches(&flags);
        assert!(error.contains(part), "{flags:?}: {error}");
    }
}

#[test]
fn standard_input_and_a_token_cache_give_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_conversations(&folder.join("data.jsonl"), 40);
    let text = fs::read_to_string(folder.join("data.jsonl")).unwrap();
    let from = |data: &str, input: &str| {
        let arguments = ["data", "batches", "--data", data, "--template", "zephyr", "--json"];
        json(&gptune_reading(folder, &arguments, input))
    };
    assert_eq!(from("-", &text), from("data.jsonl", ""));
    let model = tiny_model().display().to_string();
    let base =
        ["train", "--model", &model, "--data", "data.jsonl", "--max-steps", "5", "--template", "zephyr", "--respond"];
    let base = [&base[..], &["--response-tokens", "2"]].concat();
    run(folder, &[&base[..], &["--out", "plain"]].concat());
    run(folder, &[&base[..], &["--out", "written", "--token-cache", "tokens"]].concat());
    run(folder, &[&base[..], &["--out", "read", "--token-cache", "tokens"]].concat());
    assert_eq!(fs::read_dir(folder.join("tokens")).unwrap().count(), 1);
    for name in ["model/model.safetensors", "instruction-data-with-response.json"] {
        let file = |run: &str| fs::read(folder.join(run).join(name)).unwrap();
        assert!(file("plain") == file("written") && file("plain") == file("read"), "{name}");
    }
}

#[test]
fn plain_texts_are_learnt_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let lines: String = (0..40).map(|i| json!({ "text": format!("Story {i}.") }).to_string() + "\n").collect();
    fs::write(folder.join("data.jsonl"), lines).unwrap();
    let model = tiny_model().display().to_string();
    let train = ["train", "--model", &model, "--data", "data.jsonl", "--out", "run", "--max-steps", "2"];
    let said = run(folder, &train);
    assert!(!said.contains("repeat an instruction") && !said.contains("learn to stop"), "{said}");
    run(folder, &["respond", "--model", "run", "--limit", "1", "--max-new-tokens", "2"]);
}

#[test]
fn a_template_that_never_ends_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_conversations(&folder.join("data.jsonl"), 40);
    fs::write(folder.join("endless.jinja"), JINJA.replace("{{ eos_token }}", "")).unwrap();
    let model = tiny_model().display().to_string();
    let train = ["train", "--model", &model, "--data", "data.jsonl", "--out", "run", "--max-steps", "1"];
    let said = run(folder, &[&train[..], &["--template", "endless.jinja"]].concat());
    assert!(said.contains("the model does not learn to stop"), "{said}");
}
