//! The program as a user starts it.
// A helper that unwraps fails its test, as it should.
#![allow(clippy::unwrap_used)]

mod back_ends;
mod bad_input;
mod contract;
mod conversations;
mod data_changes;
mod data_looks;
mod fetch;
mod interrupt;
mod outputs;
mod own_tokenizer;
mod quickstart;
mod runs;
mod score;
mod trained;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

use serde_json::Value;

/// Starts `gptune` in `folder` with nothing on its standard input.
fn gptune(folder: &Path, arguments: &[&str]) -> Output {
    gptune_reading(folder, arguments, "")
}

/// Starts `gptune` with a text on its standard input.
fn gptune_reading(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gptune"))
        .current_dir(folder)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that fails early may not read everything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// The JSON document that a successful command printed, and nothing else.
fn json(output: &Output) -> Value {
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{error}");
    serde_json::from_str(&out).unwrap_or_else(|fault| panic!("{fault} in {out:?}"))
}

/// The error of a command that failed with exit status 1: one line, without a panic.
fn failure(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.starts_with("error: ") && error.trim_end().lines().count() == 1, "one sentence: {error:?}");
    assert!(!error.contains("panicked") && !error.contains("internal fault"), "{error}");
    assert!(error.matches("os error").count() < 2, "said twice: {error}");
    error
}

/// A model folder with a tiny model of GPT-2's vocabulary, made by the program itself. It is made
/// once and only ever read.
fn tiny_model() -> &'static Path {
    static MODEL: OnceLock<PathBuf> = OnceLock::new();
    MODEL.get_or_init(|| {
        // A static value is never dropped, so that a temporary folder would be left each time.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tiny-model");
        _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("text.txt"), "One two three four five six seven.\n\n".repeat(60)).unwrap();
        let sizes = "--n-layer 1 --n-head 2 --n-embd 8 --n-positions 128 --block-size 16 --steps 2 --batch-size 2";
        let mut arguments = vec!["pretrain", "--text", "text.txt", "--out", "tiny"];
        arguments.extend(sizes.split(' '));
        let output = gptune(&folder, &arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        folder.join("tiny")
    })
}

/// Writes a dataset of `n` short examples.
fn write_data(path: &Path, n: usize) {
    let entries: Vec<Value> = (0..n)
        .map(|i| {
            let input = if i % 2 == 0 { String::new() } else { format!("item {i}") };
            serde_json::json!({"instruction": format!("Name number {i}."), "input": input, "output": format!("It is {i}."), "id": i})
        })
        .collect();
    std::fs::write(path, serde_json::to_string(&entries).unwrap()).unwrap();
}
