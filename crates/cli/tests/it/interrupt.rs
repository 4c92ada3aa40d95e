//! Ctrl-C, and readers that go away.
#![cfg(unix)]

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::{tiny_model, write_data};

/// A training run in `folder` that would take long, read until it has printed `line`.
fn start_until(folder: &Path, more: &[&str], line: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    write_data(&folder.join("data.json"), 400);
    let mut child = Command::new(env!("CARGO_BIN_EXE_gptune"))
        .current_dir(folder)
        .args(["train", "--model", tiny_model().to_str().unwrap(), "--data", "data.json", "--out", "run"])
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    while !text.contains(line) {
        assert_ne!(out.read_line(&mut text).unwrap(), 0, "ended early: {text}");
    }
    (child, out)
}

fn send_interrupt(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn ctrl_c_finishes_the_step_and_says_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, mut out) = start_until(folder.path(), &["--epochs", "1000", "--respond"], "Ep 1 (Step 000005)");
    send_interrupt(&child);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(
        rest.contains("Stopped after") && rest.contains("--recipe \"run/config.toml\" --model \"run/model\""),
        "{rest}"
    );
    let run = folder.path().join("run");
    assert!(run.join("model/model.safetensors").is_file() && run.join("loss-plot.svg").is_file());
    assert!(!run.join("instruction-data-with-response.json").exists(), "no answers from half a training");
    let metrics = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    assert!(metrics.lines().last().unwrap().contains("\"event\":\"end\""), "{metrics}");
    // What it said to type works.
    let arguments = ["train", "--recipe", "run/config.toml", "--model", "run/model", "--out", "on", "--max-steps", "1"];
    let output = crate::gptune(folder.path(), &arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_run_outlives_the_reader_of_its_output() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, out) = start_until(folder.path(), &["--max-steps", "12"], "Ep 1 (Step 000000)");
    drop(out);
    assert!(child.wait().unwrap().success());
    assert!(folder.path().join("run/loss-plot.png").is_file());
}
