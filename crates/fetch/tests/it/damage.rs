//! Files in the cache that are not what was downloaded.

use std::{
    fs::{self, File},
    io::{Seek, SeekFrom, Write},
    net::TcpListener,
    path::Path,
    time::{Duration, SystemTime},
};

use gptune_fetch::{Activity, Check, Checks, Damage, FetchError, Hub, Progress};

use crate::{
    fake_hub::{COMMIT, Fixture, LARGE, PATIENCE, REPOSITORY, SIZE, etag, large, nothing_received},
    server::{Reply, Server},
};

/// As if the file had been there for an hour.
fn settle(path: &Path) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_hours(1)).unwrap();
}

/// Changes a byte in the middle.
fn corrupt(path: &Path) {
    let mut file = File::options().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(SIZE as u64 / 2)).unwrap();
    file.write_all(&[large()[SIZE / 2] ^ 1]).unwrap();
}

fn cut(path: &Path) {
    File::options().write(true).open(path).unwrap().set_len(1000).unwrap();
}

fn check(hub: &Hub) -> Check {
    hub.check(REPOSITORY, &["config.json", LARGE, "empty"], &mut nothing_received).unwrap()
}

/// What is wrong with the large file, and nothing else.
fn damage_of_large(hub: &Hub) -> Damage {
    let Check { mut damaged, unknown } = check(hub);
    assert_eq!((damaged.len(), unknown.len()), (1, 0));
    assert_eq!(damaged[0].file, LARGE);
    damaged.remove(0).damage
}

fn bytes_read(hub: &Hub) -> u64 {
    let mut last = 0;
    let check = hub.check(REPOSITORY, &[LARGE], &mut |Progress { activity, bytes, total, .. }| {
        assert_eq!((activity, total), (Activity::Checking, Some(SIZE as u64)));
        last = bytes;
    });
    assert_eq!(check.unwrap(), Check::default());
    last
}

#[test]
fn a_file_of_the_right_size_and_other_bytes_is_found_and_fetched_again() {
    let fixture = Fixture::new(|_, reply| reply);
    fixture.hub().fetch(REPOSITORY, &["config.json", LARGE], &[], &mut |_| {}).unwrap();
    assert_eq!(check(&fixture.hub()), Check::default());
    corrupt(&fixture.blob(LARGE));
    assert_eq!(damage_of_large(&fixture.hub()), Damage::Checksum { found: SIZE as u64 });
    fixture.assert_complete(&fixture.fetch_large().unwrap());
    // Small files have git's checksum.
    fs::write(fixture.blob("config.json"), b"{\"model_type\": \"gpt3\"}\n").unwrap();
    let damaged = check(&fixture.hub()).damaged;
    assert_eq!((damaged.len(), damaged[0].file.as_str()), (1, "config.json"));
    let path = fixture.repository().join("snapshots").join(COMMIT).join("config.json");
    let sentence = format!("{} is damaged (23 bytes with another checksum than the file's)", path.display());
    assert_eq!(damaged[0].to_string(), sentence);
}

#[test]
fn only_what_is_damaged_is_repaired_and_at_its_own_commit() {
    let fixture = Fixture::new(|request, reply| {
        // There is a newer commit by now.
        if request.path.starts_with("/api/") { Reply { body: Vec::new(), ..Reply::new(500) } } else { reply }
    });
    let before = Fixture { folder: fixture.folder, ..Fixture::new(|_, reply| reply) };
    before.hub().fetch(REPOSITORY, &["config.json", LARGE], &[], &mut |_| {}).unwrap();
    let fixture = Fixture { folder: before.folder, ..fixture };
    cut(&fixture.blob(LARGE));
    assert_eq!(damage_of_large(&fixture.hub()), Damage::Checksum { found: 1000 });
    // What maps the old file goes on with it.
    let open = File::open(fixture.blob(LARGE)).unwrap();
    let snapshot = fixture.hub().repair(REPOSITORY, &["config.json", LARGE], &mut |_| {}).unwrap();
    fixture.assert_complete(&snapshot);
    assert_eq!(open.metadata().unwrap().len(), 1000);
    let requests = fixture.server.requests();
    assert!(!requests.iter().any(|request| request.method == "GET" && request.path.ends_with("/config.json")));
    assert!(requests.iter().all(|request| request.path.contains(COMMIT) || request.path.starts_with("/cdn/")));
    assert_eq!(check(&fixture.hub()), Check::default());
}

