//! Files that are not of the Hub.

use std::{fs, time::Duration};

use gptune_fetch::{FetchError, Progress, fetch_files};

use crate::{
    fake_hub::{PATIENCE, large},
    server::{Reply, Server},
};

const NAMES: [&str; 3] = ["checkpoint", "hparams.json", "model.ckpt.data-00000-of-00001"];

/// The file that a server has under any name but one.
fn contents(path: &str) -> Vec<u8> {
    if path.ends_with(NAMES[2]) { large().to_vec() } else { path.rsplit('/').next().unwrap().into() }
}

fn fetch(bases: &[String], folder: &std::path::Path) -> Result<(), FetchError> {
    let bases: Vec<&str> = bases.iter().map(String::as_str).collect();
    fetch_files(&bases, &NAMES, folder, PATIENCE, &mut |_| {})
}

fn assert_complete(folder: &std::path::Path) {
    for name in NAMES {
        assert!(fs::read(folder.join(name)).unwrap() == contents(name));
    }
    assert_eq!(fs::read_dir(folder).unwrap().count(), NAMES.len());
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

    let error = fetch_files(&[&bad.url()], &["model.ckpt.meta"], &nowhere, PATIENCE, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("it is a web page"), "{error}");
    let error = fetch_files(&[&bad.url()], &["../x"], &nowhere, PATIENCE, &mut |_| {}).unwrap_err();
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
    fetch_files(&[&server.url()], &NAMES, folder.path(), PATIENCE, &mut |progress: Progress| {
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
