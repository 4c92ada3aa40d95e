//! Files that are not of the Hub.

use std::{fs, path::Path, time::Duration};

use gptune_fetch::{Checks, Damage, FetchError, PlainFiles, Progress};

use crate::{
    fake_hub::{PATIENCE, large},
    server::{Reply, Server},
};

const NAMES: [&str; 3] = ["checkpoint", "hparams.json", "model.ckpt.data-00000-of-00001"];

/// The file that a server has under any name but one.
fn contents(path: &str) -> Vec<u8> {
    if path.ends_with(NAMES[2]) { large().to_vec() } else { path.rsplit('/').next().unwrap().into() }
}

fn fetch(bases: &[String], folder: &Path) -> Result<(), FetchError> {
    let bases: Vec<&str> = bases.iter().map(String::as_str).collect();
    files(&bases, &NAMES, folder, &Checks::default()).fetch(false, &mut |_| {})
}

fn files<'a>(bases: &'a [&'a str], names: &'a [&'a str], folder: &'a Path, checks: &'a Checks) -> PlainFiles<'a> {
    PlainFiles { bases, names, folder, checks, patience: PATIENCE }
}

fn fetch_from(base: &str, name: &str, folder: &Path) -> Result<(), FetchError> {
    files(&[base], &[name], folder, &Checks::default()).fetch(false, &mut |_| {})
}

fn assert_complete(folder: &Path) {
    for name in NAMES {
        assert!(fs::read(folder.join(name)).unwrap() == contents(name));
    }
    // With a record of each.
    assert_eq!(fs::read_dir(folder).unwrap().count(), 2 * NAMES.len());
}

#[test]
fn first_base_that_has_them() {
    let bad = Server::start(|request| match request.path.as_str() {
        path if path.ends_with("/checkpoint") => Reply::new(404),
        _ => Reply { body: b"<html>".to_vec(), ..Reply::new(200).header("Content-Type", "text/html; charset=utf-8") },
    });
    let good = Server::start(|request| Reply::file(request, &contents(&request.path)));
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("124M");
    let bases = [format!("{}/models/124M", bad.url()), format!("{}/124M/", good.url())];
    fetch(&bases, &target).unwrap();
    assert_complete(&target);
    // The one that had the first file is asked first from then on.
    assert_eq!(bad.requests().len(), 1);
    assert_eq!(good.requests()[0].path, "/124M/checkpoint");
    // What is there is left alone.
    fetch(&bases, &target).unwrap();
    assert_eq!(good.requests().len(), NAMES.len());

    let nowhere = folder.path().join("nowhere");
    let error = fetch(&bases[..1], &nowhere).unwrap_err();
    assert!(matches!(error, FetchError::Status { status: 404, .. }), "{error}");
    let missing = format!("{}/nothing", bad.url());
    let error = fetch(&[missing, "http://127.0.0.1:1".to_owned()], &nowhere).unwrap_err().to_string();
    assert!(error.starts_with("cannot download 'checkpoint' from any of its addresses: "), "{error}");
    assert!(error.contains("is status 404") && error.contains("cannot reach 127.0.0.1:1"), "{error}");
    assert!(!nowhere.join("checkpoint").exists() && !nowhere.join("checkpoint.incomplete").exists());

    let error = fetch_from(&bad.url(), "model.ckpt.meta", &nowhere).unwrap_err();
    assert!(error.to_string().contains("it is a web page"), "{error}");
    let error = fetch_from(&bad.url(), "../x", &nowhere).unwrap_err();
    assert!(matches!(error, FetchError::FileName { .. }), "{error}");
}

#[test]
fn broken_downloads_go_on() {
    let server = Server::start(|request| {
        let reply = Reply::file(request, &contents(&request.path));
        Reply { cut: Some(120_000), ..reply }
    });
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(format!("{}.incomplete", NAMES[2])), &large()[..1000]).unwrap();
    // All of it, without the name.
    fs::write(folder.path().join("checkpoint.incomplete"), "checkpoint").unwrap();
    let mut last = Vec::new();
    let (url, checks) = (server.url(), Checks::default());
    let bases = [url.as_str()];
    let files = files(&bases, &NAMES, folder.path(), &checks);
    files
        .fetch(false, &mut |progress: Progress| {
            assert!(progress.total.is_none_or(|total| progress.bytes <= total));
            last.retain(|(file, _)| file != progress.file);
            last.push((progress.file.to_owned(), progress.bytes));
        })
        .unwrap();
    assert_complete(folder.path());
    let starts: Vec<_> = server.requests().iter().map(super::server::Request::start).collect();
    assert_eq!(starts, [Some(10), None, Some(1000), Some(121_000), Some(241_000)]);
    let sizes = [10, 12, large().len() as u64];
    assert_eq!(last, NAMES.map(str::to_owned).into_iter().zip(sizes).collect::<Vec<_>>());
}

#[test]
fn one_of_two_fetches() {
    let server = Server::start(|request| {
        let reply = Reply::file(request, &contents(&request.path));
        Reply { slow: Duration::from_millis(1), ..reply }
    });
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| fetch(&[server.url()], folder.path()).unwrap());
        }
    });
    assert_complete(folder.path());
    assert_eq!(server.requests().len(), NAMES.len());
}