#[test]
fn a_checksum_is_computed_once_and_remembered_as_long_as_the_file_is_the_same() {
    let fixture = Fixture::new(|_, reply| reply);
    fixture.hub_with_stamps().fetch(REPOSITORY, &[LARGE], &[], &mut |_| {}).unwrap();
    // So new that a change might not show: read.
    assert_eq!(bytes_read(&fixture.hub_with_stamps()), SIZE as u64);
    settle(&fixture.blob(LARGE));
    assert_eq!(bytes_read(&fixture.hub_with_stamps()), SIZE as u64);
    assert_eq!(bytes_read(&fixture.hub_with_stamps()), 0);
    // In one process once, with or without a place for stamps.
    let hub = fixture.hub();
    assert_eq!([bytes_read(&hub), bytes_read(&hub)], [SIZE as u64, 0]);

    // A stamp is believed of the very file only.
    corrupt(&fixture.blob(LARGE));
    assert_eq!(damage_of_large(&fixture.hub_with_stamps()), Damage::Checksum { found: SIZE as u64 });
    settle(&fixture.blob(LARGE));
    assert_eq!(damage_of_large(&fixture.hub_with_stamps()), Damage::Checksum { found: SIZE as u64 });
    // It knows the length all the same.
    cut(&fixture.blob(LARGE));
    let damage = damage_of_large(&fixture.hub_with_stamps());
    assert_eq!(damage, Damage::Length { found: 1000, expected: SIZE as u64 });
    assert_eq!(damage.to_string(), "1000 bytes, should be 300007");
    fixture.assert_complete(&fixture.hub_with_stamps().repair(REPOSITORY, &[LARGE], &mut |_| {}).unwrap());
    assert_eq!(check(&fixture.hub_with_stamps()), Check::default());
}

#[cfg(unix)]
#[test]
fn a_change_that_hides_its_time_is_found() {
    let fixture = Fixture::new(|_, reply| reply);
    fixture.fetch_large().unwrap();
    let blob = fixture.blob(LARGE);
    settle(&blob);
    assert_eq!(bytes_read(&fixture.hub_with_stamps()), SIZE as u64);
    assert_eq!(bytes_read(&fixture.hub_with_stamps()), 0);
    let modified = blob.metadata().unwrap().modified().unwrap();
    corrupt(&blob);
    File::options().write(true).open(&blob).unwrap().set_modified(modified).unwrap();
    assert_eq!(damage_of_large(&fixture.hub_with_stamps()), Damage::Checksum { found: SIZE as u64 });
}

#[test]
fn stamps_that_cannot_be_written_or_read_cost_time_only() {
    let fixture = Fixture::new(|_, reply| reply);
    fixture.fetch_large().unwrap();
    settle(&fixture.blob(LARGE));
    fs::write(fixture.stamps(), "a file in the way").unwrap();
    assert_eq!(bytes_read(&fixture.hub_with_stamps()), SIZE as u64);
    assert_eq!(bytes_read(&fixture.hub_with_stamps()), SIZE as u64);
    fs::remove_file(fixture.stamps()).unwrap();
    assert_eq!(bytes_read(&fixture.hub_with_stamps()), SIZE as u64);
    let stamp = fs::read_dir(fixture.stamps()).unwrap().next().unwrap().unwrap().path();
    for text in ["", "[]", "{\"tag\": 1}", "\0", "{\"tag\": \"x\", \"length\": 1, \"state\": null}"] {
        fs::write(&stamp, text).unwrap();
        assert_eq!(bytes_read(&fixture.hub_with_stamps()), SIZE as u64, "{text}");
        assert_eq!(bytes_read(&fixture.hub_with_stamps()), 0);
    }
}

