//! Outputs that nobody reads any more, or that cannot be written.
#![cfg(unix)]

use std::{
    fs::{self, File},
    process::{Command, Stdio},
};

use crate::{tiny_model, write_data};

fn gptune() -> Command {
    Command::new(env!("CARGO_BIN_EXE_gptune"))
}

#[test]
fn an_error_on_a_closed_standard_error_is_still_status_1() {
    for arguments in
        [&["data", "batches", "--data", "absent.json"][..], &["generate", "--model", "gpt5", "--prompt", "x"]]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let status = gptune().args(arguments).stdout(Stdio::null()).stderr(writer).status().unwrap();
        assert_eq!(status.code(), Some(1), "no signal: {status}");
    }
}

#[test]
fn a_closed_standard_output_ends_a_command_quietly() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = gptune().args(["tokenize", "--json"]).stdin(Stdio::piped()).stdout(writer).spawn().unwrap();
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_under_the_output_is_said() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let output = gptune().args(["devices"]).stdout(full()).stderr(Stdio::piped()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("standard output") && error.contains("No space left"), "{error}");
    // A run goes on: what it is for lies in its folder.
    let folder = tempfile::tempdir().unwrap();
    write_data(&folder.path().join("data.json"), 40);
    let output = gptune()
        .current_dir(&folder)
        .args(["train", "--model", tiny_model().to_str().unwrap(), "--data", "data.json", "--out", "run"])
        .args(["--max-steps", "1", "--sample-tokens", "0"])
        .stdout(full())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{error}");
    assert_eq!(error.matches("the output cannot be written").count(), 1, "{error}");
    assert!(fs::read_to_string(folder.path().join("run/metrics.jsonl")).unwrap().contains("\"event\":\"end\""));
    // Both full: nothing can be said, and nothing aborts.
    let status = gptune().args(["devices"]).stdout(full()).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(1));
}
