//! What arrives is what the Hub has, where other tools look for it.

use std::{fs, path::PathBuf};

use gptune_fetch::FetchError;

use crate::{
    fake_hub::{COMMIT, FILES, Fixture, LARGE, PATIENCE, REPOSITORY, SIZE, etag, large, nothing_received},
    server::Reply,
};

#[test]
fn files_are_links_to_blobs() {
    let fixture = Fixture::new(|_, reply| reply);
    let hub = fixture.hub();
    assert_eq!(hub.cached(REPOSITORY), None);
    assert_eq!(hub.list(REPOSITORY).unwrap().files(), ["config.json", "empty", LARGE, "onnx/a b.txt"]);
    let optional = ["onnx/a b.txt", "empty", "merges.txt"];
    let snapshot = hub.fetch(REPOSITORY, &["config.json", LARGE], &optional, &mut |_| {}).unwrap();
    fixture.assert_complete(&snapshot);
    assert!(!snapshot.join("merges.txt").exists());
    for (name, bytes) in FILES.iter() {
        assert_eq!(&fs::read(snapshot.join(name)).unwrap(), bytes);
        let up = if name.contains('/') { "../../../" } else { "../../" };
        let target = fs::read_link(snapshot.join(name)).unwrap();
        assert_eq!(target, PathBuf::from(format!("{up}blobs/{}", etag(name))));
    }
    assert_eq!(hub.cached(REPOSITORY), Some(snapshot.clone()));

    // A second time there is nothing to fetch.
    let before = fixture.server.requests().len();
    hub.fetch(REPOSITORY, &["config.json", LARGE], &optional, &mut nothing_received).unwrap();
    let requests = fixture.server.requests();
    assert!(requests[before..].iter().all(|request| request.method == "HEAD" || request.path.starts_with("/api/")));
}

#[test]
fn without_symbolic_links() {
    let fixture = Fixture::new(|_, reply| reply);
    let hub = fixture.hub_with(&[("HF_HUB_DISABLE_SYMLINKS", "1")], PATIENCE);
    let snapshot = hub.fetch(REPOSITORY, &[LARGE, "onnx/a b.txt"], &[], &mut |_| {}).unwrap();
    fixture.assert_complete(&snapshot);
    assert!(fs::read_link(snapshot.join(LARGE)).is_err());
    hub.fetch(REPOSITORY, &[LARGE, "onnx/a b.txt"], &[], &mut nothing_received).unwrap();
}

#[test]
fn damage_in_the_cache_is_repaired() {
    let fixture = Fixture::new(|_, reply| reply);
    let snapshot = fixture.fetch_large().unwrap();
    let blob = fixture.repository().join("blobs").join(etag(LARGE));
    // Cut; gone, which leaves a link to nothing; link gone.
    fs::write(&blob, &large()[..1000]).unwrap();
    fixture.assert_complete(&fixture.fetch_large().unwrap());
    fs::remove_file(&blob).unwrap();
    fixture.assert_complete(&fixture.fetch_large().unwrap());
    fs::remove_file(snapshot.join(LARGE)).unwrap();
    fixture.assert_complete(&fixture.fetch_large().unwrap());
    assert_eq!(fixture.server.starts(), [None; 3]);
}

#[test]
fn new_commit_replaces_the_old_when_it_is_complete() {
    let fixture = Fixture::new(|_, reply| reply);
    let old = "f".repeat(40);
    let snapshot = fixture.repository().join("snapshots").join(&old);
    fs::create_dir_all(&snapshot).unwrap();
    fs::create_dir_all(fixture.repository().join("refs")).unwrap();
    fs::write(fixture.repository().join("refs/main"), &old).unwrap();
    assert_eq!(fixture.hub().cached(REPOSITORY), Some(snapshot.clone()));
    let broken = Fixture { folder: fixture.folder, ..Fixture::with_contents(|_, _, _| Reply::new(500)) };
    broken.fetch_large().unwrap_err();
    assert_eq!(broken.hub().cached(REPOSITORY), Some(snapshot));
    let fixture = Fixture { folder: broken.folder, ..fixture };
    fixture.assert_complete(&fixture.fetch_large().unwrap());
}