#[test]
fn offline_and_without_a_connection_the_damaged_file_is_named() {
    let fixture = Fixture::new(|_, reply| reply);
    let snapshot = fixture.hub().fetch(REPOSITORY, &["config.json", LARGE], &["empty"], &mut |_| {}).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let offline = fixture.hub_with(&[("HF_HUB_OFFLINE", "1")], PATIENCE);
    let alone = fixture.hub_with(&[("HF_ENDPOINT", &endpoint)], PATIENCE);
    let before = fixture.server.requests().len();
    cut(&fixture.blob(LARGE));
    let place = snapshot.join(LARGE).display().to_string();
    for error in [
        offline.fetch(REPOSITORY, &["config.json", LARGE], &[], &mut |_| {}).unwrap_err(),
        offline.fetch(REPOSITORY, &["config.json"], &[LARGE], &mut |_| {}).unwrap_err(),
        offline.repair(REPOSITORY, &[LARGE], &mut |_| {}).unwrap_err(),
        offline.fetch_listed(&offline.list(REPOSITORY).unwrap(), &[LARGE], &[], &mut |_| {}).unwrap_err(),
    ] {
        let sentence = format!(
            "HF_HUB_OFFLINE is set, and {place} is damaged (1000 bytes with another checksum than the file's); unset it \
             to download the file again"
        );
        assert_eq!(error.to_string(), sentence);
    }
    let error = alone.fetch(REPOSITORY, &["config.json", LARGE], &[], &mut |_| {}).unwrap_err();
    let begin = format!(
        "{place} is damaged (1000 bytes with another checksum than the file's) and cannot be downloaded again: cannot \
         reach 127.0.0.1:{port}: "
    );
    assert!(error.to_string().starts_with(&begin), "{error}");
    assert!(matches!(error, FetchError::Damaged { .. }));
    // What is sound serves all the same.
    assert_eq!(offline.fetch(REPOSITORY, &["config.json"], &["merges.txt"], &mut |_| {}).unwrap(), snapshot);
    assert_eq!(alone.fetch(REPOSITORY, &["config.json"], &[], &mut |_| {}).unwrap(), snapshot);
    assert_eq!(fixture.server.requests().len(), before);
}

#[test]
fn anew_downloads_what_is_there_each_file_once() {
    let fixture = Fixture::new(|_, reply| reply);
    fixture.hub().fetch(REPOSITORY, &["config.json", LARGE], &[], &mut |_| {}).unwrap();
    fixture.leave(b"what another download left, which is not to be continued");
    let hub = fixture.hub().anew();
    hub.fetch(REPOSITORY, &["config.json"], &[], &mut |_| {}).unwrap();
    fixture.assert_complete(&hub.fetch(REPOSITORY, &["config.json", LARGE], &[], &mut |_| {}).unwrap());
    hub.fetch(REPOSITORY, &["config.json", LARGE], &[], &mut nothing_received).unwrap();
    assert_eq!(fixture.server.starts(), [None; 2]);
    let requests = fixture.server.requests();
    let configs = requests.iter().filter(|request| request.method == "GET" && request.path.ends_with("/config.json"));
    assert_eq!(configs.count(), 2);

    // What is there is no answer to the wish for another one, and stays.
    let offline = fixture.hub_with(&[("HF_HUB_OFFLINE", "1")], PATIENCE).anew();
    let error = offline.fetch(REPOSITORY, &[LARGE], &[], &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "HF_HUB_OFFLINE is set, so that owner/name cannot be downloaded anew; unset it");
    let broken = Fixture { folder: fixture.folder, ..Fixture::with_contents(|_, _, _| Reply::new(500)) };
    broken.hub().anew().fetch(REPOSITORY, &[LARGE], &[], &mut |_| {}).unwrap_err();
    assert!(fs::read(broken.blob(LARGE)).unwrap() == large());
}

