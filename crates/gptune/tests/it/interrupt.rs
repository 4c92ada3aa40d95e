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
    assert_eq!(child.wait().unwrap().code(), Some(130), "a script that goes on only after success does not");
    assert!(rest.contains("Stopped after") && rest.contains("train --resume \"run\""), "{rest}");
    let run = folder.path().join("run");
    assert!(run.join("model/model.safetensors").is_file() && run.join("loss-plot.svg").is_file());
    assert!(!run.join("instruction-data-with-response.json").exists(), "no answers from half a training");
    let metrics = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let last = metrics.lines().last().unwrap();
    assert!(last.contains("\"event\":\"end\"") && last.contains("\"interrupted\":true"), "{metrics}");
    // What it said to type works; only the length of the run may be another.
    let steps = lines(&run.join("metrics.jsonl"));
    let output = crate::gptune(folder.path(), &["train", "--resume", "run", "--max-steps", "1000", "--no-eval"]);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(run.join("checkpoint/state.json")).unwrap();
    let state: serde_json::Value = serde_json::from_str(&text).unwrap();
    let taken = state["progress"]["step"].as_u64().unwrap();
    let more = (taken + 3).to_string();
    let output = crate::gptune(folder.path(), &["train", "--resume", "run", "--max-steps", &more]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains(&format!("Going on with run after {taken} steps")), "{said}");
    let metrics = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    assert_eq!(metrics.matches("\"event\":\"start\"").count(), 1, "{metrics}");
    assert_eq!(metrics.matches("\"event\":\"step\"").count() as u64, taken + 3, "{steps}");
    assert_eq!(metrics.matches("\"event\":\"end\"").count(), 1);
    assert!(run.join("instruction-data-with-response.json").is_file() && !run.join("checkpoint").exists());
    // It is complete now.
    let output = crate::gptune(folder.path(), &["train", "--resume", "run"]);
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("run is complete"));
}