#[test]
fn wrong_bytes_of_right_length() {
    let fixture = Fixture::with_contents(|_, _, mut reply| {
        reply.body[SIZE / 2] ^= 1;
        reply
    });
    let error = fixture.fetch_large().unwrap_err();
    let FetchError::Checksum { path, expected, .. } = &error else { panic!("{error}") };
    assert_eq!((path, expected.as_str()), (&fixture.partial(), etag(LARGE)));
    assert!(error.to_string().ends_with("was removed; try again"), "{error}");
    fixture.assert_absent();
    assert!(!fixture.partial().exists());

    // Small files have git's checksum.
    let fixture = Fixture::new(|request, mut reply| {
        if request.path.ends_with("/config.json") && request.method == "GET" {
            reply.body[3] ^= 1;
        }
        reply
    });
    let error = fixture.hub().fetch(REPOSITORY, &["config.json"], &[], &mut |_| {}).unwrap_err();
    assert!(matches!(error, FetchError::Checksum { .. }), "{error}");
    fixture.assert_absent();
}

#[test]
fn wrong_length() {
    // Announced, and not announced.
    for chunked in [false, true] {
        let fixture = Fixture::with_contents(move |_, _, mut reply| {
            reply.body.extend([0; 5000]);
            Reply { chunked, ..reply }
        });
        let error = fixture.fetch_large().unwrap_err();
        assert!(matches!(error, FetchError::Size { expected, .. } if expected == SIZE as u64), "{error}");
        fixture.assert_absent();
        assert!(!fixture.partial().exists());
    }
    let fixture = Fixture::with_contents(|_, _, mut reply| {
        reply.body.truncate(1000);
        reply
    });
    let error = fixture.fetch_large().unwrap_err();
    assert!(matches!(error, FetchError::Size { actual: 1000, .. }), "{error}");
    fixture.assert_absent();

    // A length that is too short and not announced cannot be told from a connection that broke.
    let fixture = Fixture::with_contents(|count, _, mut reply| {
        reply.body.truncate(if count == 0 { 1000 } else { 0 });
        Reply { chunked: true, ..reply }
    });
    let error = fixture.fetch_large().unwrap_err();
    assert!(error.to_string().contains("it ended after 1000 of 300007 bytes"), "{error}");
    fixture.assert_absent();
}

#[cfg(target_os = "linux")]
#[test]
fn full_disk() {
    let fixture = Fixture::new(|_, reply| reply);
    fixture.leave(b"");
    fs::remove_file(fixture.partial()).unwrap();
    std::os::unix::fs::symlink("/dev/full", fixture.partial()).unwrap();
    let error = fixture.fetch_large().unwrap_err();
    assert!(matches!(error, FetchError::DiskFull { .. }), "{error}");
    fixture.assert_absent();
}

#[test]
fn folder_that_cannot_be_written() {
    let fixture = Fixture::new(|_, reply| reply);
    fs::write(fixture.folder.path().join("hub"), "a file in the way").unwrap();
    let error = fixture.fetch_large().unwrap_err();
    assert!(matches!(error, FetchError::Write { .. }), "{error}");
}

#[test]
fn answers_that_no_hub_gives() {
    let bodies: [&[u8]; 6] = [
        b"<html>Sign in to the airport's network</html>",
        b"[]",
        br#"{"sha": "main", "siblings": []}"#,
        br#"{"sha": "../../../../../../../../../../../x", "siblings": []}"#,
        br#"{"sha": "0123456789abcdef0123456789abcdef01234567"}"#,
        &[0xff; 100],
    ];
    for body in bodies {
        let fixture = Fixture::new(|_, _| Reply { body: body.to_vec(), ..Reply::new(200) });
        let error = fixture.fetch_large().unwrap_err();
        assert!(matches!(error, FetchError::Answer { .. }), "{error}");
    }
    for tag in ["", "\"\"", "\"../../x\"", "\"a/b\""] {
        let fixture = Fixture::new(move |request, mut reply| {
            if request.method == "HEAD" {
                reply.headers.retain(|name, _| name != "X-Linked-Etag");
                reply = reply.header("ETag", tag);
            }
            reply
        });
        let error = fixture.fetch_large().unwrap_err();
        assert!(error.to_string().contains("it has no ETag"), "{error}");
    }
}