#[test]
fn copies_in_place_of_links_are_told_by_what_is_known_of_them() {
    let fixture = Fixture::new(|_, reply| reply);
    let hub = |stamps: bool| {
        let hub = fixture.hub_with(&[("HF_HUB_DISABLE_SYMLINKS", "1")], PATIENCE);
        if stamps { hub.with_checks(Checks::remembered_in(fixture.stamps())) } else { hub }
    };
    let snapshot = hub(true).fetch(REPOSITORY, &[LARGE], &[], &mut |_| {}).unwrap();
    let pointer = snapshot.join(LARGE);
    // With a stamp as any other.
    assert_eq!(check(&hub(true)), Check::default());
    corrupt(&pointer);
    assert_eq!(damage_of_large(&hub(true)), Damage::Checksum { found: SIZE as u64 });
    // Without, nothing on this machine tells, and the Hub does.
    let unknown = Check { unknown: vec![LARGE.to_owned()], ..Check::default() };
    assert_eq!(check(&hub(false)), unknown);
    fixture.assert_complete(&hub(false).repair(REPOSITORY, &[LARGE], &mut |_| {}).unwrap());

    // As huggingface_hub leaves it on Windows: moved, without a blob.
    fs::rename(fixture.blob(LARGE), &pointer).unwrap();
    assert_eq!(check(&hub(false)), unknown);
    hub(false).repair(REPOSITORY, &[LARGE], &mut nothing_received).unwrap();
    assert_eq!(fixture.server.starts(), [None; 2]);
    for (bytes, damage) in [
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", Damage::Pointer),
        ("\u{feff}\n<!DOCTYPE HTML><title>Log in</title>", Damage::WebPage),
    ] {
        fs::remove_file(&pointer).unwrap();
        fs::write(&pointer, bytes).unwrap();
        assert_eq!(damage_of_large(&hub(false)), damage);
        hub(false).repair(REPOSITORY, &[LARGE], &mut |_| {}).unwrap();
        assert!(fs::read(&pointer).unwrap() == large());
    }
}

#[test]
fn pointers_and_pages_in_place_of_blobs_are_called_so() {
    let fixture = Fixture::new(|_, reply| reply);
    fixture.fetch_large().unwrap();
    fs::write(fixture.blob(LARGE), "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n").unwrap();
    let damage = damage_of_large(&fixture.hub());
    assert_eq!(damage.to_string(), "a Git LFS pointer, not the file");
    fs::write(fixture.blob(LARGE), "<html><title>Log in</title>").unwrap();
    assert_eq!(damage_of_large(&fixture.hub()).to_string(), "a web page, not the file");
    fixture.assert_complete(&fixture.fetch_large().unwrap());
}

#[test]
fn a_file_without_a_checksum_is_told_by_its_length() {
    // As a mirror's tags are.
    let fixture = Fixture::new(|_, reply| {
        let tag = reply.headers.get("X-Linked-Etag").map(|_| format!("\"{}-12\"", &etag(LARGE)[..32]));
        tag.iter().fold(reply, |reply, tag| reply.header("X-Linked-Etag", tag))
    });
    let snapshot = fixture.hub_with_stamps().fetch(REPOSITORY, &[LARGE], &[], &mut |_| {}).unwrap();
    assert_eq!(check(&fixture.hub_with_stamps()), Check::default());
    assert_eq!(check(&fixture.hub()).unknown, [LARGE]);
    cut(&snapshot.join(LARGE));
    let expected = Damage::Length { found: 1000, expected: SIZE as u64 };
    assert_eq!(damage_of_large(&fixture.hub_with_stamps()), expected);
    fixture.hub().repair(REPOSITORY, &[LARGE], &mut |_| {}).unwrap();
    assert!(fs::read(snapshot.join(LARGE)).unwrap() == large());
}

#[test]
fn requests_leave_placeholders_as_they_are() {
    let server = Server::start(|_| Reply::new(404));
    let hub = Hub::from_variables(
        |name| match name {
            "HF_ENDPOINT" => Some(server.url().into()),
            "HF_HUB_CACHE" => Some("cache".into()),
            _ => None,
        },
        PATIENCE,
    );
    let requests = hub.requests(REPOSITORY, &["a b.txt", "{weights}"]).unwrap();
    let folder = format!("{}/owner/name/resolve/{{commit}}", server.url());
    assert_eq!(requests[2..4], [format!("GET {folder}/a%20b.txt"), format!("HEAD {folder}/{{weights}}")]);
}
