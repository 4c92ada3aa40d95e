//! Variables, and what works without a connection.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    thread,
    time::Instant,
};

use gptune_fetch::{FetchError, Hub};

use crate::{
    fake_hub::{COMMIT, Fixture, LARGE, PATIENCE, REPOSITORY, SIZE, etag, nothing_received},
    server::Reply,
};

#[test]
fn offline_means_what_it_means_elsewhere() {
    let fixture = Fixture::new(|_, reply| reply);
    let offline = |value: &str| fixture.hub_with(&[("HF_HUB_OFFLINE", value)], PATIENCE);
    for value in ["1", "ON", "on", "Yes", "TRUE", "true"] {
        let error = offline(value).fetch(REPOSITORY, &[LARGE], &[], &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains("HF_HUB_OFFLINE is set"), "{error}");
        assert!(error.to_string().contains(&*fixture.repository().to_string_lossy()), "{error}");
        assert!(matches!(offline(value).list(REPOSITORY), Err(FetchError::Offline { .. })));
    }
    let older = fixture.hub_with(&[("TRANSFORMERS_OFFLINE", "1")], PATIENCE);
    assert!(matches!(older.list(REPOSITORY), Err(FetchError::Offline { .. })));
    assert!(fixture.server.requests().is_empty());
    for value in ["", "0", "OFF", "no", "2"] {
        offline(value).fetch(REPOSITORY, &["onnx/a b.txt"], &[], &mut |_| {}).unwrap();
    }

    let snapshot = fixture.hub().fetch(REPOSITORY, &["config.json", LARGE], &[], &mut |_| {}).unwrap();
    let before = fixture.server.requests().len();
    let hub = offline("1");
    let found = hub.fetch(REPOSITORY, &["config.json", LARGE], &["empty"], &mut nothing_received).unwrap();
    assert_eq!(found, snapshot);
    assert_eq!(hub.list(REPOSITORY).unwrap().files(), ["config.json", LARGE, "onnx/a b.txt"]);
    assert_eq!(hub.cached(REPOSITORY), Some(snapshot));
    // Not all of what is asked for.
    let error = hub.fetch(REPOSITORY, &["config.json", "empty"], &[], &mut |_| {}).unwrap_err();
    assert!(matches!(&error, FetchError::Offline { missing, .. } if missing == "empty"), "{error}");
    // A link to nothing is nothing.
    fs::remove_file(fixture.repository().join("blobs").join(etag(LARGE))).unwrap();
    let error = hub.fetch(REPOSITORY, &["config.json", LARGE], &[], &mut |_| {}).unwrap_err();
    let place = fixture.repository().join("snapshots").join(COMMIT);
    assert_eq!(
        error.to_string(),
        format!("HF_HUB_OFFLINE is set, and {} has no {LARGE}; unset it to download", place.display())
    );
    assert_eq!(fixture.server.requests().len(), before);
}

#[test]
fn cache_serves_when_the_hub_cannot() {
    let fixture = Fixture::new(|_, reply| reply);
    let snapshot = fixture.fetch_large().unwrap();
    // A port that nobody listens on.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let hub = fixture.hub_with(&[("HF_ENDPOINT", &endpoint)], PATIENCE);
    assert_eq!(hub.fetch(REPOSITORY, &[LARGE], &["config.json"], &mut |_| {}).unwrap(), snapshot);
    assert_eq!(hub.list(REPOSITORY).unwrap().files(), [LARGE]);
    let start = Instant::now();
    let error = hub.fetch(REPOSITORY, &["config.json"], &[], &mut |_| {}).unwrap_err();
    let place = format!(" has no config.json, which cannot be downloaded: cannot reach 127.0.0.1:{port}: ");
    assert!(error.to_string().contains(&place), "{error}");
    assert!(error.to_string().ends_with("; check the connection and try again"), "{error}");
    assert!(start.elapsed() < PATIENCE.stall, "nobody there is no reason to wait");

    let hub = fixture.hub_with(&[("HF_ENDPOINT", "http://no-such-host.invalid")], PATIENCE);
    let error = hub.fetch(REPOSITORY, &["config.json"], &[], &mut |_| {}).unwrap_err();
    let FetchError::Incomplete { missing, problem, .. } = &error else { panic!("{error}") };
    assert_eq!(missing, "config.json");
    assert!(matches!(&**problem, FetchError::Unreachable { host, .. } if host == "no-such-host.invalid"), "{error}");

    // Somebody who does not speak TLS. There is no use in asking again.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("https://{}", listener.local_addr().unwrap());
    let other = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        _ = stream.read_to_end(&mut Vec::new());
    });
    let hub = fixture.hub_with(&[("HF_ENDPOINT", &endpoint)], PATIENCE);
    let error = hub.fetch(REPOSITORY, &["config.json"], &[], &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("received corrupt message"), "{error}");
    other.join().unwrap();

    let broken = Fixture { folder: fixture.folder, ..Fixture::new(|_, _| Reply::new(503)) };
    assert_eq!(broken.fetch_large().unwrap(), snapshot);
}

#[test]
fn cache_is_where_the_variables_say() {
    let fixture = Fixture::new(|_, reply| reply);
    let root = fixture.folder.path().to_str().unwrap().to_owned();
    let endpoint = fixture.server.url();
    let snapshot_with = |variables: &[(&str, String)]| {
        let variable = |name: &str| {
            let value = variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
            value.or_else(|| (name == "HF_ENDPOINT").then(|| endpoint.clone().into()))
        };
        let hub = Hub::from_variables(variable, PATIENCE);
        let snapshot = hub.fetch(REPOSITORY, &["config.json"], &[], &mut |_| {}).unwrap();
        snapshot.ancestors().nth(3).unwrap().strip_prefix(&root).unwrap().to_str().unwrap().to_owned()
    };
    let at = |name: &str| format!("{root}/{name}");
    assert_eq!(snapshot_with(&[("XDG_CACHE_HOME", at("a"))]), "a/huggingface/hub");
    assert_eq!(snapshot_with(&[("XDG_CACHE_HOME", at("a")), ("HF_HOME", at("b"))]), "b/hub");
    assert_eq!(snapshot_with(&[("HF_HOME", at("b")), ("HUGGINGFACE_HUB_CACHE", at("c"))]), "c");
    let all = [("HF_HOME", at("b")), ("HUGGINGFACE_HUB_CACHE", at("c")), ("HF_HUB_CACHE", at("d"))];
    assert_eq!(snapshot_with(&all), "d");
    assert_eq!(snapshot_with(&[("HF_HOME", at("b")), ("HF_HUB_CACHE", String::new())]), "b/hub");
}

#[test]
fn damaged_ref_is_no_snapshot() {
    let fixture = Fixture::new(|_, reply| reply);
    fixture.fetch_large().unwrap();
    for text in ["", "main", "../../../etc", "\0", &"f".repeat(40)] {
        fs::write(fixture.repository().join("refs/main"), text).unwrap();
        assert_eq!(fixture.hub().cached(REPOSITORY), None, "{text:?}");
    }
    fixture.assert_complete(&fixture.fetch_large().unwrap());
    assert_eq!(fixture.server.starts(), [None]);
    assert_eq!(fs::metadata(fixture.hub().cached(REPOSITORY).unwrap().join(LARGE)).unwrap().len(), SIZE as u64);
}