#[test]
fn a_state_that_cannot_be_gone_on_with_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, mut out) = start_until(folder.path(), &["--epochs", "1000"], "Ep 1 (Step 000005)");
    let resume = |run: &str| crate::failure(&crate::gptune(folder.path(), &["train", "--resume", run]));
    send_interrupt(&child);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    child.wait().unwrap();
    let at = |name: &str| folder.path().join("run").join(name);
    assert!(resume("nowhere").contains("nowhere is not the folder of a run"));
    let with = |name: &str, change: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        let before = std::fs::read(at(name)).unwrap();
        std::fs::write(at(name), change(before.clone())).unwrap();
        let error = resume("run");
        std::fs::write(at(name), before).unwrap();
        error
    };
    let cut = with("checkpoint/state.safetensors", &|bytes| bytes[..bytes.len() / 2].to_vec());
    assert!(cut.contains("state.safetensors") && cut.contains("last good model is in \"run/model\""), "{cut}");
    let altered = with("checkpoint/state.safetensors", &|mut bytes| {
        *bytes.last_mut().unwrap() ^= 1;
        bytes
    });
    assert!(altered.contains("checksum"), "{altered}");
    let json = |from: &'static str, to: &'static str| {
        move |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(from, to).into_bytes()
    };
    let later = with("checkpoint/state.json", &json("\"version\": 1", "\"version\": 7"));
    assert!(later.contains("later version of gptune"), "{later}");
    let settings = with("config.toml", &json("\nlr = ", "\nlr = 1"));
    assert!(settings.contains("begun with: lr; only epochs and max_steps may change"), "{settings}");
    let data = folder.path().join("data.json");
    let before = std::fs::read(&data).unwrap();
    write_data(&data, 401);
    assert!(resume("run").contains("the data are not what run is trained on"));
    std::fs::write(&data, before).unwrap();
    std::fs::rename(at("checkpoint"), folder.path().join("away")).unwrap();
    let gone = resume("run");
    assert!(gone.contains("its state (checkpoint/) is not there any more"), "{gone}");
    std::fs::rename(folder.path().join("away"), at("checkpoint")).unwrap();
    // One process at a time.
    let mut first = Command::new(env!("CARGO_BIN_EXE_gptune"))
        .current_dir(folder.path())
        .args(["train", "--resume", "run"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(first.stdout.take().unwrap());
    let mut text = String::new();
    while !text.contains("(Step ") {
        assert_ne!(lines.read_line(&mut text).unwrap(), 0, "ended early: {text}");
    }
    let busy = crate::gptune(folder.path(), &["train", "--resume", "run"]);
    assert!(String::from_utf8_lossy(&busy.stderr).contains("run is being written by another process"));
    first.kill().unwrap();
    first.wait().unwrap();
}

#[test]
fn a_model_that_was_broken_off_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let names = |path: &Path| -> Vec<std::path::PathBuf> {
        std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    for target in ["new", "empty"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_gptune"))
            .current_dir(folder.path())
            .args(["init", target, "--n-layer", "8", "--n-embd", "768", "--n-head", "12"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let inside = |path: &Path| names(path).into_iter().any(|path| !names(&path).is_empty());
        while !inside(folder.path()) && !inside(&folder.path().join("empty")) {
            assert!(child.try_wait().unwrap().is_none(), "it has to be seen while it writes");
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        send_interrupt(&child);
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert_eq!(names(folder.path()), [folder.path().join("empty")]);
        assert_eq!(names(&folder.path().join("empty")).len(), 0);
    }
}

#[test]
fn a_run_outlives_the_reader_of_its_output() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, out) = start_until(folder.path(), &["--max-steps", "12"], "Ep 1 (Step 000000)");
    drop(out);
    assert!(child.wait().unwrap().success());
    assert!(folder.path().join("run/loss-plot.png").is_file());
}

/// A number in the JSON Lines of a file: its lines.
fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap_or_default().lines().count()
}

#[test]
fn sigterm_ends_a_long_evaluation_with_its_own_status() {
    let folder = tempfile::tempdir().unwrap();
    // All of ten thousand validation batches after the first step, which would take minutes.
    write_data(&folder.path().join("val.json"), 20_000);
    write_data(&folder.path().join("train.json"), 40);
    let child = Command::new(env!("CARGO_BIN_EXE_gptune"))
        .current_dir(folder.path())
        .args([
            "train",
            "--model",
            tiny_model().to_str().unwrap(),
            "--train-data",
            "train.json",
            "--val-data",
            "val.json",
        ])
        .args(["--out", "run", "--batch-size", "2", "--eval-batches", "0", "--sample-tokens", "0", "--no-packing"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let metrics = folder.path().join("run/metrics.jsonl");
    // The evaluation before the first step has begun when the start is told.
    while lines(&metrics) < 1 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(143), "{}", String::from_utf8_lossy(&output.stderr));
    let metrics = std::fs::read_to_string(metrics).unwrap();
    assert!(metrics.contains("\"interrupted\":true") && !metrics.contains("\"initial\""), "{metrics}");
    assert!(folder.path().join("run/model/model.safetensors").is_file());
}

#[test]
fn answers_that_were_broken_off_are_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    write_data(&folder.path().join("data.json"), 400);
    let arguments = ["respond", "--model", tiny_model().to_str().unwrap(), "--data", "data.json"];
    let arguments = [&arguments[..], &["--max-new-tokens", "60", "--out", "answers.json"]].concat();
    let kept = folder.path().join("answers.json.partial");
    let mut child = Command::new(env!("CARGO_BIN_EXE_gptune"))
        .current_dir(folder.path())
        .args(&arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while lines(&kept) < 40 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    send_interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let before = lines(&kept);
    assert!(before < 401 && !folder.path().join("answers.json").exists(), "{before}");
    // What is there is taken as it is: a mark in the first answer comes through.
    let text = std::fs::read_to_string(&kept).unwrap();
    let (header, rest) = text.split_once('\n').unwrap();
    let (first, rest) = rest.split_once('\n').unwrap();
    let mut first: serde_json::Value = serde_json::from_str(first).unwrap();
    first["response"] = "as it was".into();
    // And a line that was being written when the program was killed is not.
    std::fs::write(&kept, format!("{header}\n{first}\n{rest}{{\"place\":399,\"resp")).unwrap();
    let output = crate::gptune(folder.path(), &arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answers = std::fs::read(folder.path().join("answers.json")).unwrap();
    let answers: Vec<serde_json::Value> = serde_json::from_slice(&answers).unwrap();
    assert_eq!((answers.len(), &answers[0]["model_response"]), (400, &"as it was".into()));
    assert!(!kept.exists());
    let all = [&arguments[..arguments.len() - 1], &["whole.json"]].concat();
    assert!(crate::gptune(folder.path(), &all).status.success());
    let whole: Vec<serde_json::Value> =
        serde_json::from_slice(&std::fs::read(folder.path().join("whole.json")).unwrap()).unwrap();
    assert_eq!(answers[1..], whole[1..], "as if nothing had happened");
}

/// Starts the program where no file may be larger than so many kilobytes, as if the disk were full.
fn with_little_room(folder: &Path, kilobytes: usize, arguments: &[&str]) -> Child {
    // Of the signal that goes with it, the program hears nothing.
    let script = format!("trap '' XFSZ; ulimit -f {kilobytes}; exec \"$0\" \"$@\"");
    Command::new("bash")
        .current_dir(folder)
        .args(["-c", &script, env!("CARGO_BIN_EXE_gptune")])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_state_for_which_there_is_no_room_leaves_the_one_before_and_the_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, mut out) = start_until(folder.path(), &["--epochs", "1000"], "Ep 1 (Step 000005)");
    send_interrupt(&child);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    child.wait().unwrap();
    let run = folder.path().join("run");
    let state = || std::fs::read(run.join("checkpoint/state.json")).unwrap();
    let before = state();
    let names = || {
        let mut names: Vec<_> = std::fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let left = names();
    // The model has 3.2 MB, and its state three times as much.
    let mut child = with_little_room(folder.path(), 5000, &["train", "--resume", "run"]);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    while !text.contains("(Step 00") {
        assert_ne!(out.read_line(&mut text).unwrap(), 0, "ended early: {text}");
    }
    send_interrupt(&child);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(
        said.contains("Note: cannot write run/checkpoint") && said.contains("what was stored before stays"),
        "{said}"
    );
    assert_eq!((state() == before, names()), (true, left), "the state is the one before, and nothing else is left");
    // It can still be gone on with, to the end of a run that has no room for states at all.
    let steps = lines(&run.join("metrics.jsonl")) + 20;
    let more = ["train", "--resume", "run", "--max-steps", &steps.to_string()];
    let output = with_little_room(folder.path(), 5000, &more).wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(run.join("model/model.safetensors").is_file() && !run.join("checkpoint").exists());
}

#[test]
fn training_from_scratch_that_was_broken_off_goes_on_to_the_same_model() {
    let folder = tempfile::tempdir().unwrap();
    let text = "One two three four five six seven.\n\nEight nine ten eleven twelve.\n\n".repeat(60);
    std::fs::write(folder.path().join("text.txt"), text).unwrap();
    let sizes = "--n-layer 1 --n-head 2 --n-embd 8 --n-positions 64 --block-size 16 --batch-size 2 --steps 160";
    let arguments = |out: &'static str| {
        let mut arguments = vec!["pretrain", "--text", "text.txt", "--out", out, "--compact-vocabulary"];
        arguments.extend(sizes.split(' '));
        arguments
    };
    assert!(crate::gptune(folder.path(), &arguments("whole")).status.success());
    let mut child = Command::new(env!("CARGO_BIN_EXE_gptune"))
        .current_dir(folder.path())
        .args(arguments("pieces"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let metrics = folder.path().join("pieces/metrics.jsonl");
    while lines(&metrics) < 20 {
        assert!(child.try_wait().unwrap().is_none(), "ended early");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    send_interrupt(&child);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("pretrain --resume \"pieces\""), "{said}");
    let wrong = crate::failure(&crate::gptune(folder.path(), &["train", "--resume", "pieces"]));
    assert!(wrong.contains("is a training from scratch") && wrong.contains("pretrain --resume"), "{wrong}");
    std::fs::write(folder.path().join("text.txt"), "Other words.\n\n".repeat(900)).unwrap();
    // Whoever resumes gives no settings, and gets the text refused if it is another one.
    let other = crate::failure(&crate::gptune(folder.path(), &["pretrain", "--resume", "pieces"]));
    assert!(other.contains("the text is not what pieces is trained on"), "{other}");
    let text = "One two three four five six seven.\n\nEight nine ten eleven twelve.\n\n".repeat(60);
    std::fs::write(folder.path().join("text.txt"), text).unwrap();
    let output = crate::gptune(folder.path(), &["pretrain", "--resume", "pieces"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let model = |run: &str| std::fs::read(folder.path().join(run).join("model.safetensors")).unwrap();
    assert!(model("whole") == model("pieces"));
    assert!(!folder.path().join("pieces/checkpoint").exists());
    let output = crate::gptune(folder.path(), &["pretrain", "--resume", "pieces"]);
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("pieces is complete"));
}

#[test]
fn a_run_that_was_broken_off_before_its_first_step_begins_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_data(&path.join("val.json"), 20_000);
    write_data(&path.join("train.json"), 40);
    let model = tiny_model().to_str().unwrap();
    let common = ["train", "--model", model, "--train-data", "train.json", "--val-data", "val.json", "--out", "run"];
    let more = ["--batch-size", "2", "--eval-batches", "0", "--sample-tokens", "0", "--no-packing", "--max-steps", "1"];
    let start = || {
        let mut program = Command::new(env!("CARGO_BIN_EXE_gptune"));
        program.current_dir(path).stdout(Stdio::piped()).stderr(Stdio::piped());
        program
    };
    let mut child = start().args(common).args(more).spawn().unwrap();
    // Within the evaluation before training, which takes minutes.
    while lines(&path.join("run/metrics.jsonl")) < 1 {
        assert!(child.try_wait().unwrap().is_none(), "ended early");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    send_interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    write_data(&path.join("val.json"), 4);
    let output = crate::gptune(path, &["train", "--resume", "run"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("it begins again"), "{said}");
    assert!(path.join("run/model/model.safetensors").is_file());
}

#[test]
fn a_signal_before_a_run_is_begun_ends_the_program_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    // Encoding them takes longer than the signal.
    write_data(&path.join("data.json"), 200_000);
    let mut child = Command::new(env!("CARGO_BIN_EXE_gptune"))
        .current_dir(path)
        .args(["train", "--model", tiny_model().to_str().unwrap(), "--data", "data.json", "--out", "run"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    send_interrupt(&child);
    let status = child.wait().unwrap();
    assert!(!status.success() && status.code().is_none_or(|code| code == 130), "{status:?}");
    assert!(!path.join("run").exists());
}