#[test]
fn what_was_received_is_recorded_and_compared_later() {
    let server = Server::start(|request| Reply::file(request, &contents(&request.path)));
    let folder = tempfile::tempdir().unwrap();
    let (url, checks) = (server.url(), Checks::default());
    let bases = [url.as_str()];
    // Another process each time.
    let process = || files(&bases, &NAMES, folder.path(), &checks);
    let damaged = |files: PlainFiles| {
        let checks = Checks::default();
        let damaged = PlainFiles { checks: &checks, ..files }.check(&mut |_| {}).unwrap();
        damaged.into_iter().map(|damaged| (damaged.file, damaged.damage)).collect::<Vec<_>>()
    };
    process().fetch(false, &mut |_| {}).unwrap();
    let record = fs::read_to_string(folder.path().join("checkpoint.received")).unwrap();
    // sha256sum's.
    let sum = "47320987f9a49d5b00119b960f247a956773f57543982b8bfcb6da5bb3afd9ef";
    assert_eq!(record, format!("{{\"bytes\":10,\"sha256\":\"{sum}\"}}\n"));
    assert_eq!(damaged(process()), []);

    // Of another length, and of the same.
    fs::write(folder.path().join("checkpoint"), "check").unwrap();
    fs::write(folder.path().join("hparams.json"), "hparams.JSON").unwrap();
    let expected = [
        ("checkpoint".to_owned(), Damage::Length { found: 5, expected: 10 }),
        ("hparams.json".to_owned(), Damage::Checksum { found: 12 }),
    ];
    assert_eq!(damaged(process()), expected);
    let before = server.requests().len();
    process().fetch(false, &mut |_| {}).unwrap();
    assert_complete(folder.path());
    assert_eq!(server.requests().len(), before + 2, "what is sound is left alone");

    // Nobody there: the file is named, and stays.
    fs::write(folder.path().join("checkpoint"), "check").unwrap();
    let error = fetch(&["http://127.0.0.1:1".to_owned()], folder.path()).unwrap_err().to_string();
    let place = folder.path().join("checkpoint");
    let begin = format!("{} is damaged (5 bytes, should be 10) and cannot be downloaded again: ", place.display());
    assert!(error.starts_with(&begin), "{error}");
    assert_eq!(fs::read(&place).unwrap(), b"check");
    process().fetch(false, &mut |_| {}).unwrap();
    assert_complete(folder.path());
}

#[test]
fn a_file_without_a_record_is_used_unless_it_cannot_be_what_it_should() {
    let server = Server::start(|request| Reply::file(request, &contents(&request.path)));
    let folder = tempfile::tempdir().unwrap();
    let bases = [server.url()];
    for name in NAMES {
        fs::write(folder.path().join(name), "of an earlier version").unwrap();
    }
    fetch(&bases, folder.path()).unwrap();
    assert_eq!(server.requests().len(), 0);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), NAMES.len(), "no record is made up");
    let stand_ins = ["", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "<!doctype html><p>Log in"];
    for (name, bytes) in NAMES.iter().zip(stand_ins) {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    fetch(&bases, folder.path()).unwrap();
    assert_complete(folder.path());

    // Nor is one of these taken from a server.
    let server = Server::start(|request| Reply::file(request, b"version https://git-lfs.github.com/spec/v1\n"));
    let nowhere = folder.path().join("nowhere");
    let error = fetch_from(&server.url(), "checkpoint", &nowhere).unwrap_err().to_string();
    assert!(error.contains("/checkpoint: it is a Git LFS pointer, not the file; "), "{error}");
    assert_eq!(
        fs::read_dir(&nowhere).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>(),
        ["checkpoint.lock"]
    );
}

#[test]
fn anew_replaces_files_with_what_the_server_has_now() {
    let folder = tempfile::tempdir().unwrap();
    let old = Server::start(|request| Reply::file(request, b"old"));
    fetch(&[old.url()], folder.path()).unwrap();
    let server = Server::start(|request| Reply::file(request, &contents(&request.path)));
    fs::write(folder.path().join("checkpoint.incomplete"), "old").unwrap();
    let (url, checks) = (server.url(), Checks::default());
    let bases = [url.as_str()];
    files(&bases, &NAMES, folder.path(), &checks).fetch(true, &mut |_| {}).unwrap();
    assert_complete(folder.path());
    assert_eq!(files(&bases, &NAMES, folder.path(), &Checks::default()).check(&mut |_| {}).unwrap(), []);
    assert!(server.requests().iter().all(|request| request.start().is_none()));
}
