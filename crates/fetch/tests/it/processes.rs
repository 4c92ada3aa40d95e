//! Several at once, and ends that nobody expects.

use std::{
    env, fs,
    path::Path,
    process::{Child, Stdio},
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use gptune_fetch::Hub;

use crate::{
    fake_hub::{COMMIT, Fixture, LARGE, REPOSITORY, SIZE, etag, large},
    server::Reply,
};

/// Not a test: what the other tests start as a process of its own.
#[test]
#[ignore = "started by the other tests"]
fn child() {
    let snapshot = Hub::from_env().fetch(REPOSITORY, &["config.json", LARGE], &[], &mut |_| {}).unwrap();
    println!("{}", snapshot.display());
}

fn start_child(fixture: &Fixture) -> Child {
    let mut command = fixture.command(&env::current_exe().unwrap());
    command.args(["processes::child", "--exact", "--ignored", "--nocapture"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// A Hub that takes a third of a second for the large file.
fn slow() -> Fixture {
    Fixture::with_contents(|_, _, reply| Reply { slow: Duration::from_millis(1), ..reply })
}

#[test]
fn two_processes() {
    let fixture = slow();
    let mut children = [start_child(&fixture), start_child(&fixture)];
    assert!(children.iter_mut().all(|child| child.wait().unwrap().success()));
    assert_eq!(fixture.server.starts(), [None]);
    fixture.assert_complete(&fixture.hub().cached(REPOSITORY).unwrap());
}

#[test]
fn two_processes_repair_once() {
    let fixture = slow();
    fixture.fetch_large().unwrap();
    let cut = &large()[..1000];
    fs::write(fixture.blob(LARGE), cut).unwrap();
    let mut children = [start_child(&fixture), start_child(&fixture)];
    // Whoever reads meanwhile sees the old file or the new one.
    while children.iter_mut().any(|child| child.try_wait().unwrap().is_none()) {
        let bytes = fs::read(fixture.blob(LARGE)).unwrap();
        assert!(bytes == cut || bytes == large(), "{} bytes", bytes.len());
        thread::sleep(Duration::from_millis(5));
    }
    assert!(children.iter_mut().all(|child| child.wait().unwrap().success()));
    assert_eq!(fixture.server.starts(), [None; 2]);
    fixture.assert_complete(&fixture.hub().cached(REPOSITORY).unwrap());
}

#[test]
fn eight_threads() {
    let fixture = slow();
    let together = Barrier::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                together.wait();
                let mut last = None;
                let snapshot = fixture.hub().fetch(REPOSITORY, &["config.json", LARGE], &[], &mut |progress| {
                    if progress.file == LARGE {
                        // Who waits sees how far the other one is.
                        assert_eq!(progress.total, Some(SIZE as u64));
                        last = Some(progress.bytes);
                    }
                });
                fixture.assert_complete(&snapshot.unwrap());
                assert!(last.is_none_or(|bytes| bytes <= SIZE as u64));
            });
        }
    });
    assert_eq!(fixture.server.starts(), [None]);
}

#[test]
fn killed_in_the_middle() {
    let is_open = Arc::new(AtomicBool::new(false));
    let opened = Arc::clone(&is_open);
    let fixture = Fixture::with_contents(move |_, _, reply| {
        let stall = (!opened.load(Ordering::SeqCst)).then_some(200_000);
        Reply { stall, ..reply }
    });
    let mut child = start_child(&fixture);
    let start = Instant::now();
    while fs::metadata(fixture.partial()).map_or(0, |partial| partial.len()) < 200_000 {
        assert!(start.elapsed() < Duration::from_mins(1) && child.try_wait().unwrap().is_none());
        thread::sleep(Duration::from_millis(10));
    }
    // SIGKILL where there is one.
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!fixture.repository().join("snapshots").join(COMMIT).join(LARGE).exists());
    assert!(!fixture.repository().join("refs").exists());
    assert_eq!(fixture.hub().cached(REPOSITORY), None);
    assert!(fs::read(fixture.partial()).unwrap() == large()[..200_000]);

    // The lock went with the process, and the rest is fetched.
    is_open.store(true, Ordering::SeqCst);
    assert!(start_child(&fixture).wait().unwrap().success());
    fixture.assert_complete(&fixture.hub().cached(REPOSITORY).unwrap());
    assert_eq!(fixture.server.starts(), [None, Some(200_000)]);
}

#[test]
fn killed_at_any_moment() {
    let fixture = slow();
    let start = Instant::now();
    let mut child = start_child(&fixture);
    assert!(child.wait().unwrap().success());
    let whole = start.elapsed();
    let fixture = Fixture { folder: tempfile::tempdir().unwrap(), ..fixture };
    let is_absent_or_complete = |path: &Path| fs::read(path).map_or(true, |bytes| bytes == large());
    for part in 1..=12 {
        let mut child = start_child(&fixture);
        thread::sleep(whole * part / 16);
        child.kill().unwrap();
        child.wait().unwrap();
        let snapshot = fixture.repository().join("snapshots").join(COMMIT).join(LARGE);
        assert!(is_absent_or_complete(&snapshot));
        assert!(is_absent_or_complete(&fixture.repository().join("blobs").join(etag(LARGE))));
        assert!(fixture.hub().cached(REPOSITORY).is_none_or(|snapshot| snapshot.join(LARGE).is_file()));
        assert!(fs::read(fixture.partial()).map_or(true, |partial| large().starts_with(&partial)));
    }
    fixture.assert_complete(&fixture.fetch_large().unwrap());
    // Each began where the one before it was killed.
    let starts = fixture.server.starts();
    assert!(starts[1..].is_sorted(), "{starts:?}");
}
