//! The same cache, used by `huggingface_hub`.
//!
//! These need a Python that has it in `GPTUNE_PYTHON`; `cargo xtask ci` runs them with one.

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use gptune_fetch::Check;

use crate::{
    data_sets,
    fake_hub::{Fixture, LARGE, PATIENCE, REPOSITORY, nothing_received},
    server::Reply,
};

fn python(fixture: &Fixture, mode: &str) -> Command {
    let python = env::var_os("GPTUNE_PYTHON").expect("GPTUNE_PYTHON names a Python that has huggingface_hub");
    interpreter(fixture.command(Path::new(&python)), mode)
}

fn interpreter(mut command: Command, mode: &str) -> Command {
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/interoperation.py")).arg(mode);
    command.env("HF_HUB_DISABLE_PROGRESS_BARS", "1").env("HF_HUB_DISABLE_TELEMETRY", "1");
    command
}

#[test]
#[ignore = "needs a Python with huggingface_hub in GPTUNE_PYTHON; cargo xtask ci has one"]
fn finds_what_this_wrote() {
    for symlinks in ["0", "1"] {
        let fixture = Fixture::new(|_, reply| reply);
        let mut command = python(&fixture, "find");
        let hub = fixture.hub_with(&[("HF_HUB_DISABLE_SYMLINKS", symlinks)], PATIENCE);
        let snapshot = hub.fetch(REPOSITORY, &["config.json", LARGE], &["onnx/a b.txt"], &mut |_| {}).unwrap();
        let before = fixture.server.requests().len();
        assert!(command.arg(snapshot).status().unwrap().success());
        assert_eq!(fixture.server.requests().len(), before, "a search in the cache asks nobody");

        // Nor does it fetch again what is there.
        assert!(python(&fixture, "download").status().unwrap().success());
        assert_eq!(fixture.server.starts(), [None]);
    }
}

#[test]
#[ignore = "needs a Python with huggingface_hub in GPTUNE_PYTHON; cargo xtask ci has one"]
fn is_found_by_this() {
    // File by file, and as a whole.
    for mode in ["download", "snapshot"] {
        let fixture = Fixture::new(|_, reply| reply);
        let mut command = python(&fixture, mode);
        assert!(command.status().unwrap().success());
        let snapshot = fixture.hub().cached(REPOSITORY).unwrap();
        fixture.assert_complete(&snapshot);
        assert_eq!(fixture.server.starts(), [None]);
        let files = ["config.json", LARGE, "onnx/a b.txt"];
        let found = fixture.hub().fetch(REPOSITORY, &files, &[], &mut nothing_received).unwrap();
        assert_eq!(found, snapshot);
        let hub = fixture.hub_with(&[("HF_HUB_OFFLINE", "1")], PATIENCE);
        assert_eq!(hub.fetch(REPOSITORY, &files, &[], &mut nothing_received).unwrap(), snapshot);
    }
}

#[test]
#[ignore = "needs a Python with huggingface_hub in GPTUNE_PYTHON; cargo xtask ci has one"]
fn data_sets_are_shared_too() {
    let python = env::var_os("GPTUNE_PYTHON").expect("GPTUNE_PYTHON names a Python that has huggingface_hub");
    let start = |fixture: &data_sets::Fixture, mode: &str| {
        let mut command = interpreter(fixture.command(Path::new(&python)), mode);
        command.env("HF_HUB_DISABLE_XET", "1");
        command
    };
    let name = data_sets::name(REPOSITORY);
    // What this wrote is found there.
    let fixture = data_sets::Fixture::with(&data_sets::SHARDED);
    let set = fixture.hub().data_set(&name, &mut |_| {}).unwrap();
    let before = fixture.server.requests().len();
    let mut command = start(&fixture, "find-data");
    assert!(command.arg(&set.folder).args(set.files()).status().unwrap().success());
    assert_eq!(fixture.server.requests().len(), before, "a search in the cache asks nobody");
    // What that wrote is found here, with the list of its files.
    let fixture = data_sets::Fixture::with(&data_sets::SHARDED);
    assert!(start(&fixture, "snapshot-data").status().unwrap().success());
    let before = fixture.server.requests().len();
    let (found, check) = fixture.hub().cached_data_set(&name, &mut nothing_received).unwrap().unwrap();
    assert_eq!((found.splits, found.is_known, check), (set.splits, true, Check::default()));
    assert_eq!(fixture.server.requests().len(), before);
}

#[test]
#[ignore = "needs a Python with huggingface_hub in GPTUNE_PYTHON; cargo xtask ci has one"]
fn waits_for_this_and_this_for_it() {
    for python_is_first in [false, true] {
        let is_sent = Arc::new(AtomicBool::new(false));
        let sent = Arc::clone(&is_sent);
        let fixture = Fixture::with_contents(move |_, _, reply| {
            sent.store(true, Ordering::SeqCst);
            Reply { slow: Duration::from_millis(20), ..reply }
        });
        let mut command = python(&fixture, "download");
        let wait = || {
            while !is_sent.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(10));
            }
        };
        let status = if python_is_first {
            let mut child = command.spawn().unwrap();
            wait();
            fixture.fetch_large().unwrap();
            child.wait().unwrap()
        } else {
            thread::scope(|scope| {
                scope.spawn(|| fixture.fetch_large().unwrap());
                wait();
                command.stdout(Stdio::null()).status().unwrap()
            })
        };
        assert!(status.success());
        assert_eq!(fixture.server.starts(), [None], "one of them fetches: python first is {python_is_first}");
        fixture.assert_complete(&fixture.hub().cached(REPOSITORY).unwrap());
    }
}