#[test]
fn answers_that_are_no_http() {
    let huge = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(10_000));
    let raws = [
        "",
        "\0\0\0\0",
        "SSH-2.0-OpenSSH_9.6\r\n",
        "HTTP/1.1",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 999 What\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx",
        "HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-18446744073709551615/18446744073709551615\r\n\r\nx",
        "HTTP/1.1 206 Partial\r\nContent-Range: bytes 9-1/3\r\n\r\nx",
        "HTTP/1.1 206 Partial\r\n\r\nx",
        "HTTP/1.1 302 Found\r\nLocation: \u{fc}\r\n\r\n",
        "HTTP/1.1 302 Found\r\n\r\n",
        &huge,
        &many,
    ];
    for raw in raws {
        // In place of the list, the headers and the contents.
        for part in ["/api/", "/resolve/", "/cdn/"] {
            let bytes = raw.as_bytes().to_vec();
            let fixture = Fixture::new(move |request, reply| {
                let raw = request.path.contains(part).then(|| bytes.clone());
                Reply { raw, ..reply }
            });
            fixture.leave(b"");
            let error = fixture.fetch_large().unwrap_err().to_string();
            assert!(!error.contains('\n') && error.len() < 400, "{error}");
            fixture.assert_absent();
        }
    }
}

#[test]
fn tags_that_are_no_checksums_are_names_only() {
    let tag = "d41d8cd98f00b204e9800998ecf8427e-12";
    let fixture = Fixture::new(move |request, reply| {
        let is_config = request.path.ends_with("/config.json");
        if is_config { reply.header("ETag", format!("W/\"{tag}\"")) } else { reply }
    });
    let snapshot = fixture.hub().fetch(REPOSITORY, &["config.json"], &[], &mut |_| {}).unwrap();
    assert_eq!(fs::read(snapshot.join("config.json")).unwrap(), FILES["config.json"]);
    assert!(fixture.repository().join("blobs").join(tag).is_file());
    assert!(snapshot.ends_with(COMMIT));
}

#[test]
fn what_a_commit_does_not_have_is_asked_for_once() {
    let fixture = Fixture::new(|_, reply| reply);
    let hub = fixture.hub();
    let wanted = ["config.json", "onnx/a b.txt", "merges.txt"];
    assert_eq!(hub.undetermined(REPOSITORY, &wanted).unwrap(), [""; 0], "there is no snapshot yet");
    hub.fetch(REPOSITORY, &[LARGE], &["vocab.json"], &mut |_| {}).unwrap();
    assert_eq!(hub.undetermined(REPOSITORY, &[LARGE, "vocab.json"]).unwrap(), [""; 0]);
    assert_eq!(hub.undetermined(REPOSITORY, &wanted).unwrap(), wanted);
    hub.complete(REPOSITORY, &wanted, &mut |_| {}).unwrap();
    assert_eq!(hub.undetermined(REPOSITORY, &wanted).unwrap(), [""; 0]);
    let snapshot = hub.cached(REPOSITORY).unwrap();
    assert_eq!(fs::read(snapshot.join("onnx/a b.txt")).unwrap(), FILES["onnx/a b.txt"]);
    // Where other programs look for it.
    assert!(fixture.repository().join(".no_exist").join(COMMIT).join("merges.txt").is_file());
    let offline = fixture.hub_with(&[("HF_HUB_OFFLINE", "1")], PATIENCE);
    assert!(matches!(offline.complete(REPOSITORY, &["empty"], &mut |_| {}), Err(FetchError::Offline { .. })));
    assert!(!fixture.repository().join(".no_exist").join(COMMIT).join("empty").exists());
}
